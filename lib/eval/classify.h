/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_CLASSIFY_H
#define PEFT_EVAL_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "data/tokens.h"
#include "eval/score.h"
#include "eval/session.h"

/*
 * Heads for classes: what they tell of records, and how good that is.
 *
 * A head is looked at in places: of a sequence at its last token, of words at
 * the first token of each.
 */
struct peft_told {
	size_t	 n;		/* places */
	size_t	*at;		/* [n] their tokens */
	float	*out;		/* [n, labels] */
};
void	peft_told_free(struct peft_told *, size_t n);
/* told[n], zeroed by the caller, freed also after an error. */
int	peft_tell(struct peft_session *, int adapter,
	    const struct peft_record *, size_t n, struct peft_told *told,
	    struct peft_err *) PEFT_MUSTCHECK;

/* One place: the class of the largest output (of values: 0) and its
 * probability; out[] become probabilities (values stay). */
size_t	peft_told_class(const struct peft_labels *, float *out, double *p);

/*
 * Sums over records whose labels were applied (data/labels.h).  A class's
 * precision is the share of right ones among those told, its recall the share
 * of right ones among those there are, F1 their harmonic mean; macro F1 is
 * the mean over the classes that there are or that were told (as sklearn's
 * f1_score), micro F1 that of all classes together.
 */
struct peft_tally {
	const struct peft_labels *labels;
	size_t	*right, *told, *there;	/* [labels] */
	size_t	*confused;	/* [labels, labels] there, told; NULL: not
				 * counted (any may hold, or too many) */
	size_t	 records, places, correct;
	double	 loss, error;	/* sums; error: |out - value| */
};
int	peft_tally_open(struct peft_tally *, const struct peft_labels *,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_tally_free(struct peft_tally *);
/* Add a record to it, and its result line to b unless NULL. */
void	peft_tally_add(struct peft_tally *, const char *system, size_t number,
	    const struct peft_record *, const struct peft_told *,
	    struct peft_buf *);
struct peft_summary peft_tally_summary(const struct peft_tally *);
/* The summary line, with figures of each class and what is confused most; the
 * same as a table for people. */
void	peft_tally_put(struct peft_buf *, const char *system,
	    const struct peft_tally *);
void	peft_tally_table(struct peft_buf *, const char *system,
	    const struct peft_tally *);

/* Records from streams (none: standard input), in their own shape with what
 * the first adapter's head, or the model's own, tells of them: "label" and
 * "probability" (of words "labels" and "probabilities"). */
struct peft_out;
int	peft_predict(struct peft_session *, char *const *paths, size_t npaths,
	    struct peft_out *, struct peft_err *) PEFT_MUSTCHECK;

#endif
