/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_TOKENIZER_STAGE_H
#define PEFT_TEXT_TOKENIZER_STAGE_H

#include "text/tokenizer-impl.h"

/*
 * The stages of tokenizer.json: each kind is a table, each type a row of it.
 * A type that has no row, and a key that its row does not know, are errors.
 */
struct peft_stage {
	const char	*type;
	const char	*keys;		/* that it may have, but type */
	int		(*read)(struct peft_tokenizer *, const cJSON *,
			    struct peft_err *);
};

/* Read the stage of that name, member by member if it is a Sequence, whose
 * list is called `members'. */
int	peft_stage_read(struct peft_tokenizer *, const char *name,
	    const char *members, const struct peft_stage *table,
	    struct peft_err *) PEFT_MUSTCHECK;

/* Read one stage of a type that is known otherwise. */
int	peft_stage_one(struct peft_tokenizer *, const cJSON *, const char *name,
	    const struct peft_stage *table, const char *type,
	    struct peft_err *) PEFT_MUSTCHECK;

/* Is it one of the words, which have spaces between them? */
bool	peft_stage_among(const char *key, const char *words);
/* Helpers of rows: a string that must be there and not empty; {"pattern":
 * {"String" or "Regex": from}}; with that "content": to; the error that there
 * are too many. */
int	peft_stage_str(const cJSON *, const char *key, const char **out,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_stage_pattern(const cJSON *, struct peft_pattern **,
	    struct peft_err *) PEFT_MUSTCHECK;
int	peft_stage_replace(const cJSON *, struct peft_pattern **from,
	    const char **to, struct peft_err *) PEFT_MUSTCHECK;
int	peft_stage_full(const char *what, struct peft_err *);

#endif
