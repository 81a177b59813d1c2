/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_GROUPS_IQ_H
#define PEFT_QUANT_GROUPS_IQ_H

/*
 * Groups (groups.h) of the types whose codes are points of a grid, blocks of
 * 256; the layouts are told in decode-iq.inc.  A part takes the points of its
 * values: LANES / 8 of IQ1 and IQ2, LANES / 4 of IQ3.
 */

#include "quant/decode.h"
#include "quant/groups.h"

#ifdef __AVX2__

enum { POINTS = LANES / 8 };

/* Coordinates of IQ2, each table twice: two bits look it up. */
static const float iq2_map[8] = { 8, 25, 43, 60, 8, 25, 43, 60 };
static const float iq3_xxs_map[8] = { 4, 12, 20, 28, 36, 44, 52, 62 };
static const float iq3_s_map[8] = { 1, 3, 5, 7, 9, 11, 13, 15 };
static const float iq1_map[8] = { -1, 0, 1, 2, -1, 0, 1, 2 };

/* Seven signs, and one that makes the number of minuses even. */
INLINE uint32_t
even_signs(uint32_t seven)
{
	seven &= 127;
	return seven | ((uint32_t)__builtin_popcount(seven) & 1) << 7;
}

INLINE uint32_t
nibble(const uint8_t *b, size_t i)
{
	return b[i / 2] >> 4 * (i % 2) & 15;
}

/* d (0.5 + s) / 4: IQ2's scales; IQ3_XXS's are halves. */
INLINE lanes
half_more(lanes d, uint32_t s, float by)
{
	return l_mul(l_mul(d, l_set(0.5f + (float)s)), l_set(by));
}

/* A part's points of 8, and as many bytes of signs. */
struct points2 {
	uint32_t	codes, signs;
};

INLINE void
add2(struct points2 *to, int k, uint32_t point, uint32_t signs)
{
	to->codes |= point << 16 * k;
	to->signs |= signs << 8 * k;
}

INLINE lanes
values2(const struct points2 *v, lanes scale)
{
	return l_flip(l_mul(scale, l_look8(l_eight(iq2_map),
	    l_twos(v->codes))), v->signs);
}

INLINE void
g_iq2_xxs(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 66 * (g / 8), *q = b + 2 + g % 8 * 8;
	uint32_t s;
	lanes scale;
	int i, k;

	memcpy(&s, q + 4, sizeof(s));
	scale = half_more(l_half(b), s >> 28, 0.25f);
	EACH_PART {
		struct points2 v = { 0, 0 };

		for (k = 0; k < POINTS; k++)
			add2(&v, k, peft_grids.iq2_xxs[q[i * POINTS + k]],
			    even_signs(s >> 7 * (i * POINTS + k)));
		out[i] = values2(&v, scale);
	}
}

INLINE void
g_iq2_xs(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 74 * (g / 8), *q = b + 2 + g % 8 * 8;
	lanes d = l_half(b);
	int i, k;

	EACH_PART {
		struct points2 v = { 0, 0 };

		for (k = 0; k < POINTS; k++) {
			uint32_t c = peft_load16(q + 2 * (i * POINTS + k));

			add2(&v, k, peft_grids.iq2_xs[c & 511],
			    even_signs(c >> 9));
		}
		out[i] = values2(&v, half_more(d, nibble(b + 66, g % 8 * 2 +
		    (size_t)i * LANES / 16), 0.25f));
	}
}

INLINE void
g_iq2_s(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 82 * (g / 8), *q = b + 2 + g % 8 * 4;
	uint32_t high = b[66 + g % 8];
	lanes d = l_half(b);
	int i, k;

	EACH_PART {
		struct points2 v = { 0, 0 };

		for (k = 0; k < POINTS; k++) {
			int at = i * POINTS + k;

			add2(&v, k, peft_grids.iq2_s[q[at] |
			    (high >> 2 * at & 3) << 8], q[32 + at]);
		}
		out[i] = values2(&v, half_more(d, nibble(b + 74, g % 8 * 2 +
		    (size_t)i * LANES / 16), 0.25f));
	}
}

INLINE lanes
values3(const float map[8], uint64_t points, uint32_t signs, lanes scale)
{
	return l_flip(l_mul(scale, l_look8(l_eight(map), l_threes(points))),
	    signs);
}

INLINE void
g_iq3_xxs(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 98 * (g / 8), *q = b + 2 + g % 8 * 8;
	uint32_t s, signs = 0;
	lanes scale;
	int i, k;

	memcpy(&s, b + 66 + g % 8 * 4, sizeof(s));
	scale = half_more(l_half(b), s >> 28, 0.5f);
	for (i = 0; i < 4; i++)
		signs |= even_signs(s >> 7 * i) << 8 * i;
	EACH_PART {
		uint64_t points = 0;

		for (k = 0; k < 2 * POINTS; k++)
			points |= (uint64_t)peft_grids.iq3_xxs[q[i * 2 *
			    POINTS + k]] << 16 * k;
		out[i] = values3(iq3_xxs_map, points, signs >> i * LANES,
		    scale);
	}
}

INLINE void
g_iq3_s(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 110 * (g / 8), *q = b + 2 + g % 8 * 8;
	lanes scale = l_mul(l_half(b), l_set((float)(1 + 2 * nibble(b + 106,
	    g % 8))));
	uint32_t high = b[66 + g % 8], signs;
	int i, k;

	memcpy(&signs, b + 74 + g % 8 * 4, sizeof(signs));
	EACH_PART {
		uint64_t points = 0;

		for (k = 0; k < 2 * POINTS; k++) {
			int at = i * 2 * POINTS + k;

			points |= (uint64_t)peft_grids.iq3_s[q[at] |
			    (high >> at & 1) << 8] << 16 * k;
		}
		out[i] = values3(iq3_s_map, points, signs >> i * LANES,
		    scale);
	}
}

/* Values of IQ1 are moved by an eighth, up or, where `down' says so, down. */
INLINE lanes
values1(uint32_t codes, uint32_t down, lanes scale)
{
	return l_mul(scale, l_add(l_look8(l_eight(iq1_map), l_twos(codes)),
	    l_flip(l_set(0.125f), down)));
}

INLINE void
g_iq1_s(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 50 * (g / 8), *q = b + 2 + g % 8 * 4;
	uint32_t h = peft_load16(b + 34 + g % 8 * 2);
	lanes scale = l_mul(l_half(b), l_set((float)(2 * (h >> 12 & 7) + 1)));
	int i, k;

	EACH_PART {
		uint32_t codes = 0;

		for (k = 0; k < POINTS; k++) {
			int at = i * POINTS + k;

			codes |= (uint32_t)peft_grids.iq1_s[q[at] | (h >> 3 *
			    at & 7) << 8] << 16 * k;
		}
		out[i] = values1(codes, 0 - (h >> 15), scale);
	}
}

INLINE void
g_iq1_m(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 56 * (g / 8), *q = b + g % 8 * 4;
	uint32_t s = peft_load16(b + 48 + g % 8 / 2 * 2) >> 6 * (g % 2);
	float d = peft_half_f32((uint16_t)(b[49] >> 4 | (b[51] & 0xf0) |
	    b[53] >> 4 << 8 | b[55] >> 4 << 12));
	int i, k;

	EACH_PART {
		uint32_t codes = 0, down = 0;

		for (k = 0; k < POINTS; k++) {
			int at = i * POINTS + k;
			uint32_t h = nibble(b + 32 + g % 8 * 2, (size_t)at);

			codes |= (uint32_t)peft_grids.iq1_s[q[at] |
			    (h & 7) << 8] << 16 * k;
			down |= ((0 - (h >> 3)) & 255) << 8 * k;
		}
		out[i] = values1(codes, down, l_set(d * (float)(2 * (s >> 3 *
		    (i * LANES / 16) & 7) + 1)));
	}
}

#endif

#endif
