/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_PRODUCT_IMPL_H
#define PEFT_QUANT_PRODUCT_IMPL_H

/* For product.c and product-few.c only. */

#include "math/vec.h"
#include "quant/expand.h"
#include "quant/product.h"

enum { PEFT_FEWTOKENS = 32 };	/* for these panels do not pay */

struct peft_products {
	struct peft_cpu			*cpu;
	struct peft_expander		 e;
	const struct peft_product	*p;
	size_t				 np, T, ldx, lddx;
	const float			*x;
	float				*dx, *scratch;
	bool				 add;
	/* rows of the left-hand side, rounded: a product's follow those of
	 * the one before; NULL: used where they are, in f32 */
	void				*left;
	/* how the output is cut: panels in all, tasks down, rows of a task */
	size_t				 panels, down, m;
};

/* Floats of scratch a thread needs. */
size_t	peft_product_stride(void);
/* y_i = x W_i^T for a few tokens. */
void	peft_product_few(const struct peft_products *);
size_t	peft_product_few_stride(void);

#endif
