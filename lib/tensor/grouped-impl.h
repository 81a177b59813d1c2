/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_GROUPED_IMPL_H
#define PEFT_TENSOR_GROUPED_IMPL_H

#include "tensor/source-impl.h"

/*
 * Weights with scales for groups of elements, known by the names of their
 * parts (M is the module, all belongs to the weight M.weight):
 *
 * GPTQ			M.qweight M.qzeros M.scales M.g_idx
 * AWQ			M.qweight M.qzeros M.scales
 * compressed-tensors	M.weight_packed M.weight_scale M.weight_zero_point
 *			M.weight_shape M.weight_g_idx; or M.weight (I8, F8)
 * FP8			M.weight M.weight_scale or M.weight_scale_inv
 * MXFP4		NAME_blocks NAME_scales: the weight NAME, or, of
 *			gpt-oss, weights (source-experts.c)
 */

/* source-packed.c: data is a raw tensor BASE.qweight or BASE.weight_packed. */
int	peft_grouped_qweight(struct peft_source *, const char *base,
	    struct peft_whole *, struct peft_err *) PEFT_MUSTCHECK;
int	peft_grouped_packed(struct peft_source *, const char *base,
	    struct peft_whole *, struct peft_err *) PEFT_MUSTCHECK;

/* source-grouped.c, for these. */

/* Take the part BASE.SUFFIX, or NULL. */
const struct peft_raw *peft_grouped_part(const struct peft_source *,
	    struct peft_whole *, enum peft_part, const char *base,
	    const char *suffix);
int	peft_grouped_missing(const char *base, const char *suffix,
	    struct peft_err *);				/* -1 */
/* MXFP4's codes, the data, and their exponents: are they such? */
int	peft_grouped_mx(const struct peft_source *, const char *base,
	    struct peft_whole *, struct peft_err *) PEFT_MUSTCHECK;
/* Scales of activations, which weights do without. */
void	peft_grouped_inputs(struct peft_source *, struct peft_whole *,
	    const char *base);
/* The type of scales, and through it what the weight may have been. */
int	peft_grouped_scale_type(struct peft_whole *, const struct peft_raw *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* w is rows x cols codes of `bits', with columns in groups (0: the row). */
int	peft_grouped_codes(struct peft_whole *, size_t rows, size_t cols,
	    unsigned bits, size_t group, struct peft_err *) PEFT_MUSTCHECK;
/* The blocks that scales of that shape are for, by one of the schemes; one
 * scale, and one a row, need none. */
int	peft_grouped_blocks(const struct peft_source *, struct peft_whole *,
	    unsigned bits, const struct peft_raw *scale, struct peft_err *)
	    PEFT_MUSTCHECK;

static inline size_t
peft_up(size_t n, size_t by)
{
	return n / by + (n % by != 0);
}

#endif
