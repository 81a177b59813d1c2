/* SPDX-License-Identifier: Apache-2.0 */
/* More of encode-fit.c in lanes: code by code, codes anew, nearest points. */

#include <immintrin.h>

#include "quant/encode-lanes.inc"

/* One code of each group, where another is better for the scale that the
 * rest would have; which they are. */
static inline whole
improve(lanes x, lanes *q, lanes *sxl, lanes *sll)
{
	lanes w = x * x, sx = *sxl - w * x * *q, sl = *sll - w * *q * *q;
	lanes better = code(x * sl / sx, -4, 3);
	whole yes = (sx > 0) & (better != *q);

	sx += w * x * better;
	sl += w * better * better;
	yes &= (sl > 0) & (sx * sx * *sll > *sxl * *sxl * sl);
	*q = pick(yes, better, *q);
	*sxl = pick(yes, sx, *sxl);
	*sll = pick(yes, sl, *sll);
	return yes;
}

/* Sixteen groups, so that one eight can wait for the other.  A group that a
 * round leaves as it is stays so in the next one. */
void
peft_coded_avx2(const float from[256], uint8_t to[256], float to_scale[16])
{
	lanes x[2][16], w[16], q[2][16], max, sxl[2], sll[2], zero = { 0 };
	whole none[2], more = { -1 };
	int round, h;
	size_t i;

	for (h = 0; h < 2; h++) {
		gather(from + 128 * h, 16, x[h]);
		for (i = 0; i < 16; i++)
			w[i] = x[h][i] * x[h][i];
		max = largest(x[h], 16, &none[h]);
		codes(x[h], w, 16, 4, -4 / max, q[h], &sxl[h], &sll[h]);
	}
	for (round = 0; round < 5 && !every(more == 0); round++)
		for (more = (whole){ 0 }, i = 0; i < 16; i++) {
			more |= improve(x[0][i], &q[0][i], &sxl[0],
			    &sll[0]) & ~none[0];
			more |= improve(x[1][i], &q[1][i], &sxl[1],
			    &sll[1]) & ~none[1];
		}
	for (h = 0; h < 2; h++) {
		for (i = 0; i < 16; i++)
			q[h][i] = pick(none[h], zero - 4, q[h][i]);
		scatter(q[h], 4, 16, to + 128 * h);
		put(pick(none[h] | ~(sll[h] > 0), zero, sxl[h] / sll[h]),
		    to_scale + 8 * h);
	}
}

void
peft_again_avx2(const float *x, size_t n, float scale, float offset, int least,
    int most, int add, uint8_t *q)
{
	typedef uint8_t bytes __attribute__((vector_size(8)));
	size_t i;

	for (i = 0; scale != 0 && i < n; i += 8) {
		lanes v;
		bytes b;

		memcpy(&v, x + i, sizeof(v));
		v = code((v + offset) / scale, least, most) + (float)add;
		b = __builtin_convertvector(__builtin_convertvector(v, whole),
		    bytes);
		memcpy(q + i, &b, sizeof(b));
	}
}

/* Eight coordinates as numbers. */
static inline whole
widen(const uint8_t *p)
{
	typedef uint8_t bytes __attribute__((vector_size(8)));
	bytes b;

	memcpy(&b, p, sizeof(b));
	return __builtin_convertvector(b, whole);
}

/* Eight points at a time; each lane keeps its first best one. */
size_t
peft_nearest_avx2(const struct peft_near *near, size_t dims, const float *x,
    const float *w, const float values[8], float scale)
{
	whole at = { 0 }, place = { 0, 1, 2, 3, 4, 5, 6, 7 }, better;
	lanes least = (lanes){ 0 } + 0x1.fffffep127f, v, sum, off;
	size_t i, j, best = 0;

	memcpy(&v, values, sizeof(v));
	for (j = 0; j < near->room; j += 8, place += 8) {
		sum = (lanes){ 0 };
		for (i = 0; i < dims; i++) {
			off = (lanes)_mm256_permutevar8x32_ps((__m256)v,
			    (__m256i)widen(near->coords + i * near->room + j));
			off = scale * off - x[i];
			sum += w[i] * off * off;
		}
		better = sum < least;
		least = pick(better, sum, least);
		at = pick_whole(better, place, at);
	}
	for (i = 1; i < 8; i++)
		if (least[i] < least[best] || (least[i] == least[best] &&
		    at[i] < at[best]))
			best = i;
	return (size_t)at[best];
}
