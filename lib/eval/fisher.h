/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_FISHER_H
#define PEFT_EVAL_FISHER_H

#include <stddef.h>

#include "base/err.h"
#include "quant/fidelity.h"

/*
 * How much the loss over some tokens depends on each weight: the diagonal of
 * the empirical Fisher information, in factors.  With x the inputs of a linear
 * layer and dy the gradients of its outputs, the squared gradient of weight
 * (i, j), summed over tokens, is about sum dy_i^2 * sum x_j^2 / tokens; half
 * of that is what the loss rises by per squared error, the information being
 * the expected curvature where the model has learnt.  One forward and one
 * backward pass over the tokens; memory for one number a row and a column.
 */
struct peft_fisher {
	struct peft_sensitivity *at;	/* [n], in the source's order: in nats
					 * per supervised token */
	size_t	 n;
	double	*values;		/* what they point to */
	size_t	 tokens;		/* supervised */
	double	 loss;
};

/* tokens: records (of tokens, or chats if there is a tokenizer); of a record
 * that supervises nothing, all tokens count.  Weights that are no linear layer
 * and not the head get the median of those that are. */
int	peft_fisher(const char *model, const char *tokens, int threads,
	    struct peft_fisher *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_fisher_free(struct peft_fisher *);

#endif
