/* SPDX-License-Identifier: Apache-2.0 */
/* Few tokens by whole numbers (few-fixed.h) in plain C: what the other paths
 * are tested against, bit by bit. */

#include <math.h>
#include <string.h>

#include "quant/few-fixed.h"
#include "quant/quant.h"

enum { GROUP = 32 };

/* A type's block of some groups: code i of group g; the group's scale and
 * offset. */
struct kind {
	size_t	bytes, groups;
	int	(*code)(const uint8_t *block, size_t g, size_t i);
	void	(*scales)(const uint8_t *block, size_t g, float *d, float *m);
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
code_q8_0(const uint8_t *block, size_t g, size_t i)
{
	(void)g;
	return (int8_t)block[2 + i];
}

static int
code_q4_k(const uint8_t *block, size_t g, size_t i)
{
	return block[16 + g / 2 * 32 + i] >> g % 2 * 4 & 15;
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

static const struct kind kinds[PEFT_NDTYPE] = {
	[PEFT_Q4_0] = { 18, 1, code_q4_0, scale },
	[PEFT_Q4_1] = { 20, 1, code_q4_1, scale_offset },
	[PEFT_Q8_0] = { 34, 1, code_q8_0, scale },
	[PEFT_Q4_K] = { 144, 8, code_q4_k, scale_k },
};

static unsigned
form(const struct peft_weight *w)
{
	return kinds[w->dtype].bytes > 0 && w->cols % GROUP == 0;
}

/* The codes of a group times each of the bytes of a token. */
static void
dots(const struct kind *k, const uint8_t *block, size_t g,
    const struct peft_fixed_piece *x, size_t T, size_t t, int32_t sum[3])
{
	size_t b, i;

	for (b = 0; b < 3; b++)
		for (sum[b] = 0, i = 0; i < GROUP; i++)
			sum[b] += k->code(block, g, i) *
			    x->bytes[(b * T + t) * GROUP + i];
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
	int32_t sum[3];
	float y = 0, v, d, m;

	T = T < PEFT_FIXED_TOKENS ? T : PEFT_FIXED_TOKENS;
	for (g = 0; g < groups; g++, x++) {
		size_t in = g % k->groups;

		if (g > 0 && in == 0)
			block += k->bytes;
		dots(k, block, in, x, T, at, sum);
		k->scales(block, in, &d, &m);
		v = fmaf((float)(sum[0] * 256 + sum[1]), 256, (float)sum[2]);
		y = fmaf(d, v * x->scale[at], y);
		if (k->scales != scale)
			y = fmaf(m, x->sums[at], y);
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
split_token(const float *x, size_t T, size_t t, struct peft_fixed_piece *p)
{
	float most = 0, by;
	bool finite = true;
	int32_t whole, u;
	size_t i, b;

	for (i = 0; i < GROUP; i++) {
		finite = finite && isfinite(x[i]);
		most = fabsf(x[i]) > most ? fabsf(x[i]) : most;
	}
	by = peft_fixed_power(most);
	for (b = 0; b < 3; b++)
		p->whole[b][t] = 0;
	/* each byte of X + 0x808080 is 128 more than that of X */
	for (i = 0; i < GROUP; i++) {
		u = 0x808080 + (finite ? (int32_t)lrintf(x[i] * by) : 0);
		for (b = 0; b < 3; b++) {
			whole = (u >> (16 - 8 * b) & 255) - 128;
			p->bytes[(b * T + t) * GROUP + i] = (int8_t)whole;
			p->whole[b][t] += whole;
		}
	}
	p->scale[t] = finite ? 1 / by : NAN;
	p->sums[t] = p->scale[t] * (float)(p->whole[0][t] * 65536 +
	    p->whole[1][t] * 256 + p->whole[2][t]);
}

static void
split(const float *x, size_t ldx, size_t T, unsigned forms,
    struct peft_fixed_piece *p)
{
	size_t t;

	(void)forms;
	for (t = 0; t < T; t++)
		split_token(x + t * ldx, T, t, p);
}

const struct peft_few_fixed peft_few_fixed_ref = { form, split, rows,
    PEFT_FIXED_MANY };
