/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_GROUPS_H
#define PEFT_QUANT_GROUPS_H

/*
 * Groups of 32 values of a stored row, made in registers: one inline function
 * a type, for the files that are built for a processor path: decoders, panels
 * of bf16, products of few tokens.  Values are the bits that the plain loops
 * of decode-ref.c make.
 */

#include "quant/lanes.h"
#include "quant/quant.h"

enum { GROUP = 32, PARTS = GROUP / LANES };

/* Where row r's columns from c on begin, and what element that is. */
struct place {
	const struct peft_weight	*w;
	const uint8_t			*at;
	size_t				 first;
};

typedef void group_fn(const struct place *, size_t g, lanes out[PARTS]);

INLINE void
g_f32(const struct place *p, size_t g, lanes out[PARTS])
{
	const float *f = (const float *)(const void *)p->at + g * GROUP;
	int i;

#pragma GCC unroll 4
	for (i = 0; i < PARTS; i++)
		out[i] = l_load(f + i * LANES);
}

#ifdef __AVX2__
INLINE void
g_f16(const struct place *p, size_t g, lanes out[PARTS])
{
	int i;

#pragma GCC unroll 4
	for (i = 0; i < PARTS; i++)
		out[i] = l_halves(p->at + 2 * (g * GROUP + (size_t)i * LANES));
}

INLINE void
g_bf16(const struct place *p, size_t g, lanes out[PARTS])
{
	int i;

#pragma GCC unroll 4
	for (i = 0; i < PARTS; i++)
		out[i] = l_bfloats(p->at + 2 * (g * GROUP +
		    (size_t)i * LANES));
}

/* -8 d is exact, and so is the sum where its parts' signs differ: the same
 * bits as (q - 8) d. */
INLINE void
g_q4_0(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 18 * g;
	lanes d = l_half(b);

	l_nibbles(b + 2, d, l_mul(d, l_set(-8)), out);
}

INLINE void
g_q4_1(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 20 * g;
	lanes d, m;

	l_half2(b, &d, &m);
	l_nibbles(b + 4, d, m, out);
}

INLINE void
g_q8_0(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 34 * g;
	lanes d = l_half(b);
	int i;

#pragma GCC unroll 4
	for (i = 0; i < PARTS; i++)
		out[i] = l_mul(l_float(l_signed(b + 2 + i * LANES)), d);
}

/* Scale and minimum j of Q4_K: 6 bits each out of 12 bytes. */
INLINE void
scale4(const uint8_t *s, size_t j, int *sc, int *m)
{
	if (j < 4) {
		*sc = s[j] & 63;
		*m = s[j + 4] & 63;
	} else {
		*sc = (s[j + 4] & 15) | (s[j - 4] >> 6) << 4;
		*m = (s[j + 4] >> 4) | (s[j] >> 6) << 4;
	}
}

INLINE void
g_q4_k(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 144 * (g / 8);
	const uint8_t *q = b + 16 + g % 8 / 2 * 32;
	lanes d, m;
	int sc, min, i;

	l_half2(b, &d, &m);
	scale4(b + 4, g % 8, &sc, &min);
	d = l_mul(d, l_set((float)sc));
	m = l_mul(m, l_set((float)min));
#pragma GCC unroll 4
	for (i = 0; i < PARTS; i++)
		out[i] = l_sub(l_mul(d, l_float(l_bits(l_bytes(q + i * LANES),
		    g % 2 * 4, 15, 0))), m);
}

INLINE void
g_q5_k(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 176 * (g / 8);
	const uint8_t *q = b + 48 + g % 8 / 2 * 32;
	lanes d, m;
	int sc, min, i;

	l_half2(b, &d, &m);
	scale4(b + 4, g % 8, &sc, &min);
	d = l_mul(d, l_set((float)sc));
	m = l_mul(m, l_set((float)min));
#pragma GCC unroll 4
	for (i = 0; i < PARTS; i++)
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
	const int8_t *sc = (const int8_t *)b + 192 + 8 * half + 2 * k;
	lanes d = l_half(b + 208);
	int i;

#pragma GCC unroll 4
	for (i = 0; i < PARTS; i++) {
		words q = l_or(l_bits(l_bytes(ql + i * LANES), (int)(k / 2) *
		    4, 15, 0), l_bits(l_bytes(qh + i * LANES), (int)k * 2, 3,
		    4));

		out[i] = l_mul(l_mul(d, l_set(sc[i * LANES / 16])),
		    l_sub(l_float(q), l_set(32)));
	}
}

INLINE float
absmax_of(const struct peft_scales *s, size_t block)
{
	if (s->absmax != NULL)
		return s->absmax[block];
	return s->nested_map[s->qabsmax[block]] *
	    s->nested_absmax[block / s->nested_blocksize] + s->nested_offset;
}

INLINE void
codes4(const struct place *p, size_t g, const float map[16],
    lanes out[PARTS])
{
	size_t block = (p->first + g * GROUP) / p->w->scales.blocksize;
	table t = l_table_scaled(l_table(map), absmax_of(&p->w->scales,
	    block));
	int i;

#pragma GCC unroll 4
	for (i = 0; i < PARTS; i++)
		out[i] = l_look(t, l_pairs(p->at + (g * GROUP +
		    (size_t)i * LANES) / 2));
}

INLINE void
g_nf4(const struct place *p, size_t g, lanes out[PARTS])
{
	codes4(p, g, peft_nf4_map, out);
}

INLINE void
g_fp4(const struct place *p, size_t g, lanes out[PARTS])
{
	codes4(p, g, peft_fp4_map, out);
}
#endif

#endif
