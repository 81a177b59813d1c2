/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_EXPERTS_IMPL_H
#define PEFT_MODEL_EXPERTS_IMPL_H

#include "model/net-impl.h"

/* experts.c: y[T, D] = what the chosen experts make of x[T, D]. */
void	peft_experts(struct peft_run *, size_t layer, struct peft_saved *,
	    const float *x, float *y);
void	peft_experts_back(struct peft_run *, size_t layer,
	    struct peft_saved *, const float *x, float *dx, float *dy);
/* Visits of a micro-batch, and the layout of what they need. */
void	peft_experts_saved(struct peft_run *, struct peft_saved *);
void	peft_experts_work(struct peft_run *);

/* experts-route.c: who visits whom, from x[T, D]. */
void	peft_experts_route(struct peft_run *, const struct peft_layer *,
	    struct peft_visits *, const float *x);

/* Products with weights of experts, on the clock of run->net->cpu. */
void	peft_experts_multiply(struct peft_run *, const float *x, size_t ldx,
	    size_t n, const struct peft_product *, size_t np);
void	peft_experts_multiply_back(struct peft_run *, float *dx, size_t ldx,
	    size_t n, const struct peft_product *, size_t np, bool more);

#endif
