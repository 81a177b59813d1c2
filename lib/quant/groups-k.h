/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_GROUPS_K_H
#define PEFT_QUANT_GROUPS_K_H

/* Groups (groups.h) of ggml's K types, of IQ4_XS and of ternary ones: blocks
 * of 256. */

#include "quant/groups.h"

#ifdef __AVX2__

/* Byte by byte, four to a word: bits 4 and 5 of what has its lower four in
 * `low'. */
INLINE uint32_t
six(uint32_t low, uint32_t high)
{
	return (low & 0x0f0f0f0f) | (high & 0x03030303) << 4;
}

/* Products of an f16, a scale and a code fit into f32: no rounding before
 * the sum, whether it is fused or not. */
INLINE void
g_q2_k(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 84 * (g / 8), *q = b + 16 + g % 8 / 4 * 32;
	sixteen s = l_nibbles16(b, 0), m = l_nibbles16(b, 4);
	lanes d, min;
	int i;

	l_half2(b + 80, &d, &min);
	EACH_PART {
		size_t k = g % 8 * 2 + (size_t)i * LANES / 16;

		out[i] = l_sub(l_mul(l_mul(d, l_pick(s, k)), l_float(l_bits(
		    l_bytes(q + i * LANES), (int)(g % 4) * 2, 3, 0))),
		    l_mul(min, l_pick(m, k)));
	}
}

/* Q3_K's sixteen scales of 6 bits, less 32, out of 12 bytes. */
INLINE sixteen
scales3(const uint8_t *b)
{
	uint32_t s[3], to[4];
	int i;

	memcpy(s, b, sizeof(s));
	for (i = 0; i < 4; i++)
		to[i] = six(s[i % 2] >> i / 2 * 4, s[2] >> 2 * i);
	return l_less(l_sixteen(to), 32);
}

/* The codes' third bits are the wrong way round: 0 takes 4 off. */
INLINE void
g_q3_k(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 110 * (g / 8);
	const uint8_t *q = b + 32 + g % 8 / 4 * 32;
	lanes d = l_half(b + 108);
	sixteen scale = scales3(b + 96);
	int i;

	EACH_PART {
		size_t k = g % 8 * 2 + (size_t)i * LANES / 16;
		words v = l_or(l_bits(l_bytes(q + i * LANES), (int)(g % 4) * 2,
		    3, 0), l_bits(l_bytes(b + i * LANES), (int)(g % 8), 1,
		    2));

		out[i] = l_mul(l_mul(d, l_pick(scale, k)),
		    l_sub(l_float(v), l_set(4)));
	}
}

/* Of Q4_K and Q5_K: scale and minimum g, of 6 bits each out of 12 bytes,
 * times d and that of the minima, which are before them.  One by one: where g
 * is no constant all eight would be too many. */
INLINE void
scale4(const uint8_t *b, size_t g, lanes *scale, lanes *min)
{
	const uint8_t *s = b + 4;
	int k, m;

	if (g < 4) {
		k = s[g] & 63;
		m = s[g + 4] & 63;
	} else {
		k = (s[g + 4] & 15) | (s[g - 4] >> 6) << 4;
		m = (s[g + 4] >> 4) | (s[g] >> 6) << 4;
	}
	l_half2(b, scale, min);
	*scale = l_mul(*scale, l_set((float)k));
	*min = l_mul(*min, l_set((float)m));
}

INLINE void
g_q4_k(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 144 * (g / 8);
	const uint8_t *q = b + 16 + g % 8 / 2 * 32;
	lanes d, m;
	int i;

	scale4(b, g % 8, &d, &m);
	EACH_PART
		out[i] = l_sub(l_mul(d, l_float(l_bits(l_bytes(q + i * LANES),
		    g % 2 * 4, 15, 0))), m);
}

INLINE void
g_q5_k(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 176 * (g / 8);
	const uint8_t *q = b + 48 + g % 8 / 2 * 32;
	lanes d, m;
	int i;

	scale4(b, g % 8, &d, &m);
	EACH_PART
		out[i] = l_sub(l_mul(d, l_float(l_or(l_bits(l_bytes(q +
		    i * LANES), g % 2 * 4, 15, 0), l_bits(l_bytes(b + 16 +
		    i * LANES), (int)(g % 8), 1, 4)))), m);
}

/* Of each half of 128 two groups are low nibbles, two high ones; a scale for
 * each 16. */
INLINE void
g_q6_k(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 210 * (g / 8);
	size_t half = g % 8 / 4, k = g % 4;
	const uint8_t *ql = b + 64 * half + k % 2 * 32;
	const uint8_t *qh = b + 128 + 32 * half;
	const int8_t *scale = (const int8_t *)b + 192 + 8 * half + 2 * k;
	lanes d = l_half(b + 208);
	int i;

	EACH_PART {
		words q = l_or(l_bits(l_bytes(ql + i * LANES), (int)(k / 2) *
		    4, 15, 0), l_bits(l_bytes(qh + i * LANES), (int)k * 2, 3,
		    4));

		out[i] = l_mul(l_mul(d, l_set(scale[i * LANES / 16])),
		    l_sub(l_float(q), l_set(32)));
	}
}

INLINE void
g_q8_k(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 292 * (g / 8);
	float d;
	int i;

	memcpy(&d, b, sizeof(d));
	EACH_PART
		out[i] = l_mul(l_set(d), l_float(l_signed(b + 4 + g % 8 *
		    GROUP + (size_t)i * LANES)));
}

INLINE lanes
iq4_xs_scale(const uint8_t *b, int g)
{
	int s = (b[4 + g / 2] >> 4 * (g % 2) & 15) |
	    (peft_load16(b + 2) >> 2 * g & 3) << 4;

	return l_mul(l_half(b), l_set((float)(s - 32)));
}

INLINE void
g_iq4_xs(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 136 * (g / 8);

	looked(b + 8 + 16 * (g % 8), iq4_map, iq4_xs_scale(b, (int)(g % 8)),
	    out);
}

/*
 * Rows of trits: 5 of 32, 5 of 16, 4 of 4; the next row's byte is three times
 * the byte, of which the lowest 8 bits stay, and its trit the first of those,
 * a fraction of 256.
 */
INLINE lanes
trits(words q, lanes d)
{
	words t = l_times(l_bits(q, 0, 255, 0), 3);

	return l_mul(l_sub(l_float(l_bits(t, 8, 3, 0)), l_set(1)), d);
}

INLINE void
g_tq1_0(const struct place *p, size_t g, lanes out[PARTS])
{
	static const uint8_t power[] = { 1, 3, 9, 27, 81 };
	const uint8_t *b = p->at + 54 * (g / 8);
	uint8_t last[16];
	lanes d = l_half(b + 52);
	int i, k = (int)(g % 8);

	if (k == 7)
		for (i = 0; i < 16; i++)
			last[i] = (uint8_t)(b[48 + i % 4] * power[i / 4]);
	EACH_PART {
		int at = i * LANES % 16, row = (k - 5) * 2 + i * LANES / 16;

		out[i] = k < 5 ? trits(l_times(l_bytes(b + i * LANES),
		    power[k]), d) : row < 5 ? trits(l_times(l_bytes(b + 32 +
		    at), power[row]), d) : trits(l_bytes(last + at), d);
	}
}

INLINE void
g_tq2_0(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 66 * (g / 8);
	lanes d = l_half(b + 64);
	int i;

	EACH_PART
		out[i] = l_mul(l_sub(l_float(l_bits(l_bytes(b + g % 8 / 4 *
		    32 + (size_t)i * LANES), (int)(g % 4) * 2, 3, 0)),
		    l_set(1)), d);
}

#endif

#endif
