/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The int8 kernels that this processor has, over shapes around the edges of
 * tiles, rows from bf16: sums exact where the scales are one, every kernel
 * with the bits of the plain one, errors within what rounding to 127 steps can
 * do.
 */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/rng.h"
#include "math/int8.h"
#include "quant/quant.h"
#include "tap.h"

enum { GAP = 3, MOST = 640 };		/* of k */

static const struct {
	size_t	m, n, k;
} shapes[] = {
	{ 1, 1, 1 }, { 2, 3, 5 }, { 6, 8, 64 }, { 7, 9, 63 }, { 14, 32, 64 },
	{ 15, 33, 65 }, { 16, 16, 128 }, { 17, 17, 31 }, { 29, 40, 127 },
	{ 31, 31, 97 }, { 32, 64, 96 }, { 33, 65, 100 }, { 48, 48, 128 },
	{ 71, 80, 113 }, { 64, 5, 2 }, { 15, 33, 129 }, { 33, 64, 192 },
	{ 31, 40, 300 }, { 16, 65, MOST }, { 65, 127, 128 },
};
enum { NSHAPE = sizeof(shapes) / sizeof(shapes[0]) };

/* a [m, k], w [n, k] and wt [k, n], its turn, with strides; c [m, n + GAP] */
struct set {
	size_t	 m, n, k, deep, ldc;
	float	*a, *w, *wt, *c;
};

static void *
must(size_t n)
{
	void *p = aligned_alloc(64, (n + 63) / 64 * 64);

	if (p == NULL) {
		puts("Bail out! no memory");
		exit(1);
	}
	return p;
}

static float
value(struct peft_rng key, size_t i, bool whole)
{
	double u = 2 * peft_rng_uniform(key, 0, i) - 1;

	return (float)(whole ? rint(u * 127) : u * u * u);
}

/* What the kernels turn to x: Hadamard's matrix of 64 / 8 is its own
 * inverse. */
static void
turn(float *x, size_t k)
{
	float y[64];
	size_t at, i, j;

	for (at = 0; at < k; at += 64) {
		for (i = 0; i < 64; i++)
			for (y[i] = 0, j = 0; j < 64; j++)
				y[i] += __builtin_parityll(i & j) ?
				    -x[at + j] : x[at + j];
		for (i = 0; i < 64; i++)
			x[at + i] = y[i] / 8;
	}
}

static void
turn_weights(struct set *s)
{
	size_t i, j;

	for (j = 0; j < s->n; j++) {
		float *w = s->w + j * (s->k + GAP);

		turn(w, s->k);
		for (i = 0; i < s->k; i++)
			s->wt[i * (s->n + GAP) + j] = w[i];
	}
}

/* What is turned to whole numbers, the largest 127, and has 8 bits at most
 * itself: eight times what adds up to that, in few places. */
static void
whole_step(struct peft_rng key, size_t at, bool extreme, float *x)
{
	int left = 127, part, sign = at % 3 == 0 ? -8 : 8;
	uint64_t i = at;
	size_t place;

	memset(x, 0, 64 * sizeof(*x));
	for (; left > 0; left -= part, i++) {
		part = extreme ? left : 1 + (int)(peft_rng_uniform(key, 1,
		    i) * left);
		place = (size_t)(peft_rng_uniform(key, 2, i) * 64);
		if (x[place] == 0)
			x[place] = (float)(sign * part);
		else
			part = 0;
	}
}

static void
fill_rows(struct set *s, struct peft_rng key, bool whole, bool extreme)
{
	size_t i, n = s->m * s->k;

	for (i = 0; i < n; i += whole ? 64 : 1)
		if (whole)
			whole_step(key, i, extreme, s->a + i);
		else
			s->a[i] = peft_from_bf16(peft_to_bf16(
			    extreme ? 127 : value(key, i, false)));
}

/* whole: what is turned to whole numbers, the largest of each 64 127, so that
 * scales are 1; extreme: to nothing but 127 and -127; both where k is a
 * multiple of 64, and short otherwise. */
static struct set
make(size_t which, bool whole, bool extreme)
{
	struct peft_rng key = peft_rng_key(which, "int8-unit");
	struct set s = { shapes[which].m, shapes[which].n, shapes[which].k, 0,
	    0, NULL, NULL, NULL, NULL };
	size_t i, j;

	s.deep = (s.k + PEFT_INT8_STEP - 1) / PEFT_INT8_STEP * PEFT_INT8_STEP;
	s.ldc = s.n + GAP;
	s.a = must(s.m * s.k * sizeof(float));
	s.w = must(s.n * (s.k + GAP) * sizeof(float));
	s.wt = must(s.k * (s.n + GAP) * sizeof(float));
	s.c = must(s.m * s.ldc * sizeof(float));
	fill_rows(&s, key, whole && s.k == s.deep, extreme);
	key = peft_rng_key(which, "int8-unit w");
	for (j = 0; j < s.n; j++)
		for (i = 0; i < s.k; i++)
			s.w[j * (s.k + GAP) + i] = s.wt[i * (s.n + GAP) + j] =
			    extreme || (whole && i % 64 == j % 64) ?
			    (j % 2 ? -127 : 127) :
			    value(key, j * s.k + i, whole);
	if (whole && s.k == s.deep)
		turn_weights(&s);
	for (i = 0; i < s.m * s.ldc; i++)
		s.c[i] = value(key, i, false);
	return s;
}

static void
clear(struct set *s)
{
	free(s->a);
	free(s->w);
	free(s->wt);
	free(s->c);
}

struct packed {
	char	*a, *b;
	size_t	 lda, ldb;
	float	*scale;
};

/* A part of a row, by way of bf16. */
static float
quantise(const struct peft_panel_int8 *p, void *to, const float *x, size_t k)
{
	uint16_t halves[PEFT_INT8_DEEP];
	size_t i;

	for (i = 0; i < k; i++)
		halves[i] = peft_to_bf16(x[i]);
	return p->quantise(to, halves, k);
}

/* What a kernel makes of both sides, from `at' on along k. */
static void
pack_part(const struct peft_panel_int8 *p, const struct set *s, bool cols,
    size_t at, struct packed to)
{
	size_t k = s->k - at < PEFT_INT8_DEEP ? s->k - at : PEFT_INT8_DEEP;
	size_t before = at + at / PEFT_INT8_DEEP * PEFT_INT8_TAIL, i, j;

	for (i = 0; i < s->m; i++)
		to.scale[i] = quantise(p, to.a + (i * to.lda + at) * p->size,
		    s->a + i * s->k + at, k);
	for (j = 0; j < s->n; j += PEFT_PANEL) {
		size_t n = s->n - j < PEFT_PANEL ? s->n - j : PEFT_PANEL;
		char *panel = to.b + (j / PEFT_PANEL * to.ldb + before *
		    PEFT_PANEL) * p->size;

		if (cols)
			p->cols(s->wt + at * (s->n + GAP) + j, s->n + GAP, k,
			    n, panel);
		else
			p->rows(s->w + j * (s->k + GAP) + at, s->k + GAP, n,
			    k, panel);
	}
}

/* C by kernel p, panels from rows or from columns. */
static float *
product(const struct peft_panel_int8 *p, const struct set *s, bool cols,
    bool add)
{
	size_t np = (s->n + PEFT_PANEL - 1) / PEFT_PANEL;
	size_t lda = s->deep + PEFT_INT8_STEP;
	size_t parts = (s->deep + PEFT_INT8_DEEP - 1) / PEFT_INT8_DEEP, at;
	size_t ldb = (s->deep + parts * PEFT_INT8_TAIL) * PEFT_PANEL;
	size_t rows = (s->m + 31) / 32 * 32;
	char *a = must(rows * lda * p->size), *b = must(np * ldb * p->size);
	float *scale = must(parts * s->m * sizeof(float));
	float *c = must(s->m * s->ldc * sizeof(float));
	struct peft_block block = { .m = s->m, .n = s->n, .k = s->deep,
	    .a = a, .lda = lda, .b = b, .ldb = ldb, .c = c, .ldc = s->ldc,
	    .add = add, .scale = scale, .lds = s->m };

	memset(a, 0xa5, rows * lda * p->size);
	memcpy(c, s->c, s->m * s->ldc * sizeof(float));
	for (at = 0; at < s->k; at += PEFT_INT8_DEEP)
		pack_part(p, s, cols, at, (struct packed){ a, b, lda, ldb,
		    scale + at / PEFT_INT8_DEEP * s->m });
	p->block(&block);
	free(a);
	free(b);
	free(scale);
	return c;
}

/* The largest of x when it has been turned. */
static double
most(const float *x, size_t n)
{
	float y[MOST] = { 0 };
	double top = 0;
	size_t i;

	memcpy(y, x, n * sizeof(*x));
	turn(y, (n + 63) / 64 * 64);
	for (i = 0; i < MOST; i++)
		top = fmax(top, fabs((double)y[i]));
	return top;
}

/* Each factor is off by half a step of its row's or column's at most, where
 * it has been turned: so a product of both is off by at most the half steps
 * times the sums of magnitudes there, which are at most sqrt(k) times the
 * length. */
static bool
right(const struct set *s, const float *c, bool exact, bool add)
{
	double *ha = must((s->m + s->n) * sizeof(*ha)), *hw = ha + s->m;
	const double deep = (double)s->deep;
	size_t i, j, k;
	bool good = true;

	for (i = 0; i < s->m; i++)
		ha[i] = most(s->a + i * s->k, s->k) / 254;
	for (j = 0; j < s->n; j++)
		hw[j] = most(s->w + j * (s->k + GAP), s->k) / 254;
	for (i = 0; i < s->m; i++)
		for (j = 0; j < s->ldc; j++) {
			const float *a = s->a + i * s->k;
			const float *w = s->w + j * (s->k + GAP);
			double before = (double)s->c[i * s->ldc + j];
			double got = (double)c[i * s->ldc + j];
			double sum = add ? before : 0, slack = fabs(sum);
			double aa = 0, ww = 0;

			if (j >= s->n) {
				good = good && got == before;
				continue;
			}
			for (k = 0; k < s->k; k++) {
				double x = (double)a[k], y = (double)w[k];

				sum += x * y;
				slack += fabs(x * y);
				aa += x * x;
				ww += y * y;
			}
			if (!exact)
				slack += 0x1p21 * (sqrt(deep * aa) * hw[j] +
				    sqrt(deep * ww) * ha[i] + deep * ha[i] *
				    hw[j]);
			/* whole sums have 24 bits, and so have products with
			 * scales of 1 */
			good = good && fabs(got - sum) <= (exact && !add ? 0 :
			    slack * 0x1p-21);
		}
	free(ha);
	return good;
}

/* The plain one against what the numbers are. */
static void
test_plain(void)
{
	bool good[2] = { true, true };
	size_t i;

	for (i = 0; i < 6 * NSHAPE; i++) {
		bool whole = i / 2 % 3 > 0, add = i % 2;
		struct set s = make(i / 6, whole, i / 2 % 3 > 1);
		bool exact = whole && s.k == s.deep;
		float *c = product(&peft_int8_ref, &s, false, add);

		good[exact] = right(&s, c, exact, add) && good[exact];
		free(c);
		clear(&s);
	}
	ok(good[1], "plain: whole numbers give exact sums");
	ok(good[0], "plain: others are off by what rounding does");
}

/* The others against that, from rows and from columns. */
static void
test_same(const struct peft_panel_int8 *p)
{
	bool good[2] = { true, true };
	size_t i;
	int cols;

	for (i = 0; i < 6 * NSHAPE; i++) {
		struct set s = make(i / 6, i / 2 % 3 > 0, i / 2 % 3 > 1);
		float *want = product(&peft_int8_ref, &s, false, i % 2);
		size_t bytes = s.m * s.ldc * sizeof(float);

		for (cols = 0; cols < 2; cols++) {
			float *c = product(p, &s, cols, i % 2);

			good[cols] = memcmp(c, want, bytes) == 0 &&
			    good[cols];
			free(c);
		}
		free(want);
		clear(&s);
	}
	ok(good[0], "%s: the bits of the plain kernel", p->name);
	ok(good[1], "%s: the same bits from columns", p->name);
}

/* One bad value in row 1 of A, or in column 1 of W. */
static void
test_bad(const struct peft_panel_int8 *p, float bad)
{
	struct set s = make(NSHAPE - 1, false, false);
	bool good = true;
	size_t i, j;
	float *c;

	s.a[s.k + 7] = bad;
	c = product(p, &s, false, false);
	for (j = 0; j < s.n; j++)
		good = good && !isfinite(c[s.ldc + j]) &&
		    isfinite(c[j]) && isfinite(c[2 * s.ldc + j]);
	free(c);
	s.a[s.k + 7] = 1;
	s.w[s.k + GAP + 9] = bad;
	c = product(p, &s, false, false);
	for (i = 0; i < s.m; i++)
		good = good && !isfinite(c[i * s.ldc + 1]) &&
		    isfinite(c[i * s.ldc]) && isfinite(c[i * s.ldc + 2]);
	free(c);
	clear(&s);
	ok(good, "%s: what comes of %f is not finite, all else is", p->name,
	    (double)bad);
}

/* Rows of zeros, and what is too small to be divided by. */
static void
test_small(const struct peft_panel_int8 *p)
{
	struct set s = make(NSHAPE - 1, false, false);
	bool good = true;
	size_t i, j;
	float *c;

	for (i = 0; i < s.k; i++) {
		s.a[i] = 0;
		s.a[s.k + i] = 1e-44f;
		s.w[i] = -0.0f;
	}
	c = product(p, &s, false, false);
	for (i = 0; i < s.m; i++)
		for (j = 0; j < s.n; j++)
			good = good && isfinite(c[i * s.ldc + j]) && (c[i *
			    s.ldc + j] == 0) == (i < 2 || j == 0);
	ok(good, "%s: zeros, and nearly zeros, are zeros", p->name);
	free(c);
	clear(&s);
}

int
main(void)
{
	size_t i;

	test_plain();
	for (i = 0; peft_int8_kernels[i] != NULL; i++) {
		const struct peft_panel_int8 *p = peft_int8_kernels[i];

		if (!p->here()) {
			printf("# this processor has no %s\n", p->name);
			continue;
		}
		test_same(p);
		test_bad(p, NAN);
		test_bad(p, -INFINITY);
		test_small(p);
	}
	return tap_end();
}
