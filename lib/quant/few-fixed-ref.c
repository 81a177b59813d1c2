/* SPDX-License-Identifier: Apache-2.0 */
/* Few tokens by whole numbers (few-fixed.h) in plain C: what the other paths
 * are tested against, bit by bit. */

#include <math.h>
#include <string.h>

#include "quant/few-fixed.h"
#include "quant/quant.h"

enum { GROUP = 32 };

/* A type's block of some groups: code i of group g; the group's scale and
 * offset, or the scale of each half. */
struct kind {
	size_t	bytes, groups;
	int	(*code)(const uint8_t *block, size_t g, size_t i);
	void	(*scales)(const uint8_t *block, size_t g, float *d, float *m);
	enum { OFFSET = 1, HALVES } with;	/* m; d of each half */
};

static int
nibble(const uint8_t *b, size_t i)
{
	return i < 16 ? b[i] & 15 : b[i - 16] >> 4;
}

static int
code_q4_0(const uint8_t *block, size_t g, size_t i)
{
	(void)g;
	return nibble(block + 2, i) - 8;
}

static int
code_q4_1(const uint8_t *block, size_t g, size_t i)
{
	(void)g;
	return nibble(block + 4, i);
}

static int
code_q5_0(const uint8_t *block, size_t g, size_t i)
{
	(void)g;
	return (nibble(block + 6, i) | (block[2 + i / 8] >> i % 8 & 1) << 4) -
	    16;
}

static int
code_q5_1(const uint8_t *block, size_t g, size_t i)
{
	(void)g;
	return nibble(block + 8, i) | (block[4 + i / 8] >> i % 8 & 1) << 4;
}

static int
code_q8_0(const uint8_t *block, size_t g, size_t i)
{
	(void)g;
	return (int8_t)block[2 + i];
}

static int
code_q3_k(const uint8_t *block, size_t g, size_t i)
{
	return ((block[32 + g / 4 * 32 + i] >> g % 4 * 2 & 3) |
	    (block[i] >> g & 1) << 2) - 4;
}

static int
code_q4_k(const uint8_t *block, size_t g, size_t i)
{
	return block[16 + g / 2 * 32 + i] >> g % 2 * 4 & 15;
}

static int
code_q5_k(const uint8_t *block, size_t g, size_t i)
{
	return (block[48 + g / 2 * 32 + i] >> g % 2 * 4 & 15) |
	    (block[16 + i] >> g & 1) << 4;
}

static int
code_q6_k(const uint8_t *block, size_t g, size_t i)
{
	size_t half = g / 4, k = g % 4;

	return ((block[64 * half + k % 2 * 32 + i] >> k / 2 * 4 & 15) |
	    (block[128 + 32 * half + i] >> 2 * k & 3) << 4) - 32;
}

static const int8_t iq4_map[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
	1, 13, 25, 38, 53, 69, 89, 113 };
static const int8_t mxfp4_map[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3,
	-4, -6, -8, -12 };

static int
code_iq4_nl(const uint8_t *block, size_t g, size_t i)
{
	(void)g;
	return iq4_map[nibble(block + 2, i)];
}

static int
code_iq4_xs(const uint8_t *block, size_t g, size_t i)
{
	return iq4_map[nibble(block + 8 + 16 * g, i)];
}

static int
code_mxfp4(const uint8_t *block, size_t g, size_t i)
{
	(void)g;
	return mxfp4_map[nibble(block + 1, i)];
}

static void
scale(const uint8_t *block, size_t g, float *d, float *m)
{
	(void)g;
	*d = peft_half_f32(peft_load16(block));
	*m = 0;
}

static void
scale_offset(const uint8_t *block, size_t g, float *d, float *m)
{
	(void)g;
	*d = peft_half_f32(peft_load16(block));
	*m = peft_half_f32(peft_load16(block + 2));
}

/* Eight times six bits of each: four as they are, of four the upper two
 * beside these. */
static void
scale_k(const uint8_t *block, size_t g, float *d, float *m)
{
	const uint8_t *s = block + 4;
	int k, o;

	if (g < 4) {
		k = s[g] & 63;
		o = s[g + 4] & 63;
	} else {
		k = (s[g + 4] & 15) | (s[g - 4] >> 6) << 4;
		o = (s[g + 4] >> 4) | (s[g] >> 6) << 4;
	}
	*d = peft_half_f32(peft_load16(block)) * (float)k;
	*m = peft_half_f32(peft_load16(block + 2)) * (0 - (float)o);
}

/* Sixteen times six bits: four of eight and of eight beside these, then two of
 * four in turn. */
static int
scale_of_q3_k(const uint8_t *s, size_t i)
{
	return ((s[i % 8] >> i / 8 * 4 & 15) |
	    (s[8 + i % 4] >> i / 4 * 2 & 3) << 4) - 32;
}

static void
scale_q3_k(const uint8_t *block, size_t g, float *first, float *second)
{
	float d = peft_half_f32(peft_load16(block + 108));

	*first = d * (float)scale_of_q3_k(block + 96, 2 * g);
	*second = d * (float)scale_of_q3_k(block + 96, 2 * g + 1);
}

static void
scale_q6_k(const uint8_t *block, size_t g, float *first, float *second)
{
	const int8_t *scale = (const int8_t *)block + 192 + 2 * g;
	float d = peft_half_f32(peft_load16(block + 208));

	*first = d * scale[0];
	*second = d * scale[1];
}

static void
scale_iq4_xs(const uint8_t *block, size_t g, float *d, float *m)
{
	int s = (block[4 + g / 2] >> g % 2 * 4 & 15) |
	    (peft_load16(block + 2) >> 2 * g & 3) << 4;

	*d = peft_half_f32(peft_load16(block)) * (float)(s - 32);
	*m = 0;
}

/* 2^(e - 128), or what is subnormal of that. */
static void
scale_mxfp4(const uint8_t *block, size_t g, float *d, float *m)
{
	(void)g;
	*d = ldexpf(1, block[0] - 128);
	*m = 0;
}

static const struct kind kinds[PEFT_NDTYPE] = {
	[PEFT_Q4_0] = { 18, 1, code_q4_0, scale, 0 },
	[PEFT_Q4_1] = { 20, 1, code_q4_1, scale_offset, OFFSET },
	[PEFT_Q5_0] = { 22, 1, code_q5_0, scale, 0 },
	[PEFT_Q5_1] = { 24, 1, code_q5_1, scale_offset, OFFSET },
	[PEFT_Q8_0] = { 34, 1, code_q8_0, scale, 0 },
	[PEFT_Q3_K] = { 110, 8, code_q3_k, scale_q3_k, HALVES },
	[PEFT_Q4_K] = { 144, 8, code_q4_k, scale_k, OFFSET },
	[PEFT_Q5_K] = { 176, 8, code_q5_k, scale_k, OFFSET },
	[PEFT_Q6_K] = { 210, 8, code_q6_k, scale_q6_k, HALVES },
	[PEFT_IQ4_NL] = { 18, 1, code_iq4_nl, scale, 0 },
	[PEFT_IQ4_XS] = { 136, 8, code_iq4_xs, scale_iq4_xs, 0 },
	[PEFT_MXFP4] = { 17, 1, code_mxfp4, scale_mxfp4, 0 },
};

static unsigned
form(const struct peft_weight *w)
{
	return kinds[w->dtype].bytes > 0 && w->cols % GROUP == 0;
}

static size_t
most(const struct peft_weight *w)
{
	(void)w;
	return PEFT_FIXED_MANY;
}

/* Columns first .. first+n of a group: codes times X, to f32. */
static float
dot(const struct kind *k, const uint8_t *block, size_t g, size_t first,
    size_t n, const struct peft_fixed_piece *x, size_t T, size_t t, int bytes)
{
	size_t stride = peft_fixed_stride(T), i;
	int32_t sum[3] = { 0, 0, 0 };
	int b;

	for (b = 0; b < bytes; b++)
		for (i = first; i < first + n; i++)
			sum[b] += k->code(block, g, i) * x->bytes[((8 *
			    (size_t)b + i / 4) * stride + t) * 4 + i % 4];
	if (bytes == 1)
		return (float)sum[0];
	if (bytes == 2)
		return (float)(sum[0] * 256 + sum[1]);
	return fmaf((float)(sum[0] * 256 + sum[1]), 256, (float)sum[2]);
}

/* A group of a row times token t of a piece's T, added to y. */
static float
add(const struct kind *k, const uint8_t *block, size_t g,
    const struct peft_fixed_piece *x, size_t T, size_t t, int bytes, float y)
{
	float d, m, s = x->scale[t];

	k->scales(block, g, &d, &m);
	if (k->with == HALVES) {
		y = fmaf(d, dot(k, block, g, 0, 16, x, T, t, bytes) * s, y);
		return fmaf(m, dot(k, block, g, 16, 16, x, T, t, bytes) * s,
		    y);
	}
	y = fmaf(d, dot(k, block, g, 0, GROUP, x, T, t, bytes) * s, y);
	return k->with == OFFSET ? fmaf(m, x->sums[t], y) : y;
}

static float
product(const struct peft_few *f, size_t row, size_t t)
{
	const struct kind *k = &kinds[f->w->dtype];
	size_t groups = f->w->cols / GROUP, g, at = t % PEFT_FIXED_TOKENS;
	size_t first = t - at, T = f->T - first;
	const struct peft_fixed_piece *x = f->pieces + first /
	    PEFT_FIXED_TOKENS * groups;
	const uint8_t *block = (const uint8_t *)f->w->data + row * groups /
	    k->groups * k->bytes;
	float y = 0;

	T = T < PEFT_FIXED_TOKENS ? T : PEFT_FIXED_TOKENS;
	for (g = 0; g < groups; g++, x++) {
		if (g > 0 && g % k->groups == 0)
			block += k->bytes;
		y = add(k, block, g % k->groups, x, T, at, f->bytes, y);
	}
	return y;
}

static void
rows(const struct peft_few *f)
{
	size_t t, r;

	for (t = 0; t < f->T; t++)
		for (r = 0; r < f->n; r++)
			f->y[t * f->ldy + r] = product(f, f->row + r, t);
}

static void
split_token(const float *x, size_t T, size_t t, int bytes,
    struct peft_fixed_piece *p)
{
	size_t stride = peft_fixed_stride(T), i;
	const int32_t middle = 0x808080 >> (24 - 8 * bytes);
	float most = 0, by;
	bool finite = true;
	int32_t X, all = 0;
	int b;

	for (i = 0; i < GROUP; i++) {
		finite = finite && isfinite(x[i]);
		most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
	}
	by = peft_fixed_times(most, bytes);
	/* each byte of X + middle is 128 more than that of X */
	for (i = 0; i < GROUP; i++) {
		X = finite ? (int32_t)lrintf(x[i] * by) : 0;
		all += X;
		for (b = 0; b < bytes; b++)
			p->bytes[((8 * (size_t)b + i / 4) * stride + t) * 4 +
			    i % 4] = (int8_t)(((X + middle) >> 8 * (bytes - 1 -
			    b) & 255) - 128);
	}
	p->scale[t] = finite ? 1 / by : NAN;
	p->sums[t] = p->scale[t] * (float)all;
}

static void
split(const float *x, size_t ldx, size_t T, int bytes, unsigned forms,
    struct peft_fixed_piece *p)
{
	size_t t;

	(void)forms;
	for (t = 0; t < T; t++)
		split_token(x + t * ldx, T, t, bytes, p);
}

const struct peft_few_fixed peft_few_fixed_ref = { form, most, split, rows };
