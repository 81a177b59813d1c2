/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_LAYERNORM_H
#define PEFT_PEFT_LAYERNORM_H

#include "peft/adapter.h"

/*
 * torch.nn.LayerNorm (Ba et al. 2016; eps 1e-5) of an adapter's own, with
 * w [n] and b [n]; over T rows.  y may be x.
 */
void	peft_layernorm(const struct peft_param *w, const struct peft_param *b,
	    const float *x, size_t ldx, float *y, size_t ldy, size_t T);
/* dx = the gradient (dx may be dy); those of w and b are added to, where
 * they are trained. */
void	peft_layernorm_back(const struct peft_param *w,
	    const struct peft_param *b, const float *x, size_t ldx,
	    const float *dy, float *dx, size_t T);

#endif
