/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_BRANCH_IMPL_H
#define PEFT_MODEL_BRANCH_IMPL_H

#include "model/net-impl.h"

/* What a branch's last product reads: floats, or (bare-impl.h) halves. */
struct peft_branch_in {
	const float	*x;
	size_t		 ldx;
	const uint16_t	*halves;
};

/* y = x + scale * b, where b is a branch's last product, or, if the family
 * norms it, its norm; then it is kept as it was. */
void	peft_branch(struct peft_run *, size_t layer, int which,
	    struct peft_saved *, const struct peft_branch_in *, float *y,
	    const float *x);
/* The same in two steps: where the product is to be, and the rest. */
float	*peft_branch_end(const struct peft_run *, size_t layer, int which,
	    const struct peft_saved *);
void	peft_branch_join(struct peft_run *, size_t layer, int which,
	    struct peft_saved *, float *y, const float *x);

#endif
