/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_LANES_H
#define PEFT_QUANT_LANES_H

/*
 * Lanes of f32 for groups.h and few.inc: 16 with AVX-512, 8 with AVX2, and 8
 * in plain C, for few.inc alone.  Besides the arithmetic, with AVX:
 *
 *	l_bytes, l_signed	a byte in each lane
 *	l_pairs		LANES nibbles, the high one of a byte first
 *	l_nibbles	32 nibbles q, all low ones first, as q d + m
 *	l_bits		(w >> shift & mask) << left
 *	l_ones		bit i << left		l_twos	bits 2i, 2i+1
 *	l_threes	bits 0-2, 3-5, 6-8, 9-11 of each 16-bit word
 *	l_flip		the sign changed where bit i is set
 *	l_look		table[low four bits]	l_look8	table[low three bits]
 *	l_times		w n, both less than 2^15
 *	l_sixteen	the bytes of four words; l_nibbles16: 16 low or high
 *			nibbles of memory
 *	l_less		sixteen less a number	l_pick	one of sixteen in each
 *
 * What l_twos and l_threes leave in higher bits l_look8 does not see, if a
 * table of four is there twice.
 */

#include <stdint.h>
#include <string.h>

#include "base/half.h"

#define INLINE	static inline __attribute__((always_inline))

#if defined(__AVX512F__)
#include "quant/lanes-avx512.inc"
#elif defined(__AVX2__)
#include "quant/lanes-avx2.inc"
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
/* All lanes as a tree; l_sum4 the same of four, `step' apart. */
INLINE float
l_sum(lanes a)
{
	__m128 q = l_quarter(a);

	q = _mm_add_ps(q, _mm_movehl_ps(q, q));
	return _mm_cvtss_f32(_mm_add_ss(q, _mm_movehdup_ps(q)));
}
#endif

#endif
