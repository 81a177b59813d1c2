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

#endif
