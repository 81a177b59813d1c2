/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_EXPERTS_H
#define PEFT_MODEL_EXPERTS_H

#include "model/net-impl.h"

/* experts.c: y[T, D] = what the chosen experts make of x[T, D]. */
void	peft_experts(struct peft_run *, size_t layer, struct peft_saved *,
	    const float *x, float *y);
void	peft_experts_back(struct peft_run *, size_t layer,
	    struct peft_saved *, const float *x, float *dx, float *dy);
/* route.c: whom tokens visit, and dx += the gradient that comes that way. */
void	peft_route(struct peft_run *, const struct peft_layer *,
	    struct peft_visits *, const float *x);
void	peft_route_back(struct peft_run *, const struct peft_layer *,
	    const struct peft_visits *, const float *x, float *dx);
/* Visits of a micro-batch, and the layout of what they need (in layers
 * l .. end). */
void	peft_experts_saved(struct peft_run *, struct peft_saved *, size_t l,
	    size_t end);
void	peft_experts_work(struct peft_run *);

#endif
