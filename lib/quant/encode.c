/* SPDX-License-Identifier: Apache-2.0 */
/* From f32 to storage types: plain floats and ggml's simple blocks, by the
 * rules of ggml's quantize_row_*_ref. */

#include <math.h>
#include <string.h>

#include "quant/half.h"
#include "quant/quant.h"

static void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

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
		put16(dst + 2 * i, peft_f32_to_f16(x[i]));
}

static void
e_bf16(const float *x, size_t n, uint8_t *dst)
{
	size_t i;

	for (i = 0; i < n; i++)
		put16(dst + 2 * i, peft_f32_to_bf16(x[i]));
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

static uint8_t
at_most(float v, int most)
{
	int q = (int)v;

	return (uint8_t)(q < most ? q : most);
}

static void
e_q4_0(const float *x, size_t n, uint8_t *b)
{
	size_t j;

	for (; n > 0; n -= 32, x += 32, b += 18) {
		float d = signed_max(x, 32) / -8, id = d != 0 ? 1 / d : 0;

		put16(b, peft_f32_to_f16(d));
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
		put16(b, peft_f32_to_f16(d));
		put16(b + 2, peft_f32_to_f16(min));
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

		put16(b, peft_f32_to_f16(d));
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
		put16(b, peft_f32_to_f16(d));
		put16(b + 2, peft_f32_to_f16(min));
		for (j = 0; j < 32; j++)
			q[j] = (uint8_t)((x[j] - min) * id + 0.5f);
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

		put16(b, peft_f32_to_f16(d));
		for (j = 0; j < 32; j++)
			b[2 + j] = (uint8_t)(int8_t)roundf(x[j] * id);
	}
}

static void (*const encoders[PEFT_NDTYPE])(const float *, size_t,
    uint8_t *) = {
	[PEFT_F32] = e_f32, [PEFT_F16] = e_f16, [PEFT_BF16] = e_bf16,
	[PEFT_Q4_0] = e_q4_0, [PEFT_Q4_1] = e_q4_1, [PEFT_Q5_0] = e_q5_0,
	[PEFT_Q5_1] = e_q5_1, [PEFT_Q8_0] = e_q8_0,
};

bool
peft_can_encode(enum peft_dtype t)
{
	return t == PEFT_NF4 || t == PEFT_FP4 || encoders[t] != NULL;
}

/* What would become Inf, in a value or in a block's scale (an f16). */
static float
too_large(enum peft_dtype t)
{
	return t == PEFT_F32 ? INFINITY : t == PEFT_BF16 ? 0x1.ffp127f : 65520;
}

int
peft_encode(enum peft_dtype t, const float *src, size_t n, void *dst,
    struct peft_err *err)
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
	encoders[t](src, n, dst);
	return 0;
}
