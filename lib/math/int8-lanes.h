/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_INT8_LANES_H
#define PEFT_MATH_INT8_LANES_H

/* What quantising asks of vectors of f32 and int32, LANES wide, and no loop
 * of C is made into well.  For int8-pack.inc only. */

#include <immintrin.h>
#include <stdint.h>

typedef float peft_lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t peft_places __attribute__((vector_size(4 * LANES)));

#define LANEWISE static inline __attribute__((always_inline))

/* peft_step(a, sign, b): a * sign + b, sign being 1 or -1. */
#if defined(__AVX512F__) && LANES == 16
LANEWISE peft_lanes
peft_step(peft_lanes a, peft_lanes sign, peft_lanes b)
{
	return (peft_lanes)_mm512_fmadd_ps((__m512)a, (__m512)sign, (__m512)b);
}

LANEWISE peft_places
peft_larger(peft_places a, peft_places b)
{
	return (peft_places)_mm512_max_epi32((__m512i)a, (__m512i)b);
}

LANEWISE int32_t
peft_largest(peft_places a)
{
	return _mm512_reduce_max_epi32((__m512i)a);
}

/* To nearest, ties to even. */
LANEWISE peft_places
peft_nearest(peft_lanes x)
{
	return (peft_places)_mm512_cvtps_epi32((__m512)x);
}

/* 64 values of -128 .. 127, as 8 bits or 16 each. */
LANEWISE void
peft_put8(void *to, const peft_places v[4])
{
	const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13,
	    9, 5, 1, 12, 8, 4, 0);
	__m512i low = _mm512_packs_epi32((__m512i)v[0], (__m512i)v[1]);
	__m512i high = _mm512_packs_epi32((__m512i)v[2], (__m512i)v[3]);

	_mm512_storeu_si512(to, _mm512_permutexvar_epi32(order,
	    _mm512_packs_epi16(low, high)));
}

LANEWISE void
peft_put16(void *to, const peft_places v[4])
{
	int i;

	for (i = 0; i < 4; i++)
		_mm256_storeu_si256((__m256i *)to + i,
		    _mm512_cvtepi32_epi16((__m512i)v[i]));
}
#elif defined(__AVX2__) && LANES == 8
LANEWISE peft_lanes
peft_step(peft_lanes a, peft_lanes sign, peft_lanes b)
{
	return (peft_lanes)_mm256_fmadd_ps((__m256)a, (__m256)sign, (__m256)b);
}

LANEWISE peft_places
peft_larger(peft_places a, peft_places b)
{
	return (peft_places)_mm256_max_epi32((__m256i)a, (__m256i)b);
}

LANEWISE int32_t
peft_largest(peft_places a)
{
	__m128i m = _mm_max_epi32(_mm256_castsi256_si128((__m256i)a),
	    _mm256_extracti128_si256((__m256i)a, 1));

	m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
	return _mm_cvtsi128_si32(_mm_max_epi32(m, _mm_shuffle_epi32(m,
	    0xb1)));
}

LANEWISE peft_places
peft_nearest(peft_lanes x)
{
	return (peft_places)_mm256_cvtps_epi32((__m256)x);
}

LANEWISE void
peft_put8(void *to, const peft_places v[8])
{
	const __m256i order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
	int i;

	for (i = 0; i < 8; i += 4) {
		__m256i low = _mm256_packs_epi32((__m256i)v[i],
		    (__m256i)v[i + 1]);
		__m256i high = _mm256_packs_epi32((__m256i)v[i + 2],
		    (__m256i)v[i + 3]);

		_mm256_storeu_si256((__m256i *)to + i / 4,
		    _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high),
		    order));
	}
}

LANEWISE void
peft_put16(void *to, const peft_places v[8])
{
	int i;

	for (i = 0; i < 8; i += 2)
		_mm256_storeu_si256((__m256i *)to + i / 2,
		    _mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)v[i],
		    (__m256i)v[i + 1]), 0xd8));
}
#else
LANEWISE peft_lanes
peft_step(peft_lanes a, peft_lanes sign, peft_lanes b)
{
	return a * sign + b;
}

LANEWISE peft_places
peft_larger(peft_places a, peft_places b)
{
	peft_places from = a > b;

	return (a & from) | (b & ~from);
}

LANEWISE int32_t
peft_largest(peft_places a)
{
	int32_t most = 0;
	int i;

	for (i = 0; i < LANES; i++)
		most = a[i] > most ? a[i] : most;
	return most;
}

/* A sum with 1.5 * 2^23 is rounded to a whole number, which is then the low
 * bits. */
LANEWISE peft_places
peft_nearest(peft_lanes x)
{
	return (peft_places)(x + 0x1.8p23f) - 0x4b400000;
}

LANEWISE void
peft_put8(void *to, const peft_places *v)
{
	int8_t *p = to;
	int i;

	for (i = 0; i < 64; i++)
		p[i] = (int8_t)v[i / LANES][i % LANES];
}
#endif

#endif
