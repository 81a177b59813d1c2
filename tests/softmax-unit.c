/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vector kernels of attention, of each path, against their meaning in
 * double: softmax of a row, in parts and back, and over a page of a cache.
 */

#include "base/half.h"
#include "vec-data.h"
#include "model/ops-impl.h"

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

/* M queries together have the bits that each has alone. */
static bool
test_together(const struct peft_vec *v, struct data *d, size_t n,
    size_t tokens, size_t M)
{
	enum { GAP = 3 };
	size_t i, lds = PEFT_PAGE + GAP, ld = n + GAP;
	float *s = d->a[2], *y = d->a[3], *alone = d->b[3], row[PEFT_PAGE];
	const struct peft_page page = { d->a[1], d->a[2], false };
	bool good = true;

	if (M * ld > MOST || n * PEFT_PAGE > MOST)
		return true;
	v->page_scores(s, lds, d->a[0], ld, M, &page, n, 0.25f);
	for (i = 0; i < M; i++) {
		v->page_scores(row, 0, d->a[0] + i * ld, 0, 1, &page, n,
		    0.25f);
		good = good && memcmp(row, s + i * lds, sizeof(row)) == 0;
	}
	memcpy(alone, y, M * ld * sizeof(*y));
	v->page_values(y, ld, s, lds, M, &page, n, tokens);
	for (i = 0; i < M; i++)
		v->page_values(alone + i * ld, 0, s + i * lds, 0, 1, &page,
		    n, tokens);
	return good && memcmp(alone, y, M * ld * sizeof(*y)) == 0;
}

/* Queries against a page of keys, and a part of one's values. */
static int
test_page(const struct peft_vec *v, struct data *d, size_t size)
{
	size_t n = size * PEFT_PAGE <= MOST ? size : MOST / PEFT_PAGE, i, t;
	size_t tokens = size % PEFT_PAGE + 1;
	const struct peft_page page = { d->a[1], d->a[2], false };
	int good;

	fill(d, MOST, 1);
	for (t = 0; t < PEFT_PAGE; t++) {
		d->tol[t] = 0;
		for (i = 0; i < n; i++)
			d->tol[t] += fabs((double)d->a[0][i] *
			    (double)d->a[1][i * PEFT_PAGE + t]);
		d->tol[t] *= ((double)n + 4) * EPS;
	}
	v->page_scores(d->a[2], 0, d->a[0], 0, 1, &page, n, 0.25f);
	peft_vec_ref.page_scores(d->b[2], 0, d->a[0], 0, 1, &page, n,
	    0.25f);
	good = all_near(d->a[2], d->b[2], d->tol, PEFT_PAGE);
	for (i = 0; i < n; i++) {
		d->tol[i] = fabs((double)d->a[3][i]);
		for (t = 0; t < tokens; t++)
			d->tol[i] += fabs((double)d->a[4][t] *
			    (double)d->a[1][t * n + i]);
		d->tol[i] *= ((double)tokens + 2) * EPS;
	}
	v->page_values(d->a[3], 0, d->a[4], 0, 1, &page, n, tokens);
	peft_vec_ref.page_values(d->b[3], 0, d->a[4], 0, 1, &page, n,
	    tokens);
	good = all_near(d->a[3], d->b[3], d->tol, n) && good;
	for (i = 5; i <= 8; i++)
		good = test_together(v, d, n, tokens, i) && good;
	return good;
}

/* The same numbers in bf16 and in f32 give the same bits. */
static bool
test_widened(const struct peft_vec *v, struct data *d, size_t n,
    size_t tokens, size_t m)
{
	uint16_t *halves = malloc(n * PEFT_PAGE * sizeof(*halves));
	const struct peft_page page[2] = { { d->a[1], d->a[2], false },
	    { halves, d->a[2], true } };
	size_t i, k, lds = PEFT_PAGE;
	bool good;

	for (i = 0; i < n * PEFT_PAGE; i++) {
		halves[i] = peft_to_bf16(d->a[1][i]);
		d->a[1][i] = peft_from_bf16(halves[i]);
	}
	for (k = 0; k < 2; k++) {
		float *s = k == 0 ? d->a[2] : d->b[2];
		float *y = k == 0 ? d->a[3] : d->b[3];

		v->page_scores(s, lds, d->a[0], 1, m, &page[k], n, 0.25f);
		memcpy(y, d->a[4], (n + m) * sizeof(*y));
		v->page_values(y, 1, s, lds, 1, &page[k], n, tokens);
		v->page_values(y + n, 0, s, lds, m, &page[k], 1, tokens);
	}
	good = memcmp(d->a[2], d->b[2], m * lds * sizeof(float)) == 0 &&
	    memcmp(d->a[3], d->b[3], (n + m) * sizeof(float)) == 0;
	free(halves);
	return good;
}

static int
test_bf16(const struct peft_vec *v, struct data *d, size_t size)
{
	size_t n = size * PEFT_PAGE <= MOST - 8 ? size : MOST / PEFT_PAGE - 1;
	size_t m;
	int good = 1;

	for (m = 1; m <= 8; m++) {
		fill(d, MOST, 1);
		good = test_widened(v, d, n, size % PEFT_PAGE + 1, m) &&
		    test_widened(&peft_vec_ref, d, n, PEFT_PAGE, m) && good;
	}
	return good;
}

/* A soft cap of values from far below it to past it: e^2z is off by
 * (8 + 2 z) EPS of itself, its tanh by (1 - tanh^2) / 2 of that, which from
 * z = 5/8 on is less than 6 EPS of it; the divisions, differences and products
 * around it double that, and where z is small they are all there is. */
static int
test_cap(const struct peft_vec *v, struct data *d, size_t size)
{
	const float cap = 50;
	double want;
	int good = 1;
	size_t i;

	fill(d, size, 1);
	for (i = 0; i < size; i++) {
		d->a[0][i] *= powf(10, (float)(i % 8) - 5) * cap;
		d->b[0][i] = d->a[0][i];
	}
	d->a[0][0] = d->b[0][0] = -INFINITY;
	peft_cap_row(v, d->a[0], size, cap);
	for (i = 0; i < size; i++) {
		want = (double)cap * tanh((double)d->b[0][i] / (double)cap);
		good = good && near((double)d->a[0][i], want, 16 * EPS *
		    fabs(want));
	}
	return good;
}

static void
test_path(const struct peft_vec *v, struct data *d)
{
	static const struct vec_test tests[] = {
		{ "softmax, expsub, argmax", test_softmax },
		{ "softmax in parts, and back", test_parts },
		{ "attention over a page", test_page },
		{ "a page of bf16", test_bf16 },
		{ "a soft cap", test_cap },
	};

	test_sizes(v, d, tests, sizeof(tests) / sizeof(tests[0]));
}

int
main(void)
{
	return test_paths(test_path);
}
