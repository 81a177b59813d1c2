/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_BOTTLENECK_PASS_H
#define PEFT_PEFT_BOTTLENECK_PASS_H

#include "peft/bottleneck.h"

/* What the files that pass a bottleneck share. */

/* One call, and where its rows are: z what goes in, [T, D], in the call's x
 * or saved; a its norm; u [T, k] before the function, saved; the rest is
 * scratch: h [T, k] behind it, d its derivative, o what comes out, v with the
 * residual, dz, dr the gradients of z and the residual, g [T] the gates. */
struct peft_bn_pass {
	const struct peft_module *m;
	const struct peft_bn	*s;
	const struct peft_bn_dense	*st;
	const struct peft_hook_call *c;
	size_t			 D, k, T, ldz;
	const float		*z, *a;
	float			*u, *h, *d, *o, *v, *dv, *dz, *dr, *g, *dg;
};

struct peft_bn_pass peft_bn_pass_of(const struct peft_module *,
	    const struct peft_hook_call *);
/* a, h, d from z and u; u first if it is not there yet. */
void	peft_bn_inner(struct peft_bn_pass *, bool forward);
/* s (U h + u) or, unscaled, what is in the brackets, in o. */
void	peft_bn_outer(struct peft_bn_pass *, bool scaled);
/* Through the scale, U, the function and V: dz += the gradient of z; dv, that
 * of what the scale makes, is overwritten. */
void	peft_bn_inner_back(struct peft_bn_pass *);

#endif
