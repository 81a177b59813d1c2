/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_THIN_H
#define PEFT_PEFT_THIN_H

#include <stdbool.h>
#include <stddef.h>

#include "peft/method.h"

/*
 * The products of adapters of low rank at a linear (struct peft_thin): h = x
 * A^T, y += s h B^T, and their gradients; in the compute type of the cpu.  h
 * [T, r] is kept in the call's `saved'.  Scratch is the beginning of the
 * call's, T tokens.  What the call brings as `hidden' is not computed.
 */

/* May the model compute h and dh with the weight's product? */
bool	peft_thin_beside(const struct peft_hook_call *,
	    const struct peft_thin *);

/* Floats of scratch, for the module's site and rank. */
size_t	peft_thin_scratch(const struct peft_module *, size_t T);

void	peft_thin_forward(const struct peft_hook_call *,
	    const struct peft_thin *, const float *x, size_t ldx, float *y,
	    size_t ldy);
/* Backward, in this order.  dh = s dy B, at the beginning of scratch, unless it
 * is hidden: */
void	peft_thin_hidden(const struct peft_hook_call *,
	    const struct peft_thin *, const float *dy, size_t lddy);
/* da += dh^T x, db += s dy^T h */
void	peft_thin_gradients(const struct peft_hook_call *,
	    const struct peft_thin *, const float *x, size_t ldx,
	    const float *dy, size_t lddy, float *da, float *db);
/* dx (+)= dh A */
void	peft_thin_input(const struct peft_hook_call *,
	    const struct peft_thin *, bool add, float *dx, size_t lddx);

#endif
