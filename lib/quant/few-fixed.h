/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_FEW_FIXED_H
#define PEFT_QUANT_FEW_FIXED_H

#include <stdint.h>

#include "base/half.h"
#include "quant/few.h"

/*
 * Few tokens by whole numbers.  A stored block is codes of up to 8 bits times
 * a scale d, and an offset m; 32 values x of a token become whole numbers X,
 * sign included, times a scale s, which is a power of two if X has more than a
 * byte.  So
 *
 *	y = sum over groups of 32: d s (codes . X) + m s (sum of X)
 *
 * where both sums are exact whatever their order: X is three bytes, 65536 H +
 * 256 M + L, signed each, or two, 256 M + L, or one, and processors sum
 * products of bytes in 32 bits.  (Codes are at most 255 on the way, so that 32
 * products with bytes are less than 2^20, and 256 times that and as much again
 * is less than 2^29.)
 *
 * Of three bytes X is off by less than 2^-23 of the largest of the 32: what
 * f32 has of that one.  codes . X is rounded to f32 from 256 (256 h + m) + l,
 * where h, m, l are the sums over each byte: what is in brackets to f32, then
 * all of it at once.  Where the compute type is not f32, two do: each X is off
 * by 2^-15 of the largest at most, so that the length of what 32 are off by
 * is 2^-12.5 of the largest; what is rounded to bf16 can be off by 2^-9 of
 * its length.  256 m + l is rounded to f32.
 *
 * For the compute type int8 it is one: the largest of the 32 becomes 127, X is
 * off by a 254th of that at most, and codes . X has no rounding.
 *
 * Then y = fma(m, s sum, fma(d, s codes . X, y)).  Of some types each half of
 * the columns has its own d, and is added in turn.
 */
enum {
	PEFT_FIXED_TOKENS = 16,	/* of a piece */
	PEFT_FIXED_MANY = 128	/* in some pieces */
};

/* A group of 32 columns of T tokens.  Bytes of X, the highest first, four
 * columns to a word: [bytes][8][tokens that there is room for][4].  For tiles
 * also digits.  whole: of each half of the columns, sums of X, and 0; or of
 * three bytes, sums of the upper two as one number, and of L. */
struct peft_fixed_piece {
	int8_t	bytes[3 * PEFT_FIXED_TOKENS * 32];
	int8_t	digits[4 * PEFT_FIXED_TOKENS * 32];
	int32_t	whole[2][2][PEFT_FIXED_TOKENS];
	float	scale[PEFT_FIXED_TOKENS];	/* s; NaN: x has no bounds */
	float	sums[PEFT_FIXED_TOKENS];	/* s (sum of X) */
};

/* Tokens that there is room for: one, or all. */
static inline size_t
peft_fixed_stride(size_t T)
{
	return T == 1 ? 1 : PEFT_FIXED_TOKENS;
}

/* Which of its forms of X a weight is multiplied by, one bit, or 0: it is none
 * of those; tokens at once that pay: more than PEFT_FEW_TOKENS, if any number
 * is sooner done than in f32; 32 columns of T tokens to a piece, X of so many
 * bytes, in all of some forms; rows of f, times its pieces.  All paths give
 * the same bits. */
struct peft_few_fixed {
	unsigned (*form)(const struct peft_weight *);
	size_t	(*most)(const struct peft_weight *);
	void	(*split)(const float *x, size_t ldx, size_t T, int bytes,
		    unsigned forms, struct peft_fixed_piece *);
	void	(*rows)(const struct peft_few *);
};

extern const struct peft_few_fixed peft_few_fixed_ref,
    peft_few_fixed_avxvnni, peft_few_fixed_avx512vnni, peft_few_fixed_amx;

/* X is at most bytes of 127 each.  As a float that has the fraction.  (Two
 * bytes or three.) */
static inline int
peft_fixed_fraction(int bytes)
{
	return 0x7efefe >> (25 - 8 * bytes) << (25 - 8 * bytes);
}

/* What a group whose largest magnitude is `most' is multiplied by: what makes
 * 127 of it, for one byte; else the largest power of two that leaves it within
 * what X can be.  But no more than has a reciprocal. */
#define PEFT_FIXED_LEAST	0x1p-100f
static inline float
peft_fixed_times(float most, int bytes)
{
	uint32_t u = peft_f32_bits(most), power = u >> 23;
	/* most = (1 + fraction) 2^(power - 127) */
	uint32_t k = 127 + 8 * (uint32_t)bytes - 2 + 127 - power -
	    ((int)(u & 0x7fffff) > peft_fixed_fraction(bytes));

	if (bytes == 1)
		return 127 / (most > PEFT_FIXED_LEAST ? most :
		    PEFT_FIXED_LEAST);
	return peft_bits_f32((k < 227 ? k : 227) << 23);
}

#endif
