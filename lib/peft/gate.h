/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_GATE_H
#define PEFT_PEFT_GATE_H

#include "peft/adapter.h"

/*
 * UniPELT's gate (Mao et al. 2022), as the adapters library has it: one number
 * a sequence, the mean over its tokens of sigmoid(w x + b).  It looks at the
 * whole sequence that is computed at once, also at what comes later.
 */
struct peft_gate {
	const struct peft_param	*w, *b;	/* [outs, in], [outs] */
	size_t			 out;	/* which of them */
};

/* g [T] = the number of each row's sequence. */
void	peft_gate(const struct peft_gate *, const struct peft_hook_call *,
	    const float *x, size_t ldx, float *g);
/* dg [T]: what each row adds to the gradient of its sequence's number
 * (changed).  The parameters' gradients +=, and dx += unless NULL. */
void	peft_gate_back(const struct peft_gate *,
	    const struct peft_hook_call *, const float *x, size_t ldx,
	    float *dg, float *dx, size_t lddx);

#endif
