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

static void
rows(const struct peft_few *f)
{
	size_t t, T;

	for (t = 0; t < f->T; t += T) {
		T = f->T - t < PEFT_FIXED_TOKENS ? f->T - t :
		    PEFT_FIXED_TOKENS;
		some_kernels[f->w->dtype](f, t, T);
	}
}

static unsigned
form(const struct peft_weight *w)
{
	return takes(w) ? 1 : 0;
}

const struct peft_few_fixed peft_few_fixed_avx512vnni = { form, split, rows,
    PEFT_FEW_TOKENS };
