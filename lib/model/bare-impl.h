/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_BARE_IMPL_H
#define PEFT_MODEL_BARE_IMPL_H

#include "model/net-impl.h"

/*
 * bare.c: where nobody looks at a matrix but products in bf16, and adapters
 * that take it so, it is written rounded, by rows as peft_product_halves()
 * says, in what was room for floats.
 */

/* Do linears have nothing but what is beside their weights? */
bool	peft_are_bare(struct peft_run *, const struct peft_linear *, size_t n);
/* How far apart rows of n are, if T of them have room where there was that
 * for so many floats; or 0. */
size_t	peft_halves_fit(const struct peft_run *, size_t n);
/* May what a norm makes be halves? */
bool	peft_takes_halves(const struct peft_run *, const struct peft_normal *);
/* What a norm makes of x, for linears that are bare, in run->normed (and by
 * way of run->tmp); NULL: not so. */
const uint16_t *peft_normed_halves(struct peft_run *,
	    const struct peft_normal *, const float *x);
/* The same of the input of a layer's queries, keys and values, or NULL. */
const uint16_t *peft_queries_halves(struct peft_run *, size_t layer,
	    const float *x);

#endif
