/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_FISHER_H
#define PEFT_EVAL_FISHER_H

#include <stddef.h>

#include "base/err.h"
#include "quant/fidelity.h"

/*
 * How much what a model says over some tokens depends on each weight: the
 * diagonal of the Fisher information.  At each position the next token is
 * drawn from the model's own prediction, and its loss has a gradient; the sum
 * of their squares is the curvature of the Kullback-Leibler divergence from
 * the model as it is, half of which that rises by per squared error.  With x
 * the inputs of a linear layer and dy the gradients of its outputs, an error D
 * of its weight has the sum over tokens of (dy . D x)^2.  Taken apart (as
 * Martens and Grosse 2015 do), that is a sum over rows i of D, of dy_i^2 and
 * (D_i . x)^2; the latter by a few sums of all x with random signs, each token
 * by the length of its dy, whose products are those of the inputs on average.
 * A forward pass to draw, one forward and one backward; memory for a number a
 * row and PEFT_SKETCH a column.
 */
struct peft_fisher {
	struct peft_sensitivity *at;	/* [n], in the source's order: in nats
					 * a position */
	size_t	 n;
	double	*rows;			/* what they point to */
	float	*sketches;
	size_t	 tokens;		/* that were predicted */
	double	 loss;			/* of what was drawn: the entropy */
};

/* tokens: records (of tokens, or chats if there is a tokenizer).  All of their
 * tokens count, supervised or not: the model has to read prompts, too.
 * Weights that are no linear layer
 * and not the head get the median of those that are. */
int	peft_fisher(const char *model, const char *tokens, int threads,
	    struct peft_fisher *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_fisher_free(struct peft_fisher *);

#endif
