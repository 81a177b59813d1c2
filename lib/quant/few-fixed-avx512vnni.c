/* SPDX-License-Identifier: Apache-2.0 */
/* Few tokens by whole numbers for the path "avx512vnni" (flags: Makefile). */

#include "quant/few-fixed.inc"

static void
split(const float *x, size_t ldx, size_t T, unsigned forms,
    struct peft_fixed_piece *p)
{
	(void)forms;
	split_tokens(x, ldx, T, p);
}

static some_fn *
kernel_for(enum peft_dtype type, size_t T)
{
	(void)T;
	return some_kernels[type];
}

static unsigned
form(const struct peft_weight *w)
{
	return takes(w) ? 1 : 0;
}

const struct peft_few_fixed peft_few_fixed_avx512vnni = { form, split, rows };
