/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_ENCODE_LANES_H
#define PEFT_QUANT_ENCODE_LANES_H

/* Eight groups at once, a group to a lane: what is a condition in
 * encode-fit.c is a mask here.  For files that are compiled for AVX2. */

#include <math.h>
#include <string.h>

#include "quant/encode.h"

typedef float	lanes __attribute__((vector_size(32)));
typedef int32_t	whole __attribute__((vector_size(32)));

static inline lanes
pick(whole mask, lanes a, lanes b)
{
	return (lanes)(((whole)a & mask) | ((whole)b & ~mask));
}

static inline whole
pick_whole(whole mask, whole a, whole b)
{
	return (a & mask) | (b & ~mask);
}

static inline lanes
magnitude(lanes x)
{
	return (lanes)((whole)x & 0x7fffffff);
}

/* peft_nearest(), between limits. */
static inline lanes
code(lanes v, int32_t least, int32_t most)
{
	whole l = ((whole)(v + 0x1.8p23f) & 0x7fffff) - 0x400000;

	l = pick_whole(l < least, (whole){ 0 } + least, l);
	l = pick_whole(l > most, (whole){ 0 } + most, l);
	return __builtin_convertvector(l, lanes);
}

/* Value i of each of eight groups of n. */
static inline void
gather(const float *x, size_t n, lanes *to)
{
	size_t i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < 8; k++)
			to[i][k] = x[k * n + i];
}

static inline void
scatter(const lanes *q, float add, size_t n, uint8_t *to)
{
	size_t i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < 8; k++)
			to[k * n + i] = (uint8_t)(q[i][k] + add);
}

static inline void
put(lanes v, float to[8])
{
	size_t k;

	for (k = 0; k < 8; k++)
		to[k] = v[k];
}

static inline bool
every(whole mask)
{
	int32_t all = -1;
	size_t k;

	for (k = 0; k < 8; k++)
		all &= mask[k];
	return all != 0;
}

static inline void
codes(const lanes *x, const lanes *w, size_t n, int most, lanes inverse,
    lanes *q, lanes *sxl, lanes *sll)
{
	size_t i;

	*sxl = *sll = (lanes){ 0 };
	for (i = 0; i < n; i++) {
		q[i] = code(inverse * x[i], -most, most - 1);
		*sxl += w[i] * x[i] * q[i];
		*sll += w[i] * q[i] * q[i];
	}
}

static inline lanes
largest(const lanes *x, size_t n, whole *none)
{
	lanes amax = { 0 }, max = { 0 };
	whole better;
	size_t i;

	for (i = 0; i < n; i++) {
		better = magnitude(x[i]) > amax;
		amax = pick(better, magnitude(x[i]), amax);
		max = pick(better, x[i], max);
	}
	*none = amax < PEFT_FIT_ZERO;
	return max;
}

/* encode-avx2.c, encode-more-avx2.c */
void	peft_coded_avx2(const float x[256], uint8_t q[256], float scale[16]);
void	peft_again_avx2(const float *x, size_t n, float scale, float offset,
	    int least, int most, int add, uint8_t *q);
size_t	peft_nearest_avx2(const struct peft_near *, size_t dims,
	    const float *x, const float *w, const float values[8],
	    float scale);

#endif
