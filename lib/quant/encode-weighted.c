/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks made with an importance matrix, as by ggml's quantize_row_*_impl:
 * what a distance weighs is the importance of its column times the size of
 * the value, softened by that of its neighbours; and the groups' scales are
 * themselves fitted, by what their groups weigh.
 */

#include <math.h>
#include <string.h>

#include "quant/encode.h"

enum { GROUPS = 16 };		/* of a block of 256, at most */

static float
squares(const float *x, size_t n)
{
	float sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		sum += x[i] * x[i];
	return sum;
}

void
peft_weights(const float *x, const float *w, size_t n, float square,
    float *dst)
{
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = w[i] * sqrtf(square + x[i] * x[i]);
}

/* What each group weighs. */
static void
sums(const float w[256], size_t n, float *sum)
{
	size_t j, i;

	for (j = 0; j < 256 / n; j++)
		for (sum[j] = 0, i = 0; i < n; i++)
			sum[j] += w[j * n + i];
}

/* A block of 256: codes, and scales and offsets of its groups as codes of
 * their own, whose scales are put into *d and *dmin. */
static void
fit_block(const struct peft_fit *f, const float *x, const float w[256],
    int most, uint8_t q[256], uint8_t *s, uint8_t *m, float *d, float *dmin)
{
	float scale[GROUPS], offset[GROUPS], sum[GROUPS];
	size_t j, n = 256 / f->n;

	for (j = 0; j < n; j += 8)
		peft_fits()->offset(f, x + j * f->n, w + j * f->n,
		    q + j * f->n, scale + j, offset + j);
	sums(w, f->n, sum);
	*d = peft_fit_above(scale, sum, n, most, s);
	*dmin = peft_fit_above(offset, sum, n, most, m);
}

void
peft_weigh_q2_k(const float *x, const float *w, size_t n, uint8_t *b)
{
	static const struct peft_fit f = { 16, 3, -0.9f, 0.05f, 36, false };
	float own[256], d, m;
	uint8_t q[256], s[GROUPS], o[GROUPS];
	size_t j;

	for (; n > 0; n -= 256, x += 256, w += 256, b += 84) {
		peft_weights(x, w, 256, squares(x, 256) / 256, own);
		fit_block(&f, x, own, 15, q, s, o, &d, &m);
		d = peft_put_half(b + 80, d);
		m = peft_put_half(b + 82, m);
		for (j = 0; j < 16; j++) {
			b[j] = (uint8_t)(s[j] | o[j] << 4);
			peft_fits()->again(x + 16 * j, 16, d * (float)(b[j] &
			    15), m * (float)(b[j] >> 4), 0, 3, 0, q + 16 * j);
		}
		peft_pack2(q, b + 16);
	}
}

void
peft_weigh_q3_k(const float *x, const float *w, size_t n, uint8_t *b)
{
	float own[256], scale[GROUPS], sum[GROUPS], d;
	uint8_t q[256], s[GROUPS];
	size_t j;

	for (; n > 0; n -= 256, x += 256, w += 256, b += 110) {
		peft_weights(x, w, 256, 2 * squares(x, 256) / 256, own);
		for (j = 0; j < 256; j += 128)
			peft_fits()->centred(x + j, own + j, 16, 4, q + j,
			    scale + j / 16);
		sums(own, 16, sum);
		d = peft_put_half(b + 108, peft_fit_centred(scale, sum, 16,
		    32, s));
		for (j = 0; j < 16; j++)
			peft_fits()->again(x + 16 * j, 16, d * (float)(s[j] -
			    32), 0, -4, 3, 4, q + 16 * j);
		peft_pack_scales3(s, b + 96);
		peft_pack1(q, 2, b);
		peft_pack2(q, b + 32);
	}
}

/* Eight 6-bit scales and offsets as they are read back. */
static void
unpack_scales4(const uint8_t b[12], uint8_t s[8], uint8_t m[8])
{
	size_t j;

	for (j = 0; j < 4; j++) {
		s[j] = b[j] & 63;
		m[j] = b[j + 4] & 63;
		s[j + 4] = (uint8_t)((b[j + 8] & 15) | b[j] >> 6 << 4);
		m[j + 4] = (uint8_t)(b[j + 8] >> 4 | b[j + 4] >> 6 << 4);
	}
}

/* What Q4_K and Q5_K have in common. */
static void
eight_groups(const struct peft_fit *f, const float *x, const float *w,
    int limit, uint8_t *b, uint8_t q[256])
{
	float own[256], d, dmin;
	uint8_t s[8], m[8];
	size_t j;

	peft_weights(x, w, 256, 2 * squares(x, 256) / 256, own);
	fit_block(f, x, own, 63, q, s, m, &d, &dmin);
	for (j = 0; j < 8; j++) {
		s[j] = s[j] < limit ? s[j] : (uint8_t)limit;
		m[j] = m[j] < limit ? m[j] : (uint8_t)limit;
	}
	d = peft_put_half(b, d);
	dmin = peft_put_half(b + 2, dmin);
	/* a code that wrapped around runs into its neighbour's bits */
	peft_pack_scales4(s, m, b + 4);
	unpack_scales4(b + 4, s, m);
	for (j = 0; j < 8; j++)
		peft_fits()->again(x + 32 * j, 32, d * (float)s[j], dmin *
		    (float)m[j], 0, f->most, 0, q + 32 * j);
}

void
peft_weigh_q4_k(const float *x, const float *w, size_t n, uint8_t *b)
{
	static const struct peft_fit f = { 32, 15, -0.9f, 0.05f, 36, false };
	uint8_t q[256];

	for (; n > 0; n -= 256, x += 256, w += 256, b += 144) {
		eight_groups(&f, x, w, 255, b, q);
		peft_pack4(q, b + 16);
	}
}

void
peft_weigh_q5_k(const float *x, const float *w, size_t n, uint8_t *b)
{
	static const struct peft_fit f = { 32, 31, -0.9f, 0.05f, 36, false };
	uint8_t q[256];

	for (; n > 0; n -= 256, x += 256, w += 256, b += 176) {
		eight_groups(&f, x, w, 63, b, q);
		peft_pack1(q, 4, b + 16);
		peft_pack4(q, b + 48);
	}
}

/* Of a row's blocks of 32: as many as are fitted at a time, their weights by
 * the mean square of the whole row. */
struct eight {
	float	x[256], w[256];
	uint8_t	q[256];
	float	scale[8], offset[8];
	size_t	n;
};

static void
take_eight(struct eight *e, const float *x, const float *w, size_t n,
    float square)
{
	e->n = n < 256 ? n : 256;
	memcpy(e->x, x, e->n * sizeof(*x));
	peft_weights(x, w, e->n, square, e->w);
	memset(e->x + e->n, 0, (256 - e->n) * sizeof(*x));
	memset(e->w + e->n, 0, (256 - e->n) * sizeof(*x));
}

static void
around_zero(const float *x, const float *w, size_t n, int most, uint8_t *b)
{
	float square = squares(x, n) / (float)n;
	struct eight e;
	size_t i, j;

	for (i = 0; i < n; i += 256) {
		take_eight(&e, x + i, w + i, n - i, square);
		peft_fits()->centred(e.x, e.w, 32, most, e.q, e.scale);
		for (j = 0; j < e.n / 32; j++) {
			peft_put_half(b, e.scale[j]);
			b += 2;
			if (most == 16) {
				peft_pack_fifth(e.q + 32 * j, b);
				b += 4;
			}
			peft_pack_nibbles(e.q + 32 * j, b);
			b += 16;
		}
	}
}

static void
with_offset(const float *x, const float *w, size_t n, int most, uint8_t *b)
{
	const struct peft_fit f = { 32, most, -0.9f, 0.05f, 36, false };
	float square = squares(x, n) / (float)n;
	struct eight e;
	size_t i, j;

	for (i = 0; i < n; i += 256) {
		take_eight(&e, x + i, w + i, n - i, square);
		peft_fits()->offset(&f, e.x, e.w, e.q, e.scale, e.offset);
		for (j = 0; j < e.n / 32; j++) {
			peft_put_half(b, e.scale[j]);
			peft_put_half(b + 2, -e.offset[j]);
			b += 4;
			if (most == 31) {
				peft_pack_fifth(e.q + 32 * j, b);
				b += 4;
			}
			peft_pack_nibbles(e.q + 32 * j, b);
			b += 16;
		}
	}
}

void
peft_weigh_q4_0(const float *x, const float *w, size_t n, uint8_t *b)
{
	around_zero(x, w, n, 8, b);
}

void
peft_weigh_q5_0(const float *x, const float *w, size_t n, uint8_t *b)
{
	around_zero(x, w, n, 16, b);
}

void
peft_weigh_q4_1(const float *x, const float *w, size_t n, uint8_t *b)
{
	with_offset(x, w, n, 15, b);
}

void
peft_weigh_q5_1(const float *x, const float *w, size_t n, uint8_t *b)
{
	with_offset(x, w, n, 31, b);
}
