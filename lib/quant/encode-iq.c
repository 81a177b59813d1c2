/* SPDX-License-Identifier: Apache-2.0 */
/* ggml's types whose codes are not evenly spaced (IQ4, MXFP4) or three
 * (TQ).  Layouts: see decode.inc. */

#include <math.h>
#include <string.h>

#include "quant/encode.h"
#include "quant/quant.h"

static const int8_t levels[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
	1, 13, 25, 38, 53, 69, 89, 113 };

/* The nearest level; of two, the upper one. */
static uint8_t
nearest_level(float v)
{
	size_t i = 0, step;

	for (step = 8; step > 0; step /= 2)
		if (v + v >= (float)(levels[i + step - 1] + levels[i + step]))
			i += step;
	return (uint8_t)i;
}

static void
level_sums(const float x[32], const float w[32], float inverse, float *sxl,
    float *sll)
{
	size_t i;

	*sxl = *sll = 0;
	for (i = 0; i < 32; i++) {
		float l = (float)levels[nearest_level(inverse * x[i])];

		*sxl += w[i] * l * x[i];
		*sll += w[i] * l * l;
	}
}

/* The scale of 32 values, by trying the largest of them at the first level
 * and at what is up to seven around it. */
static float
fit_levels(const float x[32], const float w[32])
{
	float amax = 0, max = 0, scale, best, sxl, sll;
	size_t i;
	int step;

	for (i = 0; i < 32; i++)
		if (fabsf(x[i]) > amax) {
			amax = fabsf(x[i]);
			max = x[i];
		}
	if (amax < PEFT_FIT_ZERO)
		return 0;
	level_sums(x, w, 1 / (-max / (float)levels[0]), &sxl, &sll);
	scale = sll > 0 ? sxl / sll : 0;
	best = scale * sxl;
	for (step = -7; step <= 7; step++) {
		level_sums(x, w, (float)(step + levels[0]) / max, &sxl, &sll);
		if (sll > 0 && sxl * sxl > best * sll) {
			scale = sxl / sll;
			best = scale * sxl;
		}
	}
	return scale;
}

/* What the distances of a block's n values weigh; w is their importance, or
 * NULL. */
static void
weigh(const float *x, const float *w, size_t n, float *own)
{
	float square = 0;
	size_t i;

	for (i = 0; i < n; i++)
		own[i] = x[i] * x[i];
	if (w == NULL)
		return;
	for (i = 0; i < n; i++)
		square += own[i];
	peft_weights(x, w, n, square * (2 / (float)n), own);
}

static void
put_levels(const float x[32], float scale, uint8_t b[16])
{
	float inverse = scale != 0 ? 1 / scale : 0;
	size_t j;

	for (j = 0; j < 16; j++)
		b[j] = (uint8_t)(nearest_level(inverse * x[j]) |
		    nearest_level(inverse * x[j + 16]) << 4);
}

static void
iq4_nl(const float *x, const float *w, uint8_t *b)
{
	float own[32], d;

	weigh(x, w, 32, own);
	d = fit_levels(x, own);
	peft_store16(b, peft_f32_to_f16(d));
	put_levels(x, d, b + 2);
}

void
peft_encode_iq4_nl(const float *x, size_t n, uint8_t *b)
{
	for (; n > 0; n -= 32, x += 32, b += 18)
		iq4_nl(x, NULL, b);
}

void
peft_weigh_iq4_nl(const float *x, const float *w, size_t n, uint8_t *b)
{
	for (; n > 0; n -= 32, x += 32, w += 32, b += 18)
		iq4_nl(x, w, b);
}

/* Eight groups' scales are 6-bit multiples of -max/32. */
static void
iq4_xs(const float *x, const float *w, uint8_t *b)
{
	float own[256], scale[8], max = 0, d, inverse;
	unsigned high = 0;
	size_t g;

	weigh(x, w, 256, own);
	for (g = 0; g < 8; g++) {
		scale[g] = fit_levels(x + 32 * g, own + 32 * g);
		if (fabsf(scale[g]) > fabsf(max))
			max = scale[g];
	}
	d = -max / 32;
	inverse = d != 0 ? 1 / d : 0;
	peft_store16(b, peft_f32_to_f16(d));
	memset(b + 4, 0, 4);
	for (g = 0; g < 8; g++) {
		int l = peft_clamp(peft_nearest(inverse * scale[g]), -32, 31);

		put_levels(x + 32 * g, d * (float)l, b + 8 + 16 * g);
		b[4 + g / 2] |= (uint8_t)(((l + 32) & 15) << 4 * (g % 2));
		high |= (unsigned)(l + 32) >> 4 << 2 * g;
	}
	peft_store16(b + 2, (uint16_t)high);
}

void
peft_encode_iq4_xs(const float *x, size_t n, uint8_t *b)
{
	for (; n > 0; n -= 256, x += 256, b += 136)
		iq4_xs(x, NULL, b);
}

void
peft_weigh_iq4_xs(const float *x, const float *w, size_t n, uint8_t *b)
{
	for (; n > 0; n -= 256, x += 256, w += 256, b += 136)
		iq4_xs(x, w, b);
}

/* The largest magnitude of 256, and its inverse, 0 where there is none. */
static float
widest(const float *x, float *inverse)
{
	float amax = 0;
	size_t j;

	for (j = 0; j < 256; j++)
		amax = fabsf(x[j]) > amax ? fabsf(x[j]) : amax;
	*inverse = amax > 0x1p-128f ? 1 / amax : 0;
	return amax;
}

static unsigned
trit(float v)
{
	return (unsigned)((int)roundf(v) + 1);
}

/* Five trits of values `apart' from each other as a fraction of 243 in 256,
 * rounded up: multiplied by 3 again and again, they come out at the top. */
static uint8_t
five_trits(const float *x, size_t count, size_t apart, float inverse)
{
	unsigned q = 0;
	size_t i;

	for (i = 0; i < 5; i++)
		q = q * 3 + (i < count ? trit(x[i * apart] * inverse) : 0);
	return (uint8_t)((q * 256 + 242) / 243);
}

void
peft_encode_tq1_0(const float *x, size_t n, uint8_t *b)
{
	float inverse;
	size_t j;

	for (; n > 0; n -= 256, x += 256, b += 54) {
		peft_store16(b + 52, peft_f32_to_f16(widest(x, &inverse)));
		for (j = 0; j < 32; j++)
			b[j] = five_trits(x + j, 5, 32, inverse);
		for (j = 0; j < 16; j++)
			b[32 + j] = five_trits(x + 160 + j, 5, 16, inverse);
		for (j = 0; j < 4; j++)
			b[48 + j] = five_trits(x + 240 + j, 4, 4, inverse);
	}
}

void
peft_encode_tq2_0(const float *x, size_t n, uint8_t *b)
{
	float inverse;
	size_t j;

	for (; n > 0; n -= 256, x += 256, b += 66) {
		peft_store16(b + 64, peft_f32_to_f16(widest(x, &inverse)));
		memset(b, 0, 64);
		for (j = 0; j < 256; j++)
			b[j / 128 * 32 + j % 32] |= (uint8_t)(trit(x[j] *
			    inverse) << 2 * (j / 32 % 4));
	}
}
