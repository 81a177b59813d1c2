/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_FISHER_H
#define PEFT_EVAL_FISHER_H

#include <stddef.h>

#include "base/err.h"
#include "quant/fidelity.h"

/*
 * How much the loss over some tokens depends on each weight: the diagonal of
 * the empirical Fisher information, which is the expected curvature where the
 * model has learnt, so that half of it is what the loss rises by per squared
 * error.  With x the inputs of a linear layer and dy the gradients of its
 * outputs, that of weight (i, j) is the sum over tokens of dy_i^2 x_j^2.  Kept
 * are its sums over rows and over columns, and the matrix is taken to be their
 * product over the sum of all (as Shazeer and Stern 2018 do for Adafactor).
 * One forward and one backward pass; memory for a number a row and a column.
 */
struct peft_fisher {
	struct peft_sensitivity *at;	/* [n], in the source's order: in nats
					 * per token */
	size_t	 n;
	double	*values;		/* what they point to */
	size_t	 tokens;		/* that were predicted */
	double	 loss;
};

/* tokens: records (of tokens, or chats if there is a tokenizer).  All of their
 * tokens count, supervised or not: the model has to read prompts, too.
 * Weights that are no linear layer
 * and not the head get the median of those that are. */
int	peft_fisher(const char *model, const char *tokens, int threads,
	    struct peft_fisher *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_fisher_free(struct peft_fisher *);

#endif
