/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ggml's K types: blocks of 256 in groups of 16 or 32, with the groups'
 * scales quantised as well.  First each group is fitted by itself; then the
 * codes are chosen anew for the scales as they are stored.  Layouts: see
 * decode.inc.
 */

#include <math.h>
#include <string.h>

#include "quant/encode.h"
#include "quant/quant.h"

/* Scales and offsets of the groups of a block, and the largest of each. */
struct groups {
	float	scale[16], offset[16];
	float	most_scale, most_offset;
};

static void
fit_groups(const struct peft_fit *f, const float *x, uint8_t *q,
    struct groups *g)
{
	size_t j;

	g->most_scale = g->most_offset = 0;
	for (j = 0; j < 256 / f->n; j += 8)
		peft_fits()->offset(f, x + j * f->n, NULL, q + j * f->n,
		    g->scale + j, g->offset + j);
	for (j = 0; j < 256 / f->n; j++) {
		if (g->scale[j] > g->most_scale)
			g->most_scale = g->scale[j];
		if (g->offset[j] > g->most_offset)
			g->most_offset = g->offset[j];
	}
}

void
peft_encode_q2_k(const float *x, size_t n, uint8_t *b)
{
	static const struct peft_fit f = { 16, 3, -0.5f, 0.1f, 15, true };
	struct groups g;
	uint8_t q[256];
	float d, m;
	size_t j;

	for (; n > 0; n -= 256, x += 256, b += 84) {
		fit_groups(&f, x, q, &g);
		d = g.most_scale > 0 ? 15 / g.most_scale : 0;
		m = g.most_offset > 0 ? 15 / g.most_offset : 0;
		for (j = 0; j < 16; j++)
			b[j] = (uint8_t)(peft_nearest(d * g.scale[j]) |
			    peft_nearest(m * g.offset[j]) * 16);
		d = peft_put_half(b + 80, g.most_scale / 15);
		m = peft_put_half(b + 82, g.most_offset / 15);
		for (j = 0; j < 16; j++)
			peft_fits()->again(x + 16 * j, 16, d * (float)(b[j] &
			    15), m * (float)(b[j] >> 4), 0, 3, 0, q + 16 * j);
		peft_pack2(q, b + 16);
	}
}

/* The scale of largest magnitude; the first of equals. */
static float
largest_scale(const float s[16])
{
	float max = 0;
	size_t j;

	for (j = 0; j < 16; j++)
		if (fabsf(s[j]) > fabsf(max))
			max = s[j];
	return max;
}

void
peft_encode_q3_k(const float *x, size_t n, uint8_t *b)
{
	float scale[16], max, inverse, d;
	uint8_t q[256], s[16];
	size_t j;

	for (; n > 0; n -= 256, x += 256, b += 110) {
		peft_fits()->coded(x, q, scale);
		max = largest_scale(scale);
		inverse = max != 0 ? -32 / max : 0;
		d = peft_put_half(b + 108, max != 0 ? 1 / inverse : 0);
		for (j = 0; j < 16; j++) {
			int l = peft_clamp(peft_nearest(inverse * scale[j]),
			    -32, 31);

			/* of nothing but zeros the scales' bits are zero */
			s[j] = (uint8_t)(max != 0 ? l + 32 : 0);
			peft_fits()->again(x + 16 * j, 16, d * (float)(s[j] -
			    32), 0, -4, 3, 4, q + 16 * j);
		}
		peft_pack_scales3(s, b + 96);
		peft_pack1(q, 2, b);
		peft_pack2(q, b + 32);
	}
}

/* What Q4_K and Q5_K have in common: 16 bytes of scales, and codes. */
static void
eight_groups(const struct peft_fit *f, const float *x, uint8_t *b,
    uint8_t q[256])
{
	struct groups g;
	uint8_t s[8], m[8];
	float d, dmin;
	size_t j;

	fit_groups(f, x, q, &g);
	d = g.most_scale > 0 ? 63 / g.most_scale : 0;
	dmin = g.most_offset > 0 ? 63 / g.most_offset : 0;
	for (j = 0; j < 8; j++) {
		/* what is negative wraps, to the largest */
		s[j] = (uint8_t)peft_nearest(d * g.scale[j]);
		m[j] = (uint8_t)peft_nearest(dmin * g.offset[j]);
		s[j] = s[j] < 63 ? s[j] : 63;
		m[j] = m[j] < 63 ? m[j] : 63;
	}
	d = peft_put_half(b, g.most_scale / 63);
	dmin = peft_put_half(b + 2, g.most_offset / 63);
	peft_pack_scales4(s, m, b + 4);
	for (j = 0; j < 8; j++)
		peft_fits()->again(x + 32 * j, 32, d * (float)s[j], dmin *
		    (float)m[j], 0, f->most, 0, q + 32 * j);
}

void
peft_encode_q4_k(const float *x, size_t n, uint8_t *b)
{
	static const struct peft_fit f = { 32, 15, -1, 0.1f, 20, false };
	uint8_t q[256];

	for (; n > 0; n -= 256, x += 256, b += 144) {
		eight_groups(&f, x, b, q);
		peft_pack4(q, b + 16);
	}
}

void
peft_encode_q5_k(const float *x, size_t n, uint8_t *b)
{
	static const struct peft_fit f = { 32, 31, -0.5f, 0.1f, 15,
	    false };
	uint8_t q[256];

	for (; n > 0; n -= 256, x += 256, b += 176) {
		eight_groups(&f, x, b, q);
		peft_pack1(q, 4, b + 16);
		peft_pack4(q, b + 48);
	}
}

/* The only K type whose weights are the importance as it is, or NULL. */
static void
q6_k(const float *x, const float *w, uint8_t *b)
{
	float scale[16], max, inverse, d;
	uint8_t q[256];
	size_t j;

	for (j = 0; j < 256; j += 128)
		peft_fits()->centred(x + j, w == NULL ? NULL : w + j, 16, 32,
		    q + j, scale + j / 16);
	max = largest_scale(scale);
	memset(b, 0, 210);
	if (fabsf(max) < PEFT_FIT_ZERO)
		return;
	inverse = -128 / max;
	d = peft_put_half(b + 208, 1 / inverse);
	for (j = 0; j < 16; j++) {
		int l = peft_nearest(inverse * scale[j]);

		l = l < 127 ? l : 127;
		b[192 + j] = (uint8_t)l;
		peft_fits()->again(x + 16 * j, 16, d * (float)(int8_t)l, 0,
		    -32, 31, 32, q + 16 * j);
	}
	peft_pack6(q, b, b + 128);
}

void
peft_encode_q6_k(const float *x, size_t n, uint8_t *b)
{
	for (; n > 0; n -= 256, x += 256, b += 210)
		q6_k(x, NULL, b);
}

void
peft_weigh_q6_k(const float *x, const float *w, size_t n, uint8_t *b)
{
	for (; n > 0; n -= 256, x += 256, w += 256, b += 210)
		q6_k(x, w, b);
}
