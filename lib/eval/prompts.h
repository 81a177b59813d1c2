/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_PROMPTS_H
#define PEFT_EVAL_PROMPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/in.h"
#include "base/out.h"
#include "base/progress.h"
#include "eval/decode.h"
#include "eval/session.h"

/*
 * Prompts to be answered: one from the command line, or records (chats whose
 * last assistant turn, if any, is dropped; {"prompt"}; {"text"}), read as
 * they come, each with the adapters it names.
 */
struct peft_prompt {
	struct peft_record	 record;	/* its ids are the prompt */
	struct peft_stretch	 stretch[PEFT_MAXSTRETCH];
	size_t			 nstretch;
	size_t			 max;
};

struct peft_promptopt {
	const char	*prompt;	/* NULL: records */
	const char	*system;
	bool		 raw, jsonl;
	size_t		 max_tokens;	/* unless a record has "max_tokens" */
	char *const	*paths;		/* none: standard input */
	size_t		 npaths;
	int		 reload;	/* readable: the adapters are to be
					 * looked at again; -1: no such fd */
};

struct peft_prompts {
	struct peft_session	*ses;
	const struct peft_promptopt *opt;
	size_t			 at;	/* of the paths, or of one prompt */
	struct peft_in		*in;
	cJSON			*held;	/* to be read again when idle */
};

/* What peft_prompts_next() returns beside enum peft_supply: *err says what a
 * record is refused for, whose id, if it has one, is in the prompt's record;
 * the next can be read. */
enum { PEFT_BAD_RECORD = PEFT_FINISH_FIRST + 1 };

int	peft_prompts_open(struct peft_prompts *, struct peft_session *,
	    const struct peft_promptopt *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_prompts_close(struct peft_prompts *);
/*
 * The next one, as peft_clerk's next().  A record without "adapter" takes the
 * first adapter if there is one; "adapter":null, or "base", the base; a list
 * or an object with weights, several together; "adapters", others from some
 * token on.  {"control":"reload"} looks at the folder again.  Both what makes
 * a new combination and what reloads ask that all is finished first.
 */
int	peft_prompts_next(struct peft_prompts *, bool idle,
	    struct peft_prompt *, bool *changed, struct peft_err *)
	    PEFT_MUSTCHECK;
/* adapters.c: which does a record ask for?  1; 0: one that is to be made,
 * when nothing is in work (`make': it is now, and *changed). */
int	peft_prompt_adapters(const cJSON *, struct peft_session *, bool make,
	    struct peft_prompt *, bool *changed, struct peft_err *)
	    PEFT_MUSTCHECK;

struct peft_answeropt {
	struct peft_sampling	 sampling;
	size_t			 width;		/* in work at once */
	size_t			 limit;		/* bytes of their caches */
	bool			 jsonl;
	bool			 stream;	/* write the text as it comes */
	bool			 keep_going;	/* JSON lines: of a record that
						 * is refused, an error; */
	size_t			*refused;	/* so many are added here */
	struct peft_progress	*progress;	/* or NULL */
	struct peft_decodestat	*stat;		/* or NULL */
};

/* The answers, in the order of the prompts, each as soon as it and those
 * before it are done: as text, each ended by a newline, or as JSON lines
 * {"id","adapter","text","tokens","finish"} or {"id","error"} as
 * peft-results(5) says. */
int	peft_answer_prompts(struct peft_prompts *,
	    const struct peft_answeropt *, struct peft_out *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
