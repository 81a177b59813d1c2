/* SPDX-License-Identifier: Apache-2.0 */
/* From f32 to storage types: the tables. */

#include <math.h>
#include <string.h>

#include "base/half.h"
#include "quant/encode.h"
#include "quant/fast.h"
#include "quant/quant.h"

static void
e_f32(const float *x, size_t n, uint8_t *dst)
{
	memcpy(dst, x, n * sizeof(*x));
}

static peft_encoder *const encoders[PEFT_NDTYPE] = {
	[PEFT_F32] = e_f32,
	[PEFT_Q2_K] = peft_encode_q2_k, [PEFT_Q3_K] = peft_encode_q3_k,
	[PEFT_Q4_K] = peft_encode_q4_k, [PEFT_Q5_K] = peft_encode_q5_k,
	[PEFT_Q6_K] = peft_encode_q6_k,
	[PEFT_IQ4_NL] = peft_encode_iq4_nl,
	[PEFT_IQ4_XS] = peft_encode_iq4_xs,
	[PEFT_TQ1_0] = peft_encode_tq1_0, [PEFT_TQ2_0] = peft_encode_tq2_0,
};

static const struct peft_plain *
plain(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
	    ? &peft_plain_avx2 : &peft_plain_ref;
}

static peft_weigher *const weighers[PEFT_NDTYPE] = {
	[PEFT_Q4_0] = peft_weigh_q4_0, [PEFT_Q4_1] = peft_weigh_q4_1,
	[PEFT_Q5_0] = peft_weigh_q5_0, [PEFT_Q5_1] = peft_weigh_q5_1,
	[PEFT_Q2_K] = peft_weigh_q2_k, [PEFT_Q3_K] = peft_weigh_q3_k,
	[PEFT_Q4_K] = peft_weigh_q4_k, [PEFT_Q5_K] = peft_weigh_q5_k,
	[PEFT_Q6_K] = peft_weigh_q6_k,
	[PEFT_IQ4_NL] = peft_weigh_iq4_nl, [PEFT_IQ4_XS] = peft_weigh_iq4_xs,
};

static const struct {
	const struct peft_grid	*grid;		/* NULL: not such a type */
	peft_gridder		*encode;
	bool			 needs;		/* importances */
} gridders[PEFT_NDTYPE] = {
	[PEFT_IQ1_S] = { &peft_grid_iq1_s, peft_weigh_iq1_s, true },
	[PEFT_IQ1_M] = { &peft_grid_iq1_s, peft_weigh_iq1_m, false },
	[PEFT_IQ2_XXS] = { &peft_grid_iq2_xxs, peft_weigh_iq2_xxs, true },
	[PEFT_IQ2_XS] = { &peft_grid_iq2_xs, peft_weigh_iq2_xs, true },
	[PEFT_IQ2_S] = { &peft_grid_iq2_s, peft_weigh_iq2_s, false },
	[PEFT_IQ3_XXS] = { &peft_grid_iq3_xxs, peft_weigh_iq3_xxs, false },
	[PEFT_IQ3_S] = { &peft_grid_iq3_s, peft_weigh_iq3_s, false },
};

bool
peft_can_encode(enum peft_dtype t)
{
	return t == PEFT_F16 || t == PEFT_BF16 || peft_is_coded(t) ||
	    encoders[t] != NULL || peft_plain_ref.encode[t] != NULL ||
	    gridders[t].grid != NULL;
}

bool
peft_needs_importance(enum peft_dtype t)
{
	return gridders[t].needs;
}

/* What would become Inf, in a value or in a block's scale (an f16, but for
 * MXFP4, which has an exponent). */
static float
too_large(enum peft_dtype t)
{
	return t == PEFT_F32 || t == PEFT_MXFP4 ? INFINITY :
	    t == PEFT_BF16 ? 0x1.ffp127f : 65520;
}

bool
peft_can_weigh(enum peft_dtype t)
{
	return weighers[t] != NULL || gridders[t].grid != NULL;
}

/* What cannot be encoded, so far. */
struct unfit {
	size_t	bad, big;
};

static void
look(enum peft_dtype t, const float *src, size_t n, struct unfit *u)
{
	size_t bad, big;

	plain()->check(src, n, too_large(t), &bad, &big);
	u->bad += bad;
	u->big += big;
}

static int
refuse(enum peft_dtype t, const struct unfit *u, struct peft_err *err)
{
	if (u->bad > 0)
		return peft_setfail(err, PEFT_NUMERIC, "%zu values are not "
		    "finite", u->bad);
	if (u->big > 0)
		return peft_setfail(err, PEFT_NUMERIC, "%zu values are too "
		    "large for %s", u->big, peft_dtypes[t].name);
	return 0;
}

/* 16-bit floats are looked at while they are rounded: that is over as soon
 * as memory has been read. */
static int
narrow(enum peft_dtype t, const float *src, size_t n, void *dst,
    struct peft_err *err)
{
	const struct peft_fast *fast = peft_fast();
	struct unfit unfit = { 0, 0 };

	if (!(t == PEFT_F16 ? fast->f16 : fast->bf16)(src, n, too_large(t),
	    dst))
		return 0;
	look(t, src, n, &unfit);
	return refuse(t, &unfit, err);
}

/* Pieces are looked at, then encoded while they are in the first cache. */
int
peft_encode(enum peft_dtype t, const float *src, size_t n, void *dst,
    struct peft_err *err)
{
	enum { PIECE = 16 * PEFT_MAXBLOCK };
	const struct peft_dtype_info *info = &peft_dtypes[t];
	peft_encoder *encode = plain()->encode[t] != NULL ?
	    plain()->encode[t] : encoders[t];
	struct unfit unfit = { 0, 0 };
	size_t at, m;

	if (t == PEFT_F16 || t == PEFT_BF16)
		return narrow(t, src, n, dst, err);
	if (gridders[t].grid != NULL)
		return peft_encode_rows(t, src, 1, n, NULL, dst, err);
	for (at = 0; at < n; at += m) {
		m = n - at < PIECE ? n - at : PIECE;
		look(t, src + at, m, &unfit);
		if (encode != NULL && unfit.bad == 0 && unfit.big == 0)
			encode(src + at, m, (uint8_t *)dst + at /
			    info->block * info->bytes);
	}
	if (refuse(t, &unfit, err) == -1)
		return -1;
	return encode != NULL ? 0 : peft_seterr(err, "type %s is not made of "
	    "values alone", info->name);
}

static int
encode_grid(enum peft_dtype t, const float *src, size_t nrows, size_t cols,
    const float *importance, uint8_t *dst, struct peft_err *err)
{
	size_t bytes = cols / peft_dtypes[t].block * peft_dtypes[t].bytes, r;
	struct peft_lattice *l;
	int bad;

	if (gridders[t].needs && importance == NULL)
		return peft_seterr(err, "type %s needs an importance matrix",
		    peft_dtypes[t].name);
	if ((l = peft_lattice_open(gridders[t].grid, err)) == NULL)
		return -1;
	for (r = 0; r < nrows; r++)
		gridders[t].encode(l, src + r * cols, importance, cols, dst +
		    r * bytes);
	bad = peft_lattice_failed(l);
	peft_lattice_close(l);
	return bad ? peft_seterr(err, "no memory for points near codes") : 0;
}

int
peft_encode_rows(enum peft_dtype t, const float *src, size_t nrows,
    size_t cols, const float *importance, void *dst, struct peft_err *err)
{
	size_t bytes = cols / peft_dtypes[t].block * peft_dtypes[t].bytes, r;
	struct unfit unfit = { 0, 0 };

	if (gridders[t].grid == NULL && (importance == NULL ||
	    weighers[t] == NULL))
		return peft_encode(t, src, nrows * cols, dst, err);
	look(t, src, nrows * cols, &unfit);
	if (refuse(t, &unfit, err) == -1)
		return -1;
	if (gridders[t].grid != NULL)
		return encode_grid(t, src, nrows, cols, importance, dst, err);
	for (r = 0; r < nrows; r++)
		weighers[t](src + r * cols, importance, cols, (uint8_t *)dst +
		    r * bytes);
	return 0;
}
