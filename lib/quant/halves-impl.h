/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_HALVES_IMPL_H
#define PEFT_QUANT_HALVES_IMPL_H

/*
 * For expand*-avx512bf16.c only.  Where few codes share a scale all that a
 * code can stand for is made in f32 and rounded at once, a register of 32
 * bf16 values, and the codes look it up, 32 at a time.  The bits are those of
 * values rounded one by one.
 */

#include "quant/expand.h"
#include "quant/groups-k.h"

/* Of the K types. */
peft_halves_fn peft_halves_q2_k, peft_halves_q3_k, peft_halves_q4_k,
    peft_halves_q5_k, peft_halves_q6_k, peft_halves_iq4_xs;

#ifdef __AVX512BF16__

INLINE __m512i
round2(__m512 low, __m512 high)
{
	return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* Where element `first' of a weight is: the first of a group. */
INLINE struct place
find(const struct peft_weight *w, size_t first)
{
	const struct peft_dtype_info *t = &peft_dtypes[w->dtype];

	return (struct place){ w, (const uint8_t *)w->data + first / t->block *
	    t->bytes, first };
}

static const float ramp[32] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
	31 };

/* table[low five bits of each word]. */
INLINE void
look(uint16_t *dst, __m512i t, __m512i codes)
{
	_mm512_storeu_si512(dst, _mm512_permutexvar_epi16(codes, t));
}

/* 16 bytes, a nibble in each word's low four bits: of each byte the high one
 * first. */
INLINE __m512i
nibble_pairs(const uint8_t *p)
{
	__m512i b = l_bytes(p);

	return _mm512_or_si512(_mm512_srli_epi32(b, 4),
	    _mm512_slli_epi32(b, 16));
}

/* The same: all low ones first. */
INLINE __m512i
nibble_halves(const uint8_t *p)
{
	__m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);

	return _mm512_cvtepu8_epi16(_mm256_inserti128_si256(
	    _mm256_castsi128_si256(b), _mm_srli_epi16(b, 4), 1));
}

/* Tables of 16 are there twice, whatever the fifth bit is. */
INLINE __m512i
twice(__m512 t)
{
	return round2(t, t);
}

#endif

#endif
