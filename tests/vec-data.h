/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_VEC_DATA_H
#define TESTS_VEC_DATA_H

/*
 * For tests of vector kernels: values, how near a result has to be, and the
 * same tests for all sizes on each path.
 *
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

static inline void
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
static inline int
near(double got, double want, double tol)
{
	return fabs(got - want) <= tol;
}

static inline int
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

static inline double
sum_bound(size_t size)
{
	return ((double)size / 32 + 8) * EPS;
}

/* A kernel against the plain one, over so many values. */
struct vec_test {
	const char	*what;
	int		(*test)(const struct peft_vec *, struct data *, size_t);
};

static inline void
test_sizes(const struct peft_vec *v, struct data *d,
    const struct vec_test *tests, size_t n)
{
	size_t i, s;

	for (i = 0; i < n; i++) {
		int good = 1;

		for (s = 0; s < NSIZES; s++)
			good = tests[i].test(v, d, sizes[s]) && good;
		ok(good, "%s: %s", v->name, tests[i].what);
	}
}

/* The tests of a path, on each that this processor has. */
static inline int
test_paths(void (*test_path)(const struct peft_vec *, struct data *))
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

#endif
