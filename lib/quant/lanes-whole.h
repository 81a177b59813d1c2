/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_LANES_WHOLE_H
#define PEFT_QUANT_LANES_WHOLE_H

/*
 * Whole numbers of 32 bits in lanes (lanes.h), and the four bytes of each, for
 * processors that sum products of bytes (AVX-512 VNNI, AVX-VNNI):
 *
 *	l_dot		w + the four products of bytes, unsigned and signed
 *	l_four		four bytes of memory in each lane
 *	l_choose	bits of a where the mask's are set, else of b
 *	l_raised	n more in each byte where all of its `bits' are set
 *	l_shuffle	byte by byte, one of the 16 of a table
 *	l_gather	the word at `at' of each row
 *	l_low_half, l_high_half	the f16 there is in a word
 *	l_turn		the same four bytes of LANES rows, for four such
 *	l_turn_floats	the same of rows that are anywhere
 *	l_line		a byte of each of 32 words, in their order
 */

#include "quant/lanes.h"

#ifdef __AVX512F__
#define OP(name)	_mm512_##name
#define BITS(name)	_mm512_##name##_si512
#else
#define OP(name)	_mm256_##name
#define BITS(name)	_mm256_##name##_si256
#endif

INLINE words l_plus(words a, words b) { return OP(add_epi32)(a, b); }
INLINE words l_minus(words a, words b) { return OP(sub_epi32)(a, b); }
INLINE words l_times_each(words a, words b) { return OP(mullo_epi32)(a, b); }
INLINE words l_and(words a, words b) { return BITS(and)(a, b); }
INLINE words l_xor(words a, words b) { return BITS(xor)(a, b); }
INLINE words l_larger(words a, words b) { return OP(max_epi32)(a, b); }
INLINE words l_smaller(words a, words b) { return OP(min_epi32)(a, b); }
INLINE lanes l_ratio(lanes a, lanes b) { return OP(div_ps)(a, b); }
INLINE words l_nearest(lanes a) { return OP(cvtps_epi32)(a); }
#define l_up(w, n)	OP(slli_epi32)(w, n)
#define l_down(w, n)	OP(srli_epi32)(w, n)
#define l_up_by(w, n)	OP(sll_epi32)(w, _mm_cvtsi32_si128(n))
#define l_down_signed(w, n)	OP(srai_epi32)(w, n)

#ifdef __AVX512F__
INLINE lanes l_as_floats(words w) { return _mm512_castsi512_ps(w); }
INLINE words l_as_words(lanes a) { return _mm512_castps_si512(a); }
INLINE void l_put(void *to, words w) { _mm512_storeu_si512(to, w); }
INLINE words l_get(const void *at) { return _mm512_loadu_si512(at); }
INLINE int l_largest(words w) { return _mm512_reduce_max_epi32(w); }
INLINE int l_total(words w) { return _mm512_reduce_add_epi32(w); }

INLINE words
l_dot(words sum, words codes, words x)
{
	return _mm512_dpbusd_epi32(sum, codes, x);
}

/* 0xca: bits of the second where the first's are set, else of the third */
#define l_choose(mask, a, b)	_mm512_ternarylogic_epi32(mask, a, b, 0xca)

INLINE words
l_raised(words w, words spread, words bits, int n)
{
	return _mm512_mask_add_epi8(w, _mm512_test_epi8_mask(spread, bits), w,
	    _mm512_set1_epi8((char)n));
}

INLINE words
l_table16(const void *p)
{
	return _mm512_broadcast_i32x4(_mm_loadu_si128(p));
}

INLINE words
l_gather(const void *at, words rows)
{
	return _mm512_i32gather_epi32(rows, at, 1);
}

INLINE lanes
l_low_half(words h)
{
	return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(h));
}

/* Sixteen bytes of each of four rows. */
INLINE words
l_quarters(const void *a, const void *b, const void *c, const void *d)
{
	words w = _mm512_castsi128_si512(_mm_loadu_si128(a));

	w = _mm512_inserti32x4(w, _mm_loadu_si128(b), 1);
	w = _mm512_inserti32x4(w, _mm_loadu_si128(c), 2);
	return _mm512_inserti32x4(w, _mm_loadu_si128(d), 3);
}
#define ROWS_OF(ROW)	l_quarters(ROW(0), ROW(4), ROW(8), ROW(12))

/* But the first n lanes. */
INLINE void
l_store_last(float *to, lanes a, size_t n)
{
	_mm512_mask_storeu_ps(to, (__mmask16)(0xffff << n), a);
}

INLINE __m256i
l_line(const words u[2], const int shift)
{
	return _mm256_set_m128i(_mm512_cvtepi32_epi8(l_down(u[1],
	    (unsigned)shift)), _mm512_cvtepi32_epi8(l_down(u[0],
	    (unsigned)shift)));
}
#else
INLINE lanes l_as_floats(words w) { return _mm256_castsi256_ps(w); }
INLINE words l_as_words(lanes a) { return _mm256_castps_si256(a); }
INLINE void l_put(void *to, words w) { _mm256_storeu_si256(to, w); }
INLINE words l_get(const void *at) { return _mm256_loadu_si256(at); }

INLINE int
l_largest(words w)
{
	__m128i a = _mm_max_epi32(_mm256_castsi256_si128(w),
	    _mm256_extracti128_si256(w, 1));

	a = _mm_max_epi32(a, _mm_shuffle_epi32(a, 0x4e));
	return _mm_cvtsi128_si32(_mm_max_epi32(a, _mm_shuffle_epi32(a,
	    0xb1)));
}

INLINE int
l_total(words w)
{
	__m128i a = _mm_add_epi32(_mm256_castsi256_si128(w),
	    _mm256_extracti128_si256(w, 1));

	a = _mm_add_epi32(a, _mm_shuffle_epi32(a, 0x4e));
	return _mm_cvtsi128_si32(_mm_add_epi32(a, _mm_shuffle_epi32(a,
	    0xb1)));
}

INLINE words
l_dot(words sum, words codes, words x)
{
	return _mm256_dpbusd_avx_epi32(sum, codes, x);
}

/* Masks are of whole bytes. */
#define l_choose(mask, a, b)	_mm256_blendv_epi8(b, a, mask)

INLINE words
l_raised(words w, words spread, words bits, int n)
{
	return _mm256_add_epi8(w, _mm256_and_si256(_mm256_cmpeq_epi8(
	    _mm256_and_si256(spread, bits), bits),
	    _mm256_set1_epi8((char)n)));
}

INLINE words
l_table16(const void *p)
{
	return _mm256_broadcastsi128_si256(_mm_loadu_si128(p));
}

INLINE words
l_gather(const void *at, words rows)
{
	return _mm256_i32gather_epi32(at, rows, 1);
}

INLINE lanes
l_low_half(words h)
{
	h = _mm256_and_si256(h, _mm256_set1_epi32(0xffff));
	return _mm256_cvtph_ps(_mm256_castsi256_si128(
	    _mm256_permute4x64_epi64(_mm256_packus_epi32(h, h), 0x08)));
}

#define ROWS_OF(ROW) \
	_mm256_set_m128i(_mm_loadu_si128(ROW(4)), _mm_loadu_si128(ROW(0)))

INLINE void
l_store_last(float *to, lanes a, size_t n)
{
	const __m256i ramp = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);

	_mm256_maskstore_ps(to, _mm256_cmpgt_epi32(ramp,
	    _mm256_set1_epi32((int)n - 1)), a);
}

INLINE __m256i
l_line(const words u[4], const int shift)
{
	const __m256i turns = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
	words b[4];
	int i;

#pragma GCC unroll 4
	for (i = 0; i < 4; i++)
		b[i] = l_and(l_down(u[i], shift), l_word(0xff));
	return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(
	    _mm256_packus_epi32(b[0], b[1]), _mm256_packus_epi32(b[2], b[3])),
	    turns);
}
#endif

INLINE words
l_four(const void *p)
{
	int32_t four;

	memcpy(&four, p, sizeof(four));
	return l_word(four);
}

INLINE words l_shuffle(words t, words w) { return OP(shuffle_epi8)(t, w); }
INLINE lanes l_high_half(words h) { return l_low_half(l_down(h, 16)); }

INLINE void
l_unpack(const words z[4], words out[4])
{
	words t[4];

	t[0] = OP(unpacklo_epi32)(z[0], z[1]);
	t[1] = OP(unpacklo_epi32)(z[2], z[3]);
	t[2] = OP(unpackhi_epi32)(z[0], z[1]);
	t[3] = OP(unpackhi_epi32)(z[2], z[3]);
	out[0] = OP(unpacklo_epi64)(t[0], t[1]);
	out[1] = OP(unpackhi_epi64)(t[0], t[1]);
	out[2] = OP(unpacklo_epi64)(t[2], t[3]);
	out[3] = OP(unpackhi_epi64)(t[2], t[3]);
}

INLINE void
l_turn(const uint8_t *at, size_t ld, words out[4])
{
	words z[4];
	int i;

#define ROW(r)	(const void *)(at + (r) * ld)
#pragma GCC unroll 4
	for (i = 0; i < 4; i++, at += ld)
		z[i] = ROWS_OF(ROW);
#undef ROW
	l_unpack(z, out);
}

/* Of rows from column c on. */
INLINE void
l_turn_floats(const float *const rows[LANES], size_t c, words out[4])
{
	words z[4];
	int i;

#define ROW(r)	(const void *)(rows[(r) + i] + c)
#pragma GCC unroll 4
	for (i = 0; i < 4; i++)
		z[i] = ROWS_OF(ROW);
#undef ROW
	l_unpack(z, out);
}

#undef ROWS_OF


#endif
