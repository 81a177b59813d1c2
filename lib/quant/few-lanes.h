/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_FEW_LANES_H
#define PEFT_QUANT_FEW_LANES_H

/*
 * Lanes of f32 for few.inc: 16 with AVX-512, 8 with AVX2, and 8 in plain C,
 * which is the twin that says what each means.
 */

#include <stdint.h>
#include <string.h>

#include "base/half.h"

#define INLINE	static inline __attribute__((always_inline))

#if defined(__AVX512F__)

#include <immintrin.h>

enum { LANES = 16 };
typedef __m512 lanes;
typedef __m512i words;

INLINE lanes l_zero(void) { return _mm512_setzero_ps(); }
INLINE lanes l_set(float f) { return _mm512_set1_ps(f); }
INLINE lanes l_load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void l_store(float *p, lanes a) { _mm512_storeu_ps(p, a); }
INLINE lanes l_mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
INLINE lanes l_add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
INLINE lanes l_sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
#define l_fma(a, b, c)	_mm512_fmadd_ps(a, b, c)
INLINE lanes l_float(words w) { return _mm512_cvtepi32_ps(w); }
INLINE words l_high(words w) { return _mm512_srli_epi32(w, 4); }
INLINE words l_or(words a, words b) { return _mm512_or_si512(a, b); }

INLINE words
l_bits(words w, int shift, int mask, int left)
{
	return _mm512_slli_epi32(_mm512_and_si512(_mm512_srli_epi32(w,
	    (unsigned)shift), _mm512_set1_epi32(mask)), (unsigned)left);
}

INLINE words
l_bytes(const uint8_t *p)
{
	return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)
	    (const void *)p));
}

INLINE words
l_signed(const uint8_t *p)
{
	return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)
	    (const void *)p));
}

/* 8 bytes, each twice: the high nibble first, in the low four bits */
INLINE words
l_pairs(const uint8_t *p)
{
	const __m128i twice = _mm_set_epi8(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2,
	    1, 1, 0, 0);
	const __m512i shift = _mm512_set_epi32(0, 4, 0, 4, 0, 4, 0, 4, 0, 4,
	    0, 4, 0, 4, 0, 4);

	return _mm512_srlv_epi32(_mm512_cvtepu8_epi32(_mm_shuffle_epi8(
	    _mm_loadl_epi64((const __m128i *)(const void *)p), twice)), shift);
}

/* table[low four bits]; the table is 16 f32 */
typedef __m512 table;
INLINE table l_table(const float *p) { return _mm512_loadu_ps(p); }
#define l_table_scaled(t, f)	_mm512_mul_ps(t, _mm512_set1_ps(f))
INLINE lanes l_look(table t, words w) { return _mm512_permutexvar_ps(w, t); }

/* Low and high nibbles of 16 bytes, q d + m. */
INLINE void
l_nibbles(const uint8_t *p, lanes d, lanes m, lanes out[2])
{
	const __m512 ramp = _mm512_set_ps(15, 14, 13, 12, 11, 10, 9, 8, 7, 6,
	    5, 4, 3, 2, 1, 0);
	__m512 t = _mm512_add_ps(_mm512_mul_ps(ramp, d), m);
	words q = l_bytes(p);

	out[0] = _mm512_permutexvar_ps(q, t);
	out[1] = _mm512_permutexvar_ps(l_high(q), t);
}

INLINE lanes
l_halves(const uint8_t *p)
{
	return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)
	    (const void *)p));
}

INLINE lanes
l_bfloats(const uint8_t *p)
{
	return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(
	    _mm256_loadu_si256((const __m256i *)(const void *)p)), 16));
}

/* One f16 in every lane (two bytes behind it are read, too); two, each in every
 * lane.  By way of memory, which has broadcasts that take no shuffle: there
 * are more of these than the processor has room for. */
INLINE lanes
l_half(const uint8_t *p)
{
	int32_t more;
	float f[4];

	memcpy(&more, p, sizeof(more));
	_mm_storeu_ps(f, _mm_cvtph_ps(_mm_cvtsi32_si128(more)));
	__asm__("" : "+m"(f));
	return _mm512_set1_ps(f[0]);
}

INLINE void
l_half2(const uint8_t *p, lanes *a, lanes *b)
{
	int32_t both;
	float f[4];

	memcpy(&both, p, sizeof(both));
	_mm_storeu_ps(f, _mm_cvtph_ps(_mm_cvtsi32_si128(both)));
	__asm__("" : "+m"(f));
	*a = _mm512_set1_ps(f[0]);
	*b = _mm512_set1_ps(f[1]);
}

INLINE __m128
l_quarter(lanes a)
{
	__m256 h = _mm256_add_ps(_mm512_castps512_ps256(a),
	    _mm512_extractf32x8_ps(a, 1));

	return _mm_add_ps(_mm256_castps256_ps128(h),
	    _mm256_extractf128_ps(h, 1));
}

#elif defined(__AVX2__)

#include <immintrin.h>

enum { LANES = 8 };
typedef __m256 lanes;
typedef __m256i words;

INLINE lanes l_zero(void) { return _mm256_setzero_ps(); }
INLINE lanes l_set(float f) { return _mm256_set1_ps(f); }
INLINE lanes l_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void l_store(float *p, lanes a) { _mm256_storeu_ps(p, a); }
INLINE lanes l_mul(lanes a, lanes b) { return _mm256_mul_ps(a, b); }
INLINE lanes l_add(lanes a, lanes b) { return _mm256_add_ps(a, b); }
INLINE lanes l_sub(lanes a, lanes b) { return _mm256_sub_ps(a, b); }
#define l_fma(a, b, c)	_mm256_fmadd_ps(a, b, c)
INLINE lanes l_float(words w) { return _mm256_cvtepi32_ps(w); }
INLINE words l_high(words w) { return _mm256_srli_epi32(w, 4); }
INLINE words l_or(words a, words b) { return _mm256_or_si256(a, b); }

INLINE words
l_bits(words w, int shift, int mask, int left)
{
	return _mm256_slli_epi32(_mm256_and_si256(_mm256_srli_epi32(w, shift),
	    _mm256_set1_epi32(mask)), left);
}

INLINE words
l_bytes(const uint8_t *p)
{
	return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)
	    (const void *)p));
}

INLINE words
l_signed(const uint8_t *p)
{
	return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)
	    (const void *)p));
}

INLINE words
l_pairs(const uint8_t *p)
{
	const __m128i twice = _mm_set_epi8(0, 0, 0, 0, 0, 0, 0, 0, 3, 3, 2, 2,
	    1, 1, 0, 0);
	const __m256i shift = _mm256_set_epi32(0, 4, 0, 4, 0, 4, 0, 4);
	int32_t four;

	memcpy(&four, p, sizeof(four));
	return _mm256_srlv_epi32(_mm256_cvtepu8_epi32(_mm_shuffle_epi8(
	    _mm_cvtsi32_si128(four), twice)), shift);
}

typedef struct { __m256 low, high; } table;

INLINE table
l_table(const float *p)
{
	return (table){ _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8) };
}

INLINE table
l_table_scaled(table t, float f)
{
	return (table){ l_mul(t.low, l_set(f)), l_mul(t.high, l_set(f)) };
}

/* bit 3 says which half */
INLINE lanes
l_look(table t, words w)
{
	return _mm256_blendv_ps(_mm256_permutevar8x32_ps(t.low, w),
	    _mm256_permutevar8x32_ps(t.high, w),
	    _mm256_castsi256_ps(_mm256_slli_epi32(w, 28)));
}

INLINE void
l_nibbles(const uint8_t *p, lanes d, lanes m, lanes out[4])
{
	const __m256i low = _mm256_set1_epi32(15);
	int i;

#pragma GCC unroll 2
	for (i = 0; i < 2; i++) {
		words q = l_bytes(p + 8 * i);

		out[i] = l_add(l_mul(l_float(_mm256_and_si256(q, low)), d),
		    m);
		out[i + 2] = l_add(l_mul(l_float(l_high(q)), d), m);
	}
}

INLINE lanes
l_halves(const uint8_t *p)
{
	return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)
	    (const void *)p));
}

INLINE lanes
l_bfloats(const uint8_t *p)
{
	return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(
	    _mm_loadu_si128((const __m128i *)(const void *)p)), 16));
}

INLINE lanes
l_half(const uint8_t *p)
{
	return _mm256_cvtph_ps(_mm_set1_epi16((short)peft_load16(p)));
}

INLINE void
l_half2(const uint8_t *p, lanes *a, lanes *b)
{
	*a = l_half(p);
	*b = l_half(p + 2);
}

INLINE __m128
l_quarter(lanes a)
{
	return _mm_add_ps(_mm256_castps256_ps128(a),
	    _mm256_extractf128_ps(a, 1));
}

#else

enum { LANES = 8 };
typedef struct { float f[LANES]; } lanes;

#define EACH(expr) \
	lanes r; int i; \
	for (i = 0; i < LANES; i++) r.f[i] = (expr); \
	return r

INLINE lanes l_set(float f) { EACH(f); }
INLINE lanes l_zero(void) { return l_set(0); }
INLINE lanes l_load(const float *p) { EACH(p[i]); }
INLINE void l_store(float *p, lanes a) { memcpy(p, a.f, sizeof(a.f)); }
INLINE lanes
l_fma(lanes a, lanes b, lanes c)
{
	EACH(a.f[i] * b.f[i] + c.f[i]);
}


INLINE float
l_sum(lanes a)
{
	int n, i;

	for (n = LANES / 2; n > 0; n /= 2)
		for (i = 0; i < n; i++)
			a.f[i] += a.f[i + n];
	return a.f[0];
}

INLINE void
l_sum4(const lanes *a, size_t step, float out[4])
{
	size_t i;

	for (i = 0; i < 4; i++)
		out[i] = l_sum(a[i * step]);
}

#endif

#ifdef __AVX2__
INLINE float
l_sum(lanes a)
{
	__m128 q = l_quarter(a);

	q = _mm_add_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}

/* The same of four, `step' apart. */
INLINE void
l_sum4(const lanes *a, size_t step, float out[4])
{
	__m128 q0 = l_quarter(a[0]), q1 = l_quarter(a[step]);
	__m128 q2 = l_quarter(a[2 * step]), q3 = l_quarter(a[3 * step]);

	q0 = _mm_add_ps(_mm_movelh_ps(q0, q1), _mm_movehl_ps(q1, q0));
	q2 = _mm_add_ps(_mm_movelh_ps(q2, q3), _mm_movehl_ps(q3, q2));
	_mm_storeu_ps(out, _mm_add_ps(
	    _mm_shuffle_ps(q0, q2, _MM_SHUFFLE(2, 0, 2, 0)),
	    _mm_shuffle_ps(q0, q2, _MM_SHUFFLE(3, 1, 3, 1))));
}
#endif

#endif
