/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_FISHER_IMPL_H
#define PEFT_EVAL_FISHER_IMPL_H

#include "base/rng.h"
#include "data/tokens.h"
#include "eval/fisher.h"
#include "model/net.h"

/* Labels of one record, and what they are drawn with. */
struct peft_draws {
	int32_t		*labels;	/* [longest] */
	size_t		*rows, tile;	/* [tile] */
	float		*logits;	/* [tile, vocab] */
	size_t		 vocab, record;
	struct peft_rng	 rng;
};

/* Room for records of at most `longest' tokens. */
int	peft_draws_open(struct peft_draws *, size_t vocab, size_t longest,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_draws_free(struct peft_draws *);
/* labels[1..n) of the next record: what the model itself would go on with at
 * each position.  Hooks see nothing of it. */
int	peft_draws_record(struct peft_draws *, struct peft_run *,
	    const struct peft_record *, struct peft_err *) PEFT_MUSTCHECK;

#endif
