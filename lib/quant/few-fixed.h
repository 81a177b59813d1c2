/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_FEW_FIXED_H
#define PEFT_QUANT_FEW_FIXED_H

#include <stdint.h>

#include "base/half.h"
#include "quant/few.h"

/*
 * Few tokens by whole numbers, as exact as in f32.  A stored block is codes
 * of up to 8 bits times a scale d, and an offset m; 32 values x of a token
 * become whole numbers X of 24 bits, sign included, times a power of two s:
 * what f32 has of the largest of them, with an error within 2^-23 of it.  So
 *
 *	y = sum over groups of 32: d s (codes . X) + m s (sum of X)
 *
 * where both sums are exact whatever their order: X is three bytes, 65536 H +
 * 256 M + L, signed each, and processors sum products of bytes in 32 bits.
 * codes . X is rounded to f32 from 256 (256 h + m) + l, where h, m, l are the
 * sums over each byte: what is in brackets to f32, then all of it at once.
 * Then y = fma(m, s sum, fma(d, s codes . X, y)).
 */
enum {
	PEFT_FIXED_TOKENS = 16,	/* of a piece */
	PEFT_FIXED_MANY = 128	/* in some pieces */
};

/* A group of 32 columns of T tokens: bytes [3][T][32], H first, or as tiles
 * want them. */
struct peft_fixed_piece {
	int8_t	bytes[3 * PEFT_FIXED_TOKENS * 32];
	int8_t	digits[4 * PEFT_FIXED_TOKENS * 32];
	int32_t	whole[3][PEFT_FIXED_TOKENS];	/* sums of the bytes */
	float	scale[PEFT_FIXED_TOKENS];	/* s; NaN: x has no bounds */
	float	sums[PEFT_FIXED_TOKENS];	/* s (sum of X) */
};

/* X is at most this: three bytes of at most 127. */
#define PEFT_FIXED_MOST	0x7f7f7f

/* Which of its forms of X a weight is multiplied by, one bit, or 0: it is none
 * of those; 32 columns of T tokens to a piece, in all of some forms; rows of
 * f, times its pieces.  All paths give the same bits. */
struct peft_few_fixed {
	unsigned (*form)(const struct peft_weight *);
	void	(*split)(const float *x, size_t ldx, size_t T, unsigned forms,
		    struct peft_fixed_piece *);
	void	(*rows)(const struct peft_few *);
	size_t	most;		/* tokens at once; more than PEFT_FEW_TOKENS:
				 * any number is sooner done than in f32 */
};

extern const struct peft_few_fixed peft_few_fixed_ref,
    peft_few_fixed_avx512vnni, peft_few_fixed_amx;

/* What a group whose largest magnitude is `most' is multiplied by: the
 * largest power of two that leaves it within PEFT_FIXED_MOST, of those that
 * have a reciprocal. */
static inline float
peft_fixed_power(float most)
{
	uint32_t u = peft_f32_bits(most), power = u >> 23;
	/* most = (1 + fraction) 2^(power - 127); MOST / 2^22 - 1 in its bits */
	uint32_t k = 127 + 22 + 127 - power - ((u & 0x7fffff) > 0x7efefe);

	return peft_bits_f32((k < 227 ? k : 227) << 23);
}

#endif
