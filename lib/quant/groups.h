/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_GROUPS_H
#define PEFT_QUANT_GROUPS_H

/*
 * Groups of 32 values of a stored row, made in registers: one inline function
 * a type, for the files that are built for a processor path: decoders, panels
 * of bf16, products of few tokens.  Values are the bits that the plain loops
 * of decode-ref.c make.
 */

#include "quant/decode.h"
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

/* Unrolls a loop over the parts of a group: what depends on i is constant. */
#define EACH_PART \
	_Pragma("GCC unroll 4") \
	for (i = 0; i < PARTS; i++)

INLINE void
g_f32(const struct place *p, size_t g, lanes out[PARTS])
{
	const float *f = (const float *)(const void *)p->at + g * GROUP;
	int i;

	EACH_PART
		out[i] = l_load(f + i * LANES);
}

#ifdef __AVX2__
INLINE void
g_f16(const struct place *p, size_t g, lanes out[PARTS])
{
	int i;

	EACH_PART
		out[i] = l_halves(p->at + 2 * (g * GROUP + (size_t)i * LANES));
}

INLINE void
g_bf16(const struct place *p, size_t g, lanes out[PARTS])
{
	int i;

	EACH_PART
		out[i] = l_bfloats(p->at + 2 * (g * GROUP +
		    (size_t)i * LANES));
}

INLINE void
g_q4_1(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 20 * g;
	lanes d, m;

	l_half2(b, &d, &m);
	l_nibbles(b + 4, d, m, out);
}

/* Five bits of element i LANES and what follows it: nibbles as in Q4, and a
 * bit of the word for each. */
INLINE words
five(const uint8_t *nibbles, const uint8_t *word, int i)
{
	words q = l_bytes(nibbles + i * LANES % 16);
	uint32_t h;

	memcpy(&h, word, sizeof(h));
	return l_or(i * LANES < 16 ? l_low(q) : l_high(q), l_ones(h >>
	    i * LANES, 4));
}

INLINE void
g_q5_0(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 22 * g;
	lanes d = l_half(b);
	int i;

	EACH_PART
		out[i] = l_mul(l_sub(l_float(five(b + 6, b + 2, i)),
		    l_set(16)), d);
}

INLINE void
g_q5_1(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 24 * g;
	lanes d, m;
	int i;

	l_half2(b, &d, &m);
	EACH_PART
		out[i] = l_add(l_mul(l_float(five(b + 8, b + 4, i)), d), m);
}

INLINE void
g_q8_0(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 34 * g;
	lanes d, rest;
	int i;

	l_half2(b, &d, &rest);	/* cheaper than one, and it is there */
	EACH_PART
		out[i] = l_mul(l_float(l_signed(b + 2 + i * LANES)), d);
}

/* 16 bytes of nibbles, all low ones first, by way of a table. */
INLINE void
looked(const uint8_t *nibbles, const float map[16], lanes d, lanes out[PARTS])
{
	table t = l_table(map);
	int i;

	EACH_PART {
		words q = l_bytes(nibbles + i * LANES % 16);

		out[i] = l_mul(d, l_look(t, i * LANES < 16 ? q : l_high(q)));
	}
}

static const float q4_map[16] = { -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3,
	4, 5, 6, 7 };
static const float iq4_map[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
	1, 13, 25, 38, 53, 69, 89, 113 };
/* E2M1, doubled; the exponent's bias makes up for it. */
static const float mxfp4_map[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3,
	-4, -6, -8, -12 };

INLINE void
g_q4_0(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 18 * g;

	looked(b + 2, q4_map, l_half(b), out);
}

INLINE void
g_iq4_nl(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 18 * g;

	looked(b + 2, iq4_map, l_half(b), out);
}

INLINE float
mxfp4_scale(uint8_t e)
{
	return peft_bits_f32(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) <<
	    23);
}

INLINE void
g_mxfp4(const struct place *p, size_t g, lanes out[PARTS])
{
	const uint8_t *b = p->at + 17 * g;

	looked(b + 1, mxfp4_map, l_set(mxfp4_scale(b[0])), out);
}

INLINE void
mapped(const struct place *p, size_t g, const float map[16],
    lanes out[PARTS])
{
	size_t block = peft_block_of(p->first + g * GROUP,
	    p->w->scales.blocksize);
	table t = l_table_scaled(l_table(map), peft_absmax_at(&p->w->scales,
	    block));
	int i;

	EACH_PART
		out[i] = l_look(t, l_pairs(p->at + (g * GROUP +
		    (size_t)i * LANES) / 2));
}

INLINE void
g_nf4(const struct place *p, size_t g, lanes out[PARTS])
{
	mapped(p, g, peft_nf4_map, out);
}

INLINE void
g_fp4(const struct place *p, size_t g, lanes out[PARTS])
{
	mapped(p, g, peft_fp4_map, out);
}
#endif

#endif
