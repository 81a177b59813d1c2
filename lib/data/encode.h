/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_ENCODE_H
#define PEFT_DATA_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/json.h"
#include "data/tokens.h"
#include "tensor/source.h"
#include "text/template.h"
#include "text/tokenizer.h"

/*
 * From what people write (chats, prompts, texts as JSON objects) to token
 * records, by a model's own tokenizer and chat template.
 */
struct peft_codec {
	struct peft_tokenizer	*tok;
	struct peft_template	*tmpl;		/* NULL: the model has none */
	struct peft_tokens_info	 info;
	char			*bos, *eos;	/* their texts, or NULL */
};

/* Finds tokenizer.json, tokenizer_config.json and the template among the
 * model's side files (chat_template.jinja first, then the config's).  threads:
 * that read them, 0 one a core. */
int	peft_codec_open(struct peft_codec *, const struct peft_source *,
	    int threads, struct peft_err *) PEFT_MUSTCHECK;
void	peft_codec_close(struct peft_codec *);
/* Each variable for the chat template (an object of them, or NULL) must be in
 * its text, or it would do nothing (PEFT_USAGE). */
int	peft_codec_knows(const struct peft_codec *, const cJSON *set,
	    struct peft_err *) PEFT_MUSTCHECK;
/* Append the tokens of a record's string, whose NULs (peft_json_said) are
 * characters. */
int	peft_codec_encode(const struct peft_codec *, const char *said,
	    int flags, struct peft_tokens *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Of a model without a tokenizer: why, or what was looked for. */
const char *peft_codec_missing(const struct peft_source *);
/* All tokens of an encoded record are below vocab: an embedding may have
 * fewer rows than the tokenizer has tokens. */
int	peft_codec_fits(const struct peft_codec *, const struct peft_record *,
	    size_t vocab, struct peft_err *) PEFT_MUSTCHECK;

enum peft_supervise {
	PEFT_SUP_LAST,		/* the last assistant turn */
	PEFT_SUP_ALL,		/* all assistant turns; completions; texts */
	PEFT_SUP_TEXT,		/* everything */
	PEFT_SUP_COMPLETION	/* assistant turns behind the last of the
				 * user's */
};

struct peft_encopt {
	enum peft_supervise	 supervise;
	size_t			 turn;		/* 0: the whole chat; else only
						 * what comes up to the n-th
						 * turn that is learnt, which
						 * alone is (from 1) */
	bool			 unmasked;	/* no labels are wanted */
	enum peft_task		 task;		/* what records are for */
	bool			 unlabelled;	/* classes: they are asked for,
						 * none need be there */
	bool			 as_chat;	/* {"prompt","completion"} is a
						 * chat of two turns */
	bool			 control;	/* special tokens spelt out in
						 * prompts, completions and
						 * texts are control tokens */
	bool			 prompt_only;	/* for generation: render with
						 * add_generation_prompt, no
						 * labels; a trailing assistant
						 * turn is dropped */
	const cJSON		*set;		/* more template variables */
};

/* Into how many records a chat falls if each turn that is learnt gets its
 * own: 1 and *n; 0 what is no chat does not fall; -1. */
int	peft_encode_turns(const cJSON *, const struct peft_encopt *,
	    size_t *n, struct peft_err *) PEFT_MUSTCHECK;
/* A record of any shape that data/shape.h knows to tokens.  By the task, or
 * what it holds, one with classes is the text alone, without an end token.  A
 * chat and a prompt may have {"choices","answer"} instead of an answer;
 * messages may have a "weight" (0: this turn is not learnt, 1). */
/* Its "id", numbers as they are spelt; NULL: it has none.  The caller frees
 * it. */
int	peft_record_id(const cJSON *, char **id, struct peft_err *);
int	peft_encode_record(const struct peft_codec *, const cJSON *,
	    const struct peft_encopt *, struct peft_record *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* The rendered text alone, appended. */
int	peft_render_record(const struct peft_codec *, const cJSON *,
	    const struct peft_encopt *, struct peft_buf *, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
