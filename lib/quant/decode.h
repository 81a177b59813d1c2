/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_DECODE_H
#define PEFT_QUANT_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/weight.h"

/*
 * Decoders: n elements (whole blocks) from src.  decode-ref.c has them as
 * plain loops, decode-lanes.inc as lanes for each processor path; the results
 * are the same bits, since every value is one product and one sum in f32.
 */
struct peft_decoders {
	void	(*plain[PEFT_NDTYPE])(const uint8_t *src, size_t n, float *dst);
	/* 4-bit codes of one block with one scale: element `first' (0 or 1
	 * within its byte is all that matters) .. first+n. */
	void	(*codes4)(const uint8_t *src, size_t first, size_t n,
		    const float map[16], float scale, float *dst);
	/* Codes times scale times again: two roundings. */
	void	(*codes8)(const int8_t *src, size_t n, float scale,
		    float again, float *dst);
	/* Codes first .. first+n of a row of whole numbers of `bits' bits. */
	void	(*codes)(const uint8_t *row, size_t first, size_t n,
		    unsigned bits, float *dst);
	/* x = (x - zero) * scale; with one of each for every element where
	 * columns belong to groups out of order. */
	void	(*affine)(float *x, size_t n, float zero, float scale);
	void	(*affine_by)(float *x, size_t n, const uint32_t *order,
		    const int16_t *zero, int16_t zero0, const float *scale);
	/* 32 elements with one exponent, OCP's MXFP4: dst[i * step]. */
	void	(*mx4)(const uint8_t *src, uint8_t exponent, size_t first,
		    size_t n, float *dst, size_t step);
};

/* Points of the IQ types' grids: two bits to a coordinate, IQ3: three. */
struct peft_grids {
	uint16_t	iq1_s[2048];		/* and iq1_m */
	uint16_t	iq2_xxs[256], iq2_xs[512], iq2_s[1024];
	uint16_t	iq3_xxs[256], iq3_s[512];
};

extern const struct peft_grids peft_grids;

extern const struct peft_decoders peft_decoders_ref, peft_decoders_avx2,
    peft_decoders_avx512;

/* peft_decode_part() (quant.h) of one path. */
void	peft_decode_part_by(const struct peft_decoders *,
	    const struct peft_weight *, size_t r, size_t c0, size_t nc,
	    float *dst);

/* Which block element i is in; most are of a power of two. */
static inline size_t
peft_block_of(size_t i, size_t blocksize)
{
	return (blocksize & (blocksize - 1)) == 0 ?
	    i >> __builtin_ctzll(blocksize) : i / blocksize;
}

/* The scale of a block, which may be quantised itself. */
static inline float
peft_absmax_at(const struct peft_scales *s, size_t block)
{
	if (s->absmax != NULL)
		return s->absmax[block];
	return s->nested_map[s->qabsmax[block]] * s->nested_absmax[
	    peft_block_of(block, s->nested_blocksize)] + s->nested_offset;
}

/* grouped.c: peft_decode() for weights that have scales.group. */
void	peft_decode_grouped(const struct peft_decoders *,
	    const struct peft_weight *, size_t first, size_t n, float *dst);
/* kvb.c: peft_decode() of that type; a row's part may cut through blocks. */
void	peft_decode_kvb(const struct peft_weight *, size_t first, size_t n,
	    float *dst);

#endif
