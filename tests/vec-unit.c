/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vector kernels of each path against their meaning in double.
 * Tolerances: EPS is half an ulp; a sum over n elements in 32
 * or more lanes is off by at most (n/32 + 8) EPS times the sum of the
 * magnitudes (n/32 sums a lane, 7 of the tree, a product).
 */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "math/cpu.h"
#include "math/vec.h"
#include "tap.h"

#define EPS	0x1p-24
#define TINY	1e-36		/* below that exp is 0 */

enum { MOST = 1536, NARRAY = 5 };

static const size_t sizes[] = { 1, 2, 3, 15, 16, 17, 63, 64, 65, 576, 1536 };
enum { NSIZES = sizeof(sizes) / sizeof(sizes[0]) };

/* Inputs, the same for got (a) and wanted (b). */
struct data {
	float	a[NARRAY][MOST], b[NARRAY][MOST];
	double	tol[MOST];
};

static void
fill(struct data *d, size_t size, double scale)
{
	struct peft_rng key = peft_rng_key(size, "vec-unit");
	size_t i, j;

	for (i = 0; i < NARRAY; i++)
		for (j = 0; j < size; j++)
			d->a[i][j] = d->b[i][j] = (float)(scale *
			    peft_rng_normal(key, i, j));
}

/* NaN is no match. */
static int
near(double got, double want, double tol)
{
	return fabs(got - want) <= tol;
}

static int
all_near(const float *got, const float *want, const double *tol, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (!near((double)got[i], (double)want[i], tol[i])) {
			printf("# element %zu of %zu: %.9g, should be %.9g\n",
			    i, size, (double)got[i], (double)want[i]);
			return 0;
		}
	return 1;
}

static double
sum_bound(size_t size)
{
	return ((double)size / 32 + 8) * EPS;
}

static int
test_sums(const struct peft_vec *v, struct data *d, size_t size)
{
	const float *x = d->a[0], *y = d->a[1];
	double dot = 0, magnitude = 0, squares = 0;
	size_t i;

	fill(d, size, 3);
	for (i = 0; i < size; i++) {
		double xy = (double)x[i] * (double)y[i];

		dot += xy;
		magnitude += fabs(xy);
		squares += (double)x[i] * (double)x[i];
	}
	return near((double)v->dot(x, y, size), dot, sum_bound(size) *
	    magnitude) && near(v->sumsq(x, size), squares, squares * 1e-12);
}

static int
test_plain(const struct peft_vec *v, struct data *d, size_t size)
{
	float *y = d->a[0], *x = d->a[1], *w = d->a[2], *want = d->b[0];
	int good;
	size_t i;

	fill(d, size, 3);
	for (i = 0; i < size; i++)
		d->tol[i] = 2 * EPS * (fabs((double)y[i]) +
		    fabs((double)x[i] * (double)w[i]));
	memcpy(want, y, size * sizeof(*y));
	v->muladd(y, x, w, size);
	peft_vec_ref.muladd(want, x, w, size);
	good = all_near(y, want, d->tol, size);
	v->mul(want, x, w, size);
	peft_vec_ref.mul(y, x, w, size);
	good = good && memcmp(y, want, size * sizeof(*y)) == 0;
	memcpy(want, x, size * sizeof(*x));
	v->mul(want, want, w, size);
	good = good && memcmp(y, want, size * sizeof(*y)) == 0;
	fill(d, size, 3);
	v->sum(want, x, 1, w, size);
	peft_vec_ref.sum(y, x, 1, w, size);
	good = good && memcmp(y, want, size * sizeof(*y)) == 0;
	for (i = 0; i < size; i++)
		d->tol[i] = EPS * (2 * fabs((double)x[i]) + 3 * 1.7 *
		    fabs((double)w[i]));
	memcpy(want, x, size * sizeof(*x));
	v->sum(want, want, 1.7f, w, size);
	peft_vec_ref.sum(y, x, 1.7f, w, size);
	good = good && all_near(want, y, d->tol, size);
	fill(d, size, 3);
	for (i = 0; i < size; i++)
		d->tol[i] = EPS * (2 * fabs((double)y[i]) + 3 * 1.7 *
		    fabs((double)x[i]));
	v->axpy(y, 1.7f, x, size);
	peft_vec_ref.axpy(want, 1.7f, x, size);
	good = all_near(y, want, d->tol, size) && good;
	memcpy(y, want, size * sizeof(*y));
	v->scale(y, 0.3f, size);
	v->add(y, x, size);
	peft_vec_ref.scale(want, 0.3f, size);
	peft_vec_ref.add(want, x, size);
	return good && memcmp(y, want, size * sizeof(*y)) == 0;
}

static int
test_rmsnorm(const struct peft_vec *v, struct data *d, size_t size)
{
	float *y = d->a[0], *x = d->a[1], *w = d->a[2], *dx = d->a[3];
	double r, s = 0;
	float got;
	size_t i;

	fill(d, size, 2);
	r = (double)peft_vec_ref.rmsnorm(d->b[0], x, w, size, 1e-5f);
	got = v->rmsnorm(y, x, w, size, 1e-5f);
	for (i = 0; i < size; i++)
		d->tol[i] = 5 * EPS * fabs((double)d->b[0][i]);
	if (!near((double)got, r, 2 * EPS * r) ||
	    !all_near(y, d->b[0], d->tol, size))
		return 0;
	for (i = 0; i < size; i++)
		s += fabs((double)w[i] * (double)y[i] * (double)x[i]);
	for (i = 0; i < size; i++)
		d->tol[i] = (sum_bound(size) + 8 * EPS) * r * r * r * s /
		    (double)size * fabs((double)x[i]) + 5 * EPS *
		    (fabs((double)dx[i]) + r * fabs((double)w[i] *
		    (double)y[i]));
	v->rmsnorm_back(dx, y, x, w, (float)r, size);
	peft_vec_ref.rmsnorm_back(d->b[3], y, x, w, (float)r, size);
	return all_near(dx, d->b[3], d->tol, size);
}

/* exp is within 4 EPS, and so is the sigmoid but for its sum and quotient. */
static int
test_swiglu(const struct peft_vec *v, struct data *d, size_t size)
{
	float *g = d->a[0], *u = d->a[1], *dy = d->a[2];
	float *dg = d->a[3], *du = d->a[4];
	size_t i;
	int good;

	fill(d, size, 6);
	g[0] = d->b[0][0] = size % 2 ? -120.0f : 120.0f;
	peft_vec_ref.swiglu(d->b[3], g, u, size);
	v->swiglu(dg, g, u, size);
	for (i = 0; i < size; i++)
		d->tol[i] = 9 * EPS * fabs((double)d->b[3][i]) + TINY * 1e3;
	good = all_near(dg, d->b[3], d->tol, size);
	peft_vec_ref.swiglu_back(d->b[3], d->b[4], dy, g, u, size);
	v->swiglu_back(dg, du, dy, g, u, size);
	for (i = 0; i < size; i++)
		d->tol[i] = 9 * EPS * fabs((double)d->b[4][i]) + TINY * 1e3;
	good = good && all_near(du, d->b[4], d->tol, size);
	/* 1 + x (1 - s) may cancel: off by its terms' errors */
	for (i = 0; i < size; i++) {
		double x = (double)g[i], s = 1 / (1 + exp(-x));

		d->tol[i] = 16 * EPS * (1 + fabs(x)) * s *
		    fabs((double)dy[i] * (double)u[i]) + TINY * 1e3;
	}
	return good && all_near(dg, d->b[3], d->tol, size);
}

static int
test_softmax(const struct peft_vec *v, struct data *d, size_t size)
{
	float *x = d->a[0], *p = d->a[1], max = -INFINITY, lse, got;
	size_t i;
	int good;

	fill(d, size, 20);
	for (i = 0; i < size; i++)
		max = x[i] > max ? x[i] : max;
	lse = peft_vec_ref.softmax(d->b[0], size);
	memcpy(p, x, size * sizeof(*p));
	/* the difference to the maximum is rounded before it is raised */
	for (i = 0; i < size; i++)
		d->tol[i] = (double)d->b[0][i] * (fabs((double)(x[i] - max)) *
		    EPS + 8 * EPS + sum_bound(size)) + TINY;
	got = v->softmax(p, size);
	good = all_near(p, d->b[0], d->tol, size) && near((double)got,
	    (double)lse, 2 * EPS * fabs((double)lse) + 8 * EPS +
	    sum_bound(size));
	memcpy(p, x, size * sizeof(*p));
	v->expsub(p, lse, size);
	memcpy(d->b[1], x, size * sizeof(*p));
	peft_vec_ref.expsub(d->b[1], lse, size);
	for (i = 0; i < size; i++)
		d->tol[i] = (double)d->b[1][i] * EPS * (8 +
		    fabs((double)(x[i] - lse))) + TINY;
	good = good && all_near(p, d->b[1], d->tol, size);
	return good && v->argmax(x, size) == peft_vec_ref.argmax(x, size);
}

enum { PARTS = 3, WIDE = 96 };	/* columns of a part, a multiple of 32 */

/* A row in parts, n of each there, whose largest is in the last but with
 * grows != 0: what came before is scaled, and all together is the softmax of
 * the whole. */
static int
parts_are_whole(const struct peft_vec *v, size_t n, int grows)
{
	struct peft_rng key = peft_rng_key(n, "parts");
	float x[PARTS][WIDE], want[PARTS * WIDE], a = 0.25f, f;
	float max = -INFINITY, sum = 0;
	double scale[PARTS] = { 1, 1, 1 }, lse, tol;
	size_t i, j, k;

	for (i = 0; i < PARTS; i++)
		for (j = 0; j < WIDE; j++) {
			x[i][j] = j < n ? (float)(4 * peft_rng_normal(key, i,
			    j)) + (float)(grows * 30 * (int)i) : -INFINITY;
			want[i * WIDE + j] = a * x[i][j];
		}
	lse = (double)peft_vec_ref.softmax(want, PARTS * WIDE);
	for (i = 0; i < PARTS; i++) {
		v->softmax_part(x[i], WIDE, 1, WIDE, a, &max, &sum, &f);
		for (k = 0; k < i; k++)
			scale[k] *= (double)f;
	}
	/* differences to the maximum, up to 40, are rounded before they are
	 * raised, once a part; then sums, products, quotient */
	tol = EPS * (PARTS * 40 + 32) + sum_bound(PARTS * WIDE);
	for (i = 0; i < PARTS; i++)
		for (j = 0; j < WIDE; j++)
			if (!near((double)x[i][j] * scale[i] / (double)sum,
			    (double)want[i * WIDE + j], tol *
			    (double)want[i * WIDE + j] + TINY))
				return 0;
	return near((double)max + log((double)sum), lse, tol + 2 * EPS *
	    fabs(lse));
}

/* Rows have the bits that each has alone; one that has seen nothing yet is 0,
 * and changes nothing. */
static int
rows_are_alone(const struct peft_vec *v)
{
	enum { ROWS = 5, NONE = 2, LD = WIDE + 3 };
	struct peft_rng key = peft_rng_key(ROWS, "rows");
	float x[ROWS][LD], one[LD], max[ROWS], sum[ROWS], f[ROWS];
	float top, total, g;
	size_t i, j;

	for (i = 0; i < ROWS; i++) {
		max[i] = i % 2 == 0 ? -INFINITY : (float)i - 2;
		sum[i] = i % 2 == 0 ? 0 : 1;
		for (j = 0; j < LD; j++)
			x[i][j] = i == NONE && j < WIDE ? -INFINITY :
			    (float)peft_rng_normal(key, i, j);
	}
	v->softmax_part(x[0], LD, ROWS, WIDE, 0.5f, max, sum, f);
	for (i = 0; i < ROWS; i++) {
		top = i % 2 == 0 ? -INFINITY : (float)i - 2;
		total = i % 2 == 0 ? 0 : 1;
		for (j = 0; j < LD; j++)
			one[j] = i == NONE && j < WIDE ? -INFINITY :
			    (float)peft_rng_normal(key, i, j);
		v->softmax_part(one, LD, 1, WIDE, 0.5f, &top, &total, &g);
		if (memcmp(x[i], one, sizeof(one)) != 0 || max[i] != top ||
		    sum[i] != total || f[i] != g)
			return 0;
	}
	for (j = 0; j < WIDE; j++)
		if (x[NONE][j] != 0)
			return 0;
	return sum[NONE] == 0 && max[NONE] == -INFINITY && f[NONE] == 1;
}

static int
test_parts(const struct peft_vec *v, struct data *d, size_t size)
{
	float *p = d->a[0], *dp = d->a[1], lse = 2.5f;
	size_t n = (size + 31) / 32 * 32, i;

	if (size < WIDE && !(rows_are_alone(v) &&
	    parts_are_whole(v, size, 0) &&
	    parts_are_whole(v, size, 1) && parts_are_whole(v, size, -1)))
		return 0;
	fill(d, n, 6);
	for (i = size; i < n; i++)
		p[i] = d->b[0][i] = -INFINITY;
	v->softmax_back(p, dp, n, 0.25f, lse, 0.5f, 0.75f);
	peft_vec_ref.softmax_back(d->b[0], d->b[1], n, 0.25f, lse, 0.5f,
	    0.75f);
	/* of the exponent, up to 10, and of dp - d, which may cancel */
	for (i = 0; i < n; i++)
		d->tol[i] = (double)d->b[0][i] * EPS * 24 + TINY;
	if (!all_near(p, d->b[0], d->tol, n))
		return 0;
	fill(d, n, 6);
	v->softmax_back(p, dp, n, 0, 0, 1, 0.75f);	/* weights of 1 */
	for (i = 0; i < n; i++)
		d->tol[i] = 2 * EPS * fabs((double)d->b[1][i] - 0.75);
	for (i = 0; i < n; i++)
		if (!near((double)dp[i], (double)d->b[1][i] - 0.75,
		    d->tol[i]))
			return 0;
	return 1;
}

/* A turn, and the same back: half-split, as formula (34) of the paper. */
static int
test_rope(const struct peft_vec *v, struct data *d, size_t size)
{
	size_t half = size / 2, i;
	float *x = d->a[0], *c = d->a[1], *s = d->a[2];

	fill(d, size, 2);
	for (i = 0; i < half; i++) {
		c[i] = (float)cos((double)i);
		s[i] = (float)sin((double)i);
		d->tol[i] = d->tol[i + half] = 4 * EPS * (fabs((double)x[i]) +
		    fabs((double)x[i + half]));
	}
	v->rope(x, c, s, half, 1);
	peft_vec_ref.rope(d->b[0], c, s, half, 1);
	if (!all_near(x, d->b[0], d->tol, 2 * half))
		return 0;
	v->rope(x, c, s, half, -1);
	fill(d, size, 2);
	memcpy(d->a[3], x, size * sizeof(*x));
	v->rope(x, c, s, half, 1);
	v->rope(x, c, s, half, -1);
	return all_near(x, d->a[0], d->tol, 2 * half);
}

static int
test_adamw(const struct peft_vec *v, struct data *d, size_t size)
{
	float *p = d->a[0], *g = d->a[1], *m = d->a[2], *vv = d->a[3];
	size_t i;

	fill(d, size, 1);
	for (i = 0; i < size; i++) {
		vv[i] = d->b[3][i] = fabsf(vv[i]);
		d->tol[i] = 8 * EPS * (fabs((double)m[i]) +
		    fabs((double)g[i]));
	}
	v->adamw(p, g, m, vv, size, 0.5f, 1e-2, 0.9, 0.999, 1e-8, 0.1, 0.19,
	    0.002);
	peft_vec_ref.adamw(d->b[0], g, d->b[2], d->b[3], size, 0.5f, 1e-2, 0.9,
	    0.999, 1e-8, 0.1, 0.19, 0.002);
	if (!all_near(m, d->b[2], d->tol, size))
		return 0;
	for (i = 0; i < size; i++)
		d->tol[i] = 4 * EPS * (double)d->b[3][i];
	if (!all_near(vv, d->b[3], d->tol, size))
		return 0;
	for (i = 0; i < size; i++)
		d->tol[i] = 4 * EPS * fabs((double)d->b[0][i]) + 1e-2 / 0.19 *
		    16 * EPS * (fabs((double)m[i]) + fabs((double)g[i])) /
		    sqrt((double)d->b[3][i] / 0.002);
	return all_near(p, d->b[0], d->tol, size);
}

static int
test_nonfinite(const struct peft_vec *v, struct data *d, size_t size)
{
	static const float bad[] = { NAN, INFINITY, -INFINITY };
	float *x = d->a[0];
	size_t i, b;

	fill(d, size, 1);
	x[size / 2] = 3.4e38f;
	if (v->nonfinite(x, size))
		return 0;
	for (i = 0; i < size; i++)
		for (b = 0; b < 3; b++) {
			float was = x[i];

			x[i] = bad[b];
			if (!v->nonfinite(x, size))
				return 0;
			x[i] = was;
		}
	/* and nothing on the way there hides it */
	x[size - 1] = NAN;
	v->softmax(x, size);
	return v->nonfinite(x, size);
}

/* Every 97th float of [-87, 87]: below, exp is 0. */
static int
test_exp(const struct peft_vec *v)
{
	double worst = 0, want, ulp;
	float x, y;
	uint32_t bits, sign;

	for (sign = 0; sign < 2; sign++)
		for (bits = 0; bits < 0x42ae0000u; bits += 97) {
			uint32_t u = bits | sign << 31;

			memcpy(&x, &u, sizeof(x));
			y = x;
			v->expsub(&y, 0, 1);
			want = exp((double)x);
			ulp = ldexp(1, ilogb(want) - 23);
			if (!(fabs((double)y - want) <= worst * ulp))
				worst = fabs((double)y - want) / ulp;
		}
	x = -INFINITY;
	v->expsub(&x, 0, 1);
	y = NAN;
	v->expsub(&y, 0, 1);
	printf("# exp: within %.2f ulp\n", worst);
	return worst <= 2 && x == 0 && isnan(y);
}

/* M queries together have the bits that each has alone. */
static bool
test_together(const struct peft_vec *v, struct data *d, size_t n,
    size_t tokens, size_t M)
{
	enum { GAP = 3 };
	size_t i, lds = PEFT_PAGE + GAP, ld = n + GAP;
	float *s = d->a[2], *y = d->a[3], *alone = d->b[3], row[PEFT_PAGE];
	bool good = true;

	if (M * ld > MOST || n * PEFT_PAGE > MOST)
		return true;
	v->page_scores(s, lds, d->a[0], ld, M, d->a[1], n, 0.25f);
	for (i = 0; i < M; i++) {
		v->page_scores(row, 0, d->a[0] + i * ld, 0, 1, d->a[1], n,
		    0.25f);
		good = good && memcmp(row, s + i * lds, sizeof(row)) == 0;
	}
	memcpy(alone, y, M * ld * sizeof(*y));
	v->page_values(y, ld, s, lds, M, d->a[1], n, tokens);
	for (i = 0; i < M; i++)
		v->page_values(alone + i * ld, 0, s + i * lds, 0, 1, d->a[1],
		    n, tokens);
	return good && memcmp(alone, y, M * ld * sizeof(*y)) == 0;
}

/* Queries against a page of keys, and a part of one's values. */
static int
test_page(const struct peft_vec *v, struct data *d, size_t size)
{
	size_t n = size * PEFT_PAGE <= MOST ? size : MOST / PEFT_PAGE, i, t;
	size_t tokens = size % PEFT_PAGE + 1 > PEFT_PAGE ? PEFT_PAGE :
	    size % PEFT_PAGE + 1;
	int good;

	fill(d, MOST, 1);
	for (t = 0; t < PEFT_PAGE; t++) {
		d->tol[t] = 0;
		for (i = 0; i < n; i++)
			d->tol[t] += fabs((double)d->a[0][i] *
			    (double)d->a[1][i * PEFT_PAGE + t]);
		d->tol[t] *= ((double)n + 4) * EPS;
	}
	v->page_scores(d->a[2], 0, d->a[0], 0, 1, d->a[1], n, 0.25f);
	peft_vec_ref.page_scores(d->b[2], 0, d->a[0], 0, 1, d->a[1], n,
	    0.25f);
	good = all_near(d->a[2], d->b[2], d->tol, PEFT_PAGE);
	for (i = 0; i < n; i++) {
		d->tol[i] = fabs((double)d->a[3][i]);
		for (t = 0; t < tokens; t++)
			d->tol[i] += fabs((double)d->a[4][t] *
			    (double)d->a[1][t * n + i]);
		d->tol[i] *= ((double)tokens + 2) * EPS;
	}
	v->page_values(d->a[3], 0, d->a[4], 0, 1, d->a[1], n, tokens);
	peft_vec_ref.page_values(d->b[3], 0, d->a[4], 0, 1, d->a[1], n,
	    tokens);
	good = all_near(d->a[3], d->b[3], d->tol, n) && good;
	for (i = 5; i <= 8; i++)
		good = test_together(v, d, n, tokens, i) && good;
	return good;
}

static void
test_path(const struct peft_vec *v, struct data *d)
{
	static const struct {
		const char	*what;
		int		(*test)(const struct peft_vec *, struct data *,
				    size_t);
	} tests[] = {
		{ "dot, sumsq", test_sums },
		{ "axpy, scale, add, sum", test_plain },
		{ "rmsnorm and back", test_rmsnorm },
		{ "swiglu and back", test_swiglu },
		{ "softmax, expsub, argmax", test_softmax },
		{ "softmax in parts, and back", test_parts },
		{ "rope and back", test_rope }, { "adamw", test_adamw },
		{ "nonfinite", test_nonfinite },
		{ "attention over a page", test_page },
	};
	size_t i, s;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		int good = 1;

		for (s = 0; s < NSIZES; s++)
			good = tests[i].test(v, d, sizes[s]) && good;
		ok(good, "%s: %s", v->name, tests[i].what);
	}
	ok(test_exp(v), "%s: exp", v->name);
}

int
main(void)
{
	static const char *const paths[] = { "ref", "avx2", "avx512" };
	static struct data d;
	struct peft_err err = { 0 };
	struct peft_cpu *cpu;
	size_t i;

	if ((cpu = peft_cpu_open(1, &err)) == NULL) {
		printf("Bail out! %s\n", err.msg);
		return 1;
	}
	printf("# %s\n", peft_cpu_describe(cpu));
	for (i = 0; i < 3; i++)
		if (peft_cpu_limit(cpu, paths[i], &err) == 0)
			test_path(peft_cpu_vec(cpu), &d);
		else
			ok(1, "%s # SKIP not on this processor", paths[i]);
	ok(peft_cpu_limit(cpu, "sse9", &err) == -1 &&
	    strstr(err.msg, "sse9") != NULL, "an unknown path is refused");
	peft_cpu_close(cpu);
	return tap_end();
}
