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

/* Stores v as f16; returns it as it is read back. */
static float
put_half(uint8_t *p, float v)
{
	uint16_t h = peft_f32_to_f16(v);

	peft_store16(p, h);
	return peft_half_f32(h);
}

static const struct peft_fits *
fits(void)
{
	return __builtin_cpu_supports("avx2") ? &peft_fits_avx2 :
	    &peft_fits_ref;
}

static void
fit_groups(const struct peft_fit *f, const float *x, uint8_t *q,
    struct groups *g)
{
	size_t j;

	g->most_scale = g->most_offset = 0;
	for (j = 0; j < 256 / f->n; j += 8)
		fits()->offset(f, x + j * f->n, q + j * f->n, g->scale + j,
		    g->offset + j);
	for (j = 0; j < 256 / f->n; j++) {
		if (g->scale[j] > g->most_scale)
			g->most_scale = g->scale[j];
		if (g->offset[j] > g->most_offset)
			g->most_offset = g->offset[j];
	}
}

/* A scale of zero leaves the codes as they were fitted. */
static void
again_above(const struct peft_fit *f, const float *x, float scale,
    float offset, uint8_t *q)
{
	size_t i;

	for (i = 0; scale != 0 && i < f->n; i++)
		q[i] = (uint8_t)peft_clamp(peft_nearest((x[i] + offset) /
		    scale), 0, f->most);
}

static void
again_signed(const float x[16], float scale, int most, uint8_t q[16])
{
	size_t i;

	for (i = 0; scale != 0 && i < 16; i++)
		q[i] = (uint8_t)(peft_clamp(peft_nearest(x[i] / scale), -most,
		    most - 1) + most);
}

/* The low two bits of 256 codes: four to a byte, 32 apart. */
static void
pack2(const uint8_t q[256], uint8_t b[64])
{
	size_t i;

	memset(b, 0, 64);
	for (i = 0; i < 256; i++)
		b[i / 128 * 32 + i % 32] |= (uint8_t)((q[i] & 3) <<
		    2 * (i / 32 % 4));
}

void
peft_encode_q2_k(const float *x, size_t n, uint8_t *b)
{
	static const struct peft_fit f = { 16, 3, -0.5f, 15, true };
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
		d = put_half(b + 80, g.most_scale / 15);
		m = put_half(b + 82, g.most_offset / 15);
		for (j = 0; j < 16; j++)
			again_above(&f, x + 16 * j, d * (float)(b[j] & 15),
			    m * (float)(b[j] >> 4), q + 16 * j);
		pack2(q, b + 16);
	}
}

/* Sixteen 6-bit scales in 12 bytes: low nibbles, then the upper bits. */
static void
pack_scales3(const uint8_t s[16], uint8_t b[12])
{
	size_t j;

	memset(b, 0, 12);
	for (j = 0; j < 16; j++) {
		b[j % 8] |= (uint8_t)((s[j] & 15) << 4 * (j / 8));
		b[8 + j % 4] |= (uint8_t)(s[j] >> 4 << 2 * (j / 4));
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
		for (j = 0; j < 16; j++)
			scale[j] = peft_fit_codes(x + 16 * j, q + 16 * j);
		max = largest_scale(scale);
		inverse = max != 0 ? -32 / max : 0;
		d = put_half(b + 108, max != 0 ? 1 / inverse : 0);
		for (j = 0; j < 16; j++) {
			int l = peft_clamp(peft_nearest(inverse * scale[j]),
			    -32, 31);

			/* of nothing but zeros the scales' bits are zero */
			s[j] = (uint8_t)(max != 0 ? l + 32 : 0);
			again_signed(x + 16 * j, d * (float)(s[j] - 32), 4,
			    q + 16 * j);
		}
		pack_scales3(s, b + 96);
		memset(b, 0, 32);
		for (j = 0; j < 256; j++)
			b[j % 32] |= (uint8_t)(q[j] >> 2 << j / 32);
		pack2(q, b + 32);
	}
}

/* Eight 6-bit scales and offsets in 12 bytes: the last four of each are cut,
 * their upper bits are above the first four. */
static void
pack_scales4(const uint8_t s[8], const uint8_t m[8], uint8_t b[12])
{
	size_t j;

	for (j = 0; j < 4; j++) {
		b[j] = (uint8_t)(s[j] | s[j + 4] >> 4 << 6);
		b[j + 4] = (uint8_t)(m[j] | m[j + 4] >> 4 << 6);
		b[j + 8] = (uint8_t)((s[j + 4] & 15) | (m[j + 4] & 15) << 4);
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
	d = put_half(b, g.most_scale / 63);
	dmin = put_half(b + 2, g.most_offset / 63);
	pack_scales4(s, m, b + 4);
	for (j = 0; j < 8; j++)
		again_above(f, x + 32 * j, d * (float)s[j], dmin *
		    (float)m[j], q + 32 * j);
}

/* The low nibbles of 256 codes: those of two groups of 32 side by side. */
static void
pack4(const uint8_t q[256], uint8_t b[128])
{
	size_t i;

	for (i = 0; i < 128; i++)
		b[i] = (uint8_t)((q[i / 32 * 64 + i % 32] & 15) |
		    (q[i / 32 * 64 + 32 + i % 32] & 15) << 4);
}

void
peft_encode_q4_k(const float *x, size_t n, uint8_t *b)
{
	static const struct peft_fit f = { 32, 15, -1, 20, false };
	uint8_t q[256];

	for (; n > 0; n -= 256, x += 256, b += 144) {
		eight_groups(&f, x, b, q);
		pack4(q, b + 16);
	}
}

void
peft_encode_q5_k(const float *x, size_t n, uint8_t *b)
{
	static const struct peft_fit f = { 32, 31, -0.5f, 15, false };
	uint8_t q[256];
	size_t j;

	for (; n > 0; n -= 256, x += 256, b += 176) {
		eight_groups(&f, x, b, q);
		memset(b + 16, 0, 32);
		for (j = 0; j < 256; j++)
			b[16 + j % 32] |= (uint8_t)(q[j] >> 4 << j / 32);
		pack4(q, b + 48);
	}
}

/* 128 codes of Q6_K: nibbles of the first and third, of the second and fourth
 * 32; upper bits of all four. */
static void
pack6(const uint8_t q[128], uint8_t low[64], uint8_t high[32])
{
	size_t j;

	for (j = 0; j < 64; j++)
		low[j] = (uint8_t)((q[j] & 15) | (q[j + 64] & 15) << 4);
	for (j = 0; j < 32; j++)
		high[j] = (uint8_t)(q[j] >> 4 | q[j + 32] >> 4 << 2 |
		    q[j + 64] >> 4 << 4 | q[j + 96] >> 4 << 6);
}

void
peft_encode_q6_k(const float *x, size_t n, uint8_t *b)
{
	float scale[16], max, inverse, d;
	uint8_t q[256];
	size_t j;

	for (; n > 0; n -= 256, x += 256, b += 210) {
		fits()->centred(x, 32, q, scale);
		fits()->centred(x + 128, 32, q + 128, scale + 8);
		max = largest_scale(scale);
		memset(b, 0, 210);
		if (fabsf(max) < PEFT_FIT_ZERO)
			continue;
		inverse = -128 / max;
		d = put_half(b + 208, 1 / inverse);
		for (j = 0; j < 16; j++) {
			int l = peft_nearest(inverse * scale[j]);

			l = l < 127 ? l : 127;
			b[192 + j] = (uint8_t)l;
			again_signed(x + 16 * j, d * (float)(int8_t)l, 32,
			    q + 16 * j);
		}
		pack6(q, b, b + 128);
		pack6(q + 128, b + 64, b + 160);
	}
}
