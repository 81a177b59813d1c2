/* SPDX-License-Identifier: Apache-2.0 */
/* From f32 to storage types: the table, plain floats and ggml's simple blocks,
 * by the rules of ggml's quantize_row_*_ref. */

#include <math.h>
#include <string.h>

#include "quant/encode.h"
#include "quant/fast.h"
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
	peft_fast()->f16(x, n, dst);
}

static void
e_bf16(const float *x, size_t n, uint8_t *dst)
{
	peft_fast()->bf16(x, n, dst);
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

/* Low nibbles side by side, and the fifth bits of a block as one word. */
static void
pack5(const uint8_t q[32], uint8_t *high, uint8_t *low)
{
	uint32_t h = 0;
	size_t j;

	for (j = 0; j < 16; j++) {
		low[j] = (uint8_t)((q[j] & 15) | (q[j + 16] & 15) << 4);
		h |= (uint32_t)(q[j] >> 4 & 1) << j;
		h |= (uint32_t)(q[j + 16] >> 4 & 1) << (j + 16);
	}
	for (j = 0; j < 4; j++)
		high[j] = (uint8_t)(h >> 8 * j);
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
		pack5(q, b + 2, b + 6);
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
		pack5(q, b + 4, b + 8);
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

bool
peft_can_encode(enum peft_dtype t)
{
	return peft_is_coded(t) || encoders[t] != NULL;
}

/* What would become Inf, in a value or in a block's scale (an f16, but for
 * MXFP4, which has an exponent). */
static float
too_large(enum peft_dtype t)
{
	return t == PEFT_F32 || t == PEFT_MXFP4 ? INFINITY :
	    t == PEFT_BF16 ? 0x1.ffp127f : 65520;
}

int
peft_encode(enum peft_dtype t, const float *src, size_t n, void *dst,
    struct peft_err *err)
{
	const float limit = too_large(t);
	size_t i, big = 0, bad = 0;

	if (encoders[t] == NULL)
		return peft_seterr(err, "type %s is not made of values alone",
		    peft_dtypes[t].name);
	if (peft_fast()->most(src, n) < limit) {
		encoders[t](src, n, dst);
		return 0;
	}
	for (i = 0; i < n; i++) {
		bad += !isfinite(src[i]);
		big += fabsf(src[i]) >= limit;
	}
	if (bad > 0)
		return peft_setfail(err, PEFT_NUMERIC, "%zu values are not "
		    "finite", bad);
	return peft_setfail(err, PEFT_NUMERIC, "%zu values are too large for "
	    "%s", big, peft_dtypes[t].name);
}
