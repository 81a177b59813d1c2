/* SPDX-License-Identifier: Apache-2.0 */
/* From f32 to storage types: the table, plain floats and ggml's simple blocks,
 * by the rules of ggml's quantize_row_*_ref. */

#include <math.h>
#include <string.h>

#include "quant/encode.h"
#include "quant/half.h"
#include "quant/quant.h"

static void
e_f32(const float *x, size_t n, uint8_t *dst)
{
	memcpy(dst, x, n * sizeof(*x));
}

static void
e_f16(const float *x, size_t n, uint8_t *dst)
{
	size_t i;

	for (i = 0; i < n; i++)
		peft_store16(dst + 2 * i, peft_f32_to_f16(x[i]));
}

static void
e_bf16(const float *x, size_t n, uint8_t *dst)
{
	size_t i;

	for (i = 0; i < n; i++)
		peft_store16(dst + 2 * i, peft_f32_to_bf16(x[i]));
}

/* The value of largest magnitude, with its sign; the first of equals. */
static float
signed_max(const float *x, size_t n)
{
	float amax = 0, max = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (fabsf(x[i]) > amax) {
			amax = fabsf(x[i]);
			max = x[i];
		}
	return max;
}

static void
min_max(const float *x, size_t n, float *min, float *max)
{
	size_t i;

	*min = *max = x[0];
	for (i = 1; i < n; i++) {
		*min = x[i] < *min ? x[i] : *min;
		*max = x[i] > *max ? x[i] : *max;
	}
}

/* v, which is not negative, towards zero.  The inverse of a denormal scale is
 * infinite; the code is zero then. */
static uint8_t
at_most(float v, int most)
{
	int q = fabsf(v) < 256 ? (int)v : 0;

	return (uint8_t)(q < most ? q : most);
}

static void
e_q4_0(const float *x, size_t n, uint8_t *b)
{
	size_t j;

	for (; n > 0; n -= 32, x += 32, b += 18) {
		float d = signed_max(x, 32) / -8, id = d != 0 ? 1 / d : 0;

		peft_store16(b, peft_f32_to_f16(d));
		for (j = 0; j < 16; j++)
			b[2 + j] = (uint8_t)(at_most(x[j] * id + 8.5f, 15) |
			    at_most(x[j + 16] * id + 8.5f, 15) << 4);
	}
}

static void
e_q4_1(const float *x, size_t n, uint8_t *b)
{
	float min, max;
	size_t j;

	for (; n > 0; n -= 32, x += 32, b += 20) {
		float d, id;

		min_max(x, 32, &min, &max);
		d = (max - min) / 15;
		id = d != 0 ? 1 / d : 0;
		peft_store16(b, peft_f32_to_f16(d));
		peft_store16(b + 2, peft_f32_to_f16(min));
		for (j = 0; j < 16; j++)
			b[4 + j] = (uint8_t)(at_most((x[j] - min) * id + 0.5f,
			    15) | at_most((x[j + 16] - min) * id + 0.5f,
			    15) << 4);
	}
}

static void
e_q5_0(const float *x, size_t n, uint8_t *b)
{
	uint8_t q[32];
	size_t j;

	for (; n > 0; n -= 32, x += 32, b += 22) {
		float d = signed_max(x, 32) / -16, id = d != 0 ? 1 / d : 0;

		peft_store16(b, peft_f32_to_f16(d));
		for (j = 0; j < 32; j++)
			q[j] = at_most(x[j] * id + 16.5f, 31);
		peft_pack_fifth(q, b + 2);
		peft_pack_nibbles(q, b + 6);
	}
}

static void
e_q5_1(const float *x, size_t n, uint8_t *b)
{
	uint8_t q[32];
	float min, max;
	size_t j;

	for (; n > 0; n -= 32, x += 32, b += 24) {
		float d, id;

		min_max(x, 32, &min, &max);
		d = (max - min) / 31;
		id = d != 0 ? 1 / d : 0;
		peft_store16(b, peft_f32_to_f16(d));
		peft_store16(b + 2, peft_f32_to_f16(min));
		for (j = 0; j < 32; j++)
			q[j] = at_most((x[j] - min) * id + 0.5f, 31);
		peft_pack_fifth(q, b + 4);
		peft_pack_nibbles(q, b + 8);
	}
}

static void
e_q8_0(const float *x, size_t n, uint8_t *b)
{
	size_t j;

	for (; n > 0; n -= 32, x += 32, b += 34) {
		float d = fabsf(signed_max(x, 32)) / 127;
		float id = d != 0 ? 1 / d : 0;

		peft_store16(b, peft_f32_to_f16(d));
		for (j = 0; j < 32; j++) {
			float q = roundf(x[j] * id);

			b[2 + j] = fabsf(q) < 128 ? (uint8_t)(int8_t)q : 0;
		}
	}
}

static peft_encoder *const encoders[PEFT_NDTYPE] = {
	[PEFT_F32] = e_f32, [PEFT_F16] = e_f16, [PEFT_BF16] = e_bf16,
	[PEFT_Q4_0] = e_q4_0, [PEFT_Q4_1] = e_q4_1, [PEFT_Q5_0] = e_q5_0,
	[PEFT_Q5_1] = e_q5_1, [PEFT_Q8_0] = e_q8_0,
	[PEFT_Q2_K] = peft_encode_q2_k, [PEFT_Q3_K] = peft_encode_q3_k,
	[PEFT_Q4_K] = peft_encode_q4_k, [PEFT_Q5_K] = peft_encode_q5_k,
	[PEFT_Q6_K] = peft_encode_q6_k,
	[PEFT_IQ4_NL] = peft_encode_iq4_nl,
	[PEFT_IQ4_XS] = peft_encode_iq4_xs,
	[PEFT_MXFP4] = peft_encode_mxfp4,
	[PEFT_TQ1_0] = peft_encode_tq1_0, [PEFT_TQ2_0] = peft_encode_tq2_0,
};

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
	return t == PEFT_NF4 || t == PEFT_FP4 || encoders[t] != NULL ||
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

static int
check(enum peft_dtype t, const float *src, size_t n, struct peft_err *err)
{
	const float limit = too_large(t);
	size_t i, big = 0, bad = 0;

	for (i = 0; i < n; i++) {
		bad += !isfinite(src[i]);
		big += fabsf(src[i]) >= limit;
	}
	if (bad > 0)
		return peft_setfail(err, PEFT_NUMERIC, "%zu values are not "
		    "finite", bad);
	if (big > 0)
		return peft_setfail(err, PEFT_NUMERIC, "%zu values are too "
		    "large for %s", big, peft_dtypes[t].name);
	return 0;
}

int
peft_encode(enum peft_dtype t, const float *src, size_t n, void *dst,
    struct peft_err *err)
{
	if (gridders[t].grid != NULL)
		return peft_encode_rows(t, src, 1, n, NULL, dst, err);
	if (check(t, src, n, err) == -1)
		return -1;
	encoders[t](src, n, dst);
	return 0;
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

	if (gridders[t].grid == NULL && (importance == NULL ||
	    weighers[t] == NULL))
		return peft_encode(t, src, nrows * cols, dst, err);
	if (check(t, src, nrows * cols, err) == -1)
		return -1;
	if (gridders[t].grid != NULL)
		return encode_grid(t, src, nrows, cols, importance, dst, err);
	for (r = 0; r < nrows; r++)
		weighers[t](src + r * cols, importance, cols, (uint8_t *)dst +
		    r * bytes);
	return 0;
}
