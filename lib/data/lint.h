/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_LINT_H
#define PEFT_DATA_LINT_H

#include "data/encode.h"
#include "data/near.h"
#include "data/seen.h"

/*
 * Mistakes in training data, found before they cost a training run.  A lint
 * remembers hashes of records and where they stood, some 400 bytes each,
 * nothing else.
 */
enum peft_finding {
	PEFT_F_UNSUPERVISED,	/* no supervised token */
	PEFT_F_NOEND,		/* what is learnt has no end token at its end */
	PEFT_F_LONG,		/* longer than max_length */
	PEFT_F_DUPLICATE,	/* the same tokens as an earlier record */
	PEFT_F_NEAR,		/* nearly the words of an earlier record */
	PEFT_F_LEAK,		/* its prompt is in the test set, or nearly */
	PEFT_F_EMPTY,		/* an answer without content */
	PEFT_F_ORDER,		/* roles out of order */
	PEFT_F_ROLE,		/* none that the template tells apart */
	PEFT_F_SPECIAL,		/* special tokens spelt out in content */
	PEFT_F_UNKNOWN,		/* text that the vocabulary does not have */
	PEFT_F_DRIFT,		/* made with another tokenizer or template */
	PEFT_F_BAD,		/* cannot be read or encoded */
	PEFT_NFINDING
};
struct peft_finding_text {
	const char	*name;		/* in JSON */
	const char	*what;		/* a sentence without a full stop */
	const char	*hint;		/* what to do, or NULL */
};
extern const struct peft_finding_text peft_findings[PEFT_NFINDING];

/* What is seen of a record alone, in any thread. */
struct peft_look {
	bool			found[PEFT_NFINDING];
	size_t			message[PEFT_NFINDING];	/* from 1; 0: none */
	bool			counted;	/* it is a record */
	size_t			length;		/* the longer of a pair */
	size_t			tokens, supervised, unknown, straddled;
	uint64_t		ids, prompt;	/* hashes; 0: none */
	struct peft_sketch	sketch, asked;	/* of all, of these */
	/* and by its place: the record that it is like */
	size_t			like;		/* index from 0 */
};

struct peft_place {
	const char	*label;
	size_t		 line;
};

enum { PEFT_LINT_LENGTHS = 32 };

struct peft_lint {
	const struct peft_codec	*codec;
	size_t			 max_length;	/* 0: no limit */
	double			 near;		/* share; above 1: not wanted */
	struct peft_seen	 ids, test;
	struct peft_near	 sketches;
	struct peft_near	 asked;		/* by the test set */
	struct peft_place	*places;	/* of records, [records] */
	size_t			 cap;
	size_t			 count[PEFT_NFINDING];
	size_t			 records, tokens, supervised, unknown;
	size_t			 straddled;	/* answers that begin within a
						 * token */
	size_t			 longest, over;	/* tokens; past the limit */
	/* records of 2^i to 2^(i+1) - 1 tokens */
	size_t			 lengths[PEFT_LINT_LENGTHS];
};

/* Remember the prompts of a test set. */
int	peft_lint_test(struct peft_lint *, const cJSON *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Look at a record (j), and what it was encoded to (r; NULL if it could not
 * be).  A token record is its own r. */
void	peft_lint_look(const struct peft_lint *, const cJSON *j,
	    const struct peft_record *r, struct peft_look *);
/* A {"peft"} line of token records. */
int	peft_lint_info(const struct peft_lint *, const cJSON *,
	    struct peft_look *, struct peft_err *) PEFT_MUSTCHECK;
/* And what only the order of the records tells; counts the findings. */
int	peft_lint_add(struct peft_lint *, struct peft_look *,
	    const struct peft_place *, struct peft_err *) PEFT_MUSTCHECK;
size_t	peft_lint_total(const struct peft_lint *);
void	peft_lint_free(struct peft_lint *);

/* Findings of a record, a line each, as text or JSON; why: what is wrong
 * with a bad one, or NULL. */
void	peft_lint_put(struct peft_buf *, const struct peft_lint *,
	    const struct peft_look *, const struct peft_place *,
	    const char *why, bool json);
/* The sums. */
void	peft_lint_report(struct peft_buf *, const struct peft_lint *,
	    bool json);

#endif
