/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_LINT_H
#define PEFT_DATA_LINT_H

#include "base/hash.h"
#include "base/map.h"
#include "data/encode.h"

/*
 * Mistakes in training data, found before they cost a training run.  A lint
 * remembers hashes of records, nothing else.
 */
enum peft_finding {
	PEFT_F_UNSUPERVISED,	/* no supervised token */
	PEFT_F_NOEND,		/* supervised text does not end with an end token */
	PEFT_F_LONG,		/* longer than max_length */
	PEFT_F_DUPLICATE,	/* the same tokens as an earlier record */
	PEFT_F_LEAK,		/* the same prompt as a record of the test set */
	PEFT_F_EMPTY,		/* an assistant turn without content */
	PEFT_F_ORDER,		/* roles out of order */
	PEFT_F_SPECIAL,		/* special tokens spelt out in content */
	PEFT_F_BAD,		/* cannot be encoded */
	PEFT_NFINDING
};
extern const char *const peft_finding_text[PEFT_NFINDING];

struct peft_lint {
	const struct peft_codec	*codec;
	size_t			 max_length;	/* 0: no limit */
	struct peft_map		 seen, test;	/* of hashes */
	char			**keys;		/* what the maps point to */
	size_t			 nkeys, capkeys;
	size_t			 count[PEFT_NFINDING];
	size_t			 records, tokens, supervised;
};

/* Remember the prompts of a test set. */
int	peft_lint_test(struct peft_lint *, const cJSON *, struct peft_err *)
	    PEFT_MUSTCHECK;

/* What is seen of a record alone, in any thread: j, and what it was encoded
 * to (r; NULL if it could not be). */
struct peft_look {
	bool	found[PEFT_NFINDING];
	size_t	tokens, supervised;
	char	ids[PEFT_SHA256_HEX];		/* hash of the tokens, or "" */
	char	prompt[PEFT_SHA256_HEX];	/* of what is asked, or "" */
};
void	peft_lint_look(const struct peft_lint *, const cJSON *j,
	    const struct peft_record *r, struct peft_look *);
/* And what only the order of the records tells; counts the findings. */
int	peft_lint_add(struct peft_lint *, struct peft_look *,
	    struct peft_err *) PEFT_MUSTCHECK;
size_t	peft_lint_total(const struct peft_lint *);
void	peft_lint_free(struct peft_lint *);

#endif
