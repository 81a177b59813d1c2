/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Few tokens by whole numbers, of one byte to three: every path has the bits
 * of the plain one, whatever the number of tokens; and those are near sums
 * in double.
 */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/rng.h"
#include "quant/few-fixed.h"
#include "quant/quant.h"
#include "quant/way.h"
#include "noise.h"
#include "tap.h"

#define EPS	0x1p-24

enum { MOST = 32, GAP = 3, GROUP = 32 };

/* What tokens hold. */
enum fill { NOISE, OUTLIERS, TINY, EDGES };

static float *
values(size_t n, enum fill fill)
{
	struct peft_rng key = peft_rng_key(7, "few-unit");
	/* around where the power of two changes, and where bytes carry */
	static const float edges[] = { 0x1.fdfdfcp0f, 0x1.fdfdfep0f, 0, -1,
	    0x1.fffffep0f, 0x1p-7f, -0x1.01p-7f, 0x1p-22f, 0x1p-23f };
	float *x = must(malloc(n * sizeof(*x)));
	size_t i;

	for (i = 0; i < n; i++) {
		x[i] = (float)(2 * peft_rng_uniform(key, 0, i) - 1);
		if (fill == OUTLIERS && i % 41 == 0)
			x[i] *= 3e4f;
		if (fill == TINY)
			x[i] *= i % 3 == 0 ? 1e-38f : 1e-30f;
		if (fill == EDGES)
			x[i] = edges[i * 7 % (sizeof(edges) /
			    sizeof(edges[0]))];
	}
	return x;
}

static struct peft_weight
stored(enum peft_dtype t, size_t rows, size_t cols)
{
	float *x = values(rows * cols, NOISE);
	uint8_t *data = must(malloc(rows * cols * sizeof(float)));
	struct peft_err err = { 0 };

	if (peft_encode(t, x, rows * cols, data, &err) == -1)
		exit(1);
	free(x);
	return (struct peft_weight){ .dtype = t, .ndim = 2, .rows = rows,
	    .cols = cols, .nelem = rows * cols, .data = data };
}

/* y [T, rows] of one path, from x [T, cols], of some bytes; in tasks of 32
 * rows. */
static float *
multiply(const struct peft_few_fixed *path, const struct peft_weight *w,
    int bytes, const float *x, size_t T)
{
	size_t groups = w->cols / GROUP, t, g, r, n, ldy = w->rows + GAP;
	size_t size = 2 * groups * sizeof(struct peft_fixed_piece);
	struct peft_fixed_piece *p = must(aligned_alloc(64, size));
	float *y = must(calloc(T * ldy, sizeof(*y)));
	struct peft_few f = { .w = w, .T = T, .ldy = ldy, .pieces = p,
	    .bytes = bytes };

	memset(p, 0, size);
	for (t = 0; t < T; t += n) {
		n = T - t < PEFT_FIXED_TOKENS ? T - t : PEFT_FIXED_TOKENS;
		for (g = 0; g < groups; g++)
			path->split(x + t * w->cols + g * GROUP, w->cols, n,
			    bytes, path->form(w), p + t / PEFT_FIXED_TOKENS *
			    groups + g);
	}
	for (r = 0; r < w->rows; r += 32) {
		f.row = r;
		f.n = w->rows - r < 32 ? w->rows - r : 32;
		f.y = y + r;
		path->rows(&f);
	}
	free(p);
	return y;
}

/*
 * Three roundings of a group's sum, and one for each that is added, of at most
 * the sum of the magnitudes (of halves that have scales of their own, twice as
 * many); and half a step of X, which is within 2^-23 of the group's largest, of
 * two bytes 2^-15, for each value.  Of one byte that is a 254th, and what the
 * scale and its reciprocal are rounded by: 127 times 2^-23 of a step.
 */
static bool
is_near(const struct peft_weight *w, int bytes, const float *x, size_t T,
    const float *y)
{
	float *row = must(malloc(w->cols * sizeof(*row)));
	static const double half[] = { 0, (1 + 0x1p-15) / 254, 0x1p-15,
	    0x1p-23 };
	size_t t, r, c, i;
	bool good = true;

	for (r = 0; r < w->rows; r++) {
		peft_decode(w, r * w->cols, w->cols, row);
		for (t = 0; t < T; t++) {
			const float *v = x + t * w->cols;
			double sum = 0, slack = 0, all = 0;

			for (c = 0; c < w->cols; c += GROUP) {
				double most = 0, lowest = 0, m = 0;

				for (i = c; i < c + GROUP; i++) {
					sum += (double)row[i] * (double)v[i];
					most = fmax(most, fabs((double)v[i]));
					lowest = fmin(lowest, (double)row[i]);
					m = fmax(m, fabs((double)row[i]));
				}
				/* codes and offset may each be as large as
				 * all of the range */
				m += fabs(lowest);
				all += GROUP * m * most;
				slack += GROUP * m * fmax(most * half[bytes],
				    0x1p-101);
			}
			good = good && fabs(sum - (double)y[t * (w->rows + GAP)
			    + r]) <= slack + EPS * all *
			    (double)(4 * w->cols / GROUP + 4);
		}
	}
	free(row);
	return good;
}

static bool
same_as_one(const struct peft_few_fixed *path, const struct peft_weight *w,
    int bytes, const float *x, size_t T, const float *y)
{
	size_t t, ldy = w->rows + GAP;
	bool good = true;

	for (t = 0; t < T; t++) {
		float *one = multiply(path, w, bytes, x + t * w->cols, 1);

		good = good && memcmp(one, y + t * ldy, ldy * sizeof(*y)) == 0;
		free(one);
	}
	return good;
}

static const size_t tokens[] = { 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 25, 32 };
enum { NTOKENS = sizeof(tokens) / sizeof(tokens[0]) };

static void
test_type(const struct peft_few_fixed *path, const char *name,
    enum peft_dtype type, int bytes)
{
	static const size_t shapes[][2] = { { 16, 32 }, { 17, 96 }, { 70, 64 },
	    { 33, 576 } };
	static const size_t blocks[][2] = { { 16, 256 }, { 39, 768 } };
	bool small = peft_dtypes[type].block <= GROUP;
	size_t n = small ? sizeof(shapes) / sizeof(shapes[0]) :
	    sizeof(blocks) / sizeof(blocks[0]);
	bool same = true, alone = true, near = true;
	size_t s, i;
	int fill;

	for (s = 0; s < n; s++)
		for (fill = NOISE; fill <= EDGES; fill++) {
			const size_t *of = small ? shapes[s] : blocks[s];
			struct peft_weight w = stored(type, of[0], of[1]);
			float *x = values(MOST * w.cols, (enum fill)fill);
			float *want = multiply(&peft_few_fixed_ref, &w, bytes,
			    x, MOST);

			near = near && is_near(&w, bytes, x, MOST, want);
			for (i = 0; i < NTOKENS; i++) {
				size_t T = tokens[i];
				float *y = multiply(path, &w, bytes, x, T);

				same = same && memcmp(y, want, T * (w.rows +
				    GAP) * sizeof(*y)) == 0;
				if (T == 9)
					alone = alone && same_as_one(path, &w,
					    bytes, x, T, y);
				free(y);
			}
			free(want);
			free((void *)(uintptr_t)w.data);
			free(x);
		}
	ok(same, "%s, %s, %d bytes: the bits of the plain path", name,
	    peft_dtypes[type].name, bytes);
	ok(alone, "%s, %s, %d bytes: those a token has alone", name,
	    peft_dtypes[type].name, bytes);
	ok(near, "%s, %s, %d bytes: near sums in double", name,
	    peft_dtypes[type].name, bytes);
}

/* What has no bounds makes its token's results NaN, and no other's. */
static void
test_infinite(const struct peft_few_fixed *path, const char *name, int bytes,
    size_t T)
{
	struct peft_weight w = stored(PEFT_Q4_1, 20, 64);
	float *x = values(T * w.cols, NOISE), *y;
	bool good = true;
	size_t t, r;

	x[2 * w.cols + 40] = INFINITY;
	x[4 * w.cols] = NAN;
	y = multiply(path, &w, bytes, x, T);
	for (t = 0; t < T; t++)
		for (r = 0; r < w.rows; r++)
			good = good && (t == 2 || t == 4) ==
			    !!isnan(y[t * (w.rows + GAP) + r]);
	ok(good, "%s, %d bytes, %zu tokens: what is not finite shows", name,
	    bytes, T);
	free((void *)(uintptr_t)w.data);
	free(x);
	free(y);
}

/* Two bytes are nearer to sums in double than what is rounded to bf16, by
 * far, also where one of the values stands out. */
static void
test_bytes(void)
{
	struct peft_weight w = stored(PEFT_Q8_0, 64, 576);
	float *row = must(malloc(w.cols * sizeof(*row)));
	int fill;

	for (fill = NOISE; fill <= OUTLIERS; fill++) {
		float *x = values(MOST * w.cols, (enum fill)fill);
		float *y = multiply(&peft_few_fixed_ref, &w, 2, x, MOST);
		double two = 0, bf16 = 0, sum, rounded, v;
		size_t t, r, c;

		for (r = 0; r < w.rows; r++) {
			peft_decode(&w, r * w.cols, w.cols, row);
			for (t = 0; t < MOST; t++) {
				sum = rounded = 0;
				for (c = 0; c < w.cols; c++) {
					v = (double)x[t * w.cols + c];
					sum += v * (double)row[c];
					rounded += (double)row[c] * (double)
					    peft_from_bf16(peft_to_bf16(
					    x[t * w.cols + c]));
				}
				v = (double)y[t * (w.rows + GAP) + r] - sum;
				two += v * v;
				bf16 += (rounded - sum) * (rounded - sum);
			}
		}
		ok(two * 100 < bf16, "two bytes are off by %.4f of what bf16 "
		    "is", sqrt(two / bf16));
		free(x);
		free(y);
	}
	free(row);
	free((void *)(uintptr_t)w.data);
}

static void
test_path(const struct peft_few_fixed *path, const char *name)
{
	static const enum peft_dtype types[] = { PEFT_Q4_0, PEFT_Q4_1,
	    PEFT_Q5_0, PEFT_Q5_1, PEFT_Q8_0, PEFT_Q3_K, PEFT_Q4_K, PEFT_Q5_K,
	    PEFT_Q6_K, PEFT_IQ4_NL, PEFT_IQ4_XS, PEFT_MXFP4 };
	int bytes;
	size_t i;

	for (bytes = 1; bytes <= 3; bytes++) {
		for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			test_type(path, name, types[i], bytes);
		test_infinite(path, name, bytes, 6);
		test_infinite(path, name, bytes, 13);
	}
}

int
main(void)
{
	static const char *const paths[] = { "avx2", "avx512", "amx" };
	struct peft_err err = { 0 };
	struct peft_cpu *cpu;
	size_t i;

	test_bytes();
	test_path(&peft_few_fixed_ref, "ref");
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if ((cpu = peft_cpu_open(1, &err)) == NULL)
			return 1;
		if (peft_cpu_limit(cpu, paths[i], &err) == 0 &&
		    peft_fixed_of(cpu) != NULL)
			test_path(peft_fixed_of(cpu), paths[i]);
		peft_cpu_close(cpu);
	}
	return tap_end();
}
