/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vector kernels of each path against their meaning in double, but those
 * of attention (softmax-unit.c).
 */

#include "vec-data.h"

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

static void
test_path(const struct peft_vec *v, struct data *d)
{
	static const struct vec_test tests[] = {
		{ "dot, sumsq", test_sums },
		{ "axpy, scale, add, sum", test_plain },
		{ "rmsnorm and back", test_rmsnorm },
		{ "swiglu and back", test_swiglu },
		{ "rope and back", test_rope }, { "adamw", test_adamw },
		{ "nonfinite", test_nonfinite },
	};

	test_sizes(v, d, tests, sizeof(tests) / sizeof(tests[0]));
	ok(test_exp(v), "%s: exp", v->name);
}

int
main(void)
{
	return test_paths(test_path);
}
