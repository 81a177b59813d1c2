/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_PRODUCT_H
#define PEFT_QUANT_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

#include "math/cpu.h"
#include "tensor/weight.h"

/*
 * Products with a frozen weight in whatever type it is stored: the one hot
 * place of training and generation.  The weight is expanded to f32 panel by
 * panel into per-thread scratch and used for all T tokens at once; f32
 * weights are used where they lie.
 */
struct peft_product {
	const struct peft_weight *w;	/* [rows, cols] */
	float	*y;			/* [T, rows], row stride ldy */
	size_t	 ldy;
};

/* Floats of scratch that products with weights up to rows x cols need, for
 * all threads of the cpu together. */
size_t	peft_product_scratch(const struct peft_cpu *, size_t rows, size_t cols);

/* y_i = x W_i^T for i < np, all from the same x [T, cols], in one go. */
void	peft_product_forward(struct peft_cpu *, const float *x, size_t ldx,
	    size_t T, const struct peft_product *, size_t np, float *scratch);
/* dx [T, cols] = sum over i of y_i W_i (y_i holds the gradient of the
 * output); added to what is there if `add'. */
void	peft_product_backward(struct peft_cpu *, float *dx, size_t ldx,
	    size_t T, const struct peft_product *, size_t np, bool add,
	    float *scratch);

#endif
