/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_BESIDE_IMPL_H
#define PEFT_MODEL_BESIDE_IMPL_H

#include "model/net-impl.h"

enum { PEFT_SHARING = 3 };	/* most linears that share an input */

/* The products of linears, and of the adapters beside them. */
struct peft_beside {
	struct peft_product	 p[2 * PEFT_SHARING];
	size_t			 n, linears;	/* the first are these */
	struct peft_weight	 a[PEFT_SHARING];
	float			*hidden[PEFT_SHARING];	/* h or dh of each;
							 * NULL: it is not
							 * among these */
};

void	peft_beside_forward(struct peft_run *, struct peft_beside *,
	    const struct peft_linear *, float *const *saved, const float *x,
	    size_t ldx, const struct peft_product *, size_t n);
/* Computes the dh, in run->dhidden. */
void	peft_beside_backward(struct peft_run *, struct peft_beside *,
	    const struct peft_linear *, float *const *saved, const float *x,
	    size_t ldx, const struct peft_product *dy, size_t n);
/* Floats a row of run->dhidden. */
size_t	peft_beside_width(const struct peft_run *);

#endif
