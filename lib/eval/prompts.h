/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_PROMPTS_H
#define PEFT_EVAL_PROMPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/out.h"
#include "base/progress.h"
#include "eval/decode.h"
#include "eval/session.h"

/*
 * Prompts to be answered: one from the command line, or records (chats whose
 * last assistant turn, if any, is dropped; {"prompt"}; {"text"}), each with
 * the adapter it names.
 */
struct peft_prompt {
	struct peft_record	 record;	/* its ids are the prompt */
	int			 adapter;	/* -1: the base */
	size_t			 max;
};

struct peft_prompts {
	struct peft_prompt	*at;
	size_t			 n, cap;
};

struct peft_promptopt {
	const char	*prompt;	/* NULL: records */
	const char	*system;
	bool		 raw, jsonl;
	size_t		 max_tokens;	/* unless a record has "max_tokens" */
};

/* A record without "adapter" takes the first adapter if there is one;
 * "adapter":null, or "base", the base. */
int	peft_prompts_read(struct peft_prompts *, const struct peft_session *,
	    const struct peft_promptopt *, char *const *paths, size_t npaths,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_prompts_free(struct peft_prompts *);

struct peft_answeropt {
	struct peft_sampling	 sampling;
	size_t			 width;		/* in work at once */
	bool			 jsonl;
	bool			 stream;	/* write the text as it comes */
	struct peft_progress	*progress;	/* or NULL */
};

/* The answers, in the order of the prompts: as text, each ended by a
 * newline, or as JSON lines {"id","adapter","text","tokens","finish"} as
 * peft-results(5) says. */
int	peft_answer_prompts(struct peft_session *, struct peft_prompts *,
	    const struct peft_answeropt *, struct peft_out *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
