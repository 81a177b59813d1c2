/* SPDX-License-Identifier: Apache-2.0 */
/* Decompositions, against numpy's of the same matrices. */

#include <math.h>

#include "base/buf.h"
#include "golden-file.h"
#include "math/lowrank.h"
#include "tap.h"

/* usage: lowrank-unit GOLDEN   (tests/parity/lowrank_golden.py makes it) */

static size_t
cols_of(const struct golden *g, const char *a, const char *b, size_t *rows)
{
	char name[64];
	size_t i;

	snprintf(name, sizeof(name), "%s%s", a, b);
	for (i = 0; i < g->st.n; i++)
		if (strcmp(g->st.entries[i].name, name) == 0) {
			*rows = g->st.entries[i].shape[0];
			return g->st.entries[i].shape[1];
		}
	printf("Bail out! no %s\n", name);
	exit(1);
}

/* sum of (w - b a)^2 */
static double
distance(const float *w, const float *b, const float *a, size_t m, size_t n,
    size_t r)
{
	double sum = 0, d;
	size_t i, j, k;

	for (i = 0; i < m; i++)
		for (j = 0; j < n; j++) {
			d = (double)w[i * n + j];
			for (k = 0; k < r; k++)
				d -= (double)b[i * r + k] *
				    (double)a[k * n + j];
			sum += d * d;
		}
	return sum;
}

/* The largest |B^T B - diag s| and |A A^T - diag s|. */
static double
unbalanced(const float *b, const float *a, size_t m, size_t n, size_t r,
    const double *s)
{
	double most = 0, x, y;
	size_t i, j, k;

	for (i = 0; i < r; i++)
		for (j = 0; j < r; j++) {
			x = y = i == j ? -s[i] : 0;
			for (k = 0; k < m; k++)
				x += (double)b[k * r + i] *
				    (double)b[k * r + j];
			for (k = 0; k < n; k++)
				y += (double)a[i * n + k] *
				    (double)a[j * n + k];
			most = tap_worst(most, fmax(fabs(x), fabs(y)));
		}
	return most;
}

static void
test_low_rank(struct peft_cpu *cpu, const struct golden *g, const char *name)
{
	static const size_t ranks[] = { 1, 3, 8, 24 };
	struct peft_err err = { 0 };
	size_t m, n = cols_of(g, "w.", name, &m), i, k;
	const float *w = golden_get(g, "w.", name, NULL);
	char values[64];
	const double *s;
	float *b = peft_calloc(m * n, sizeof(*b), &err);
	float *a = peft_calloc(m * n, sizeof(*a), &err);

	need(a != NULL && b != NULL, &err);
	snprintf(values, sizeof(values), "%s.values", name);
	s = golden_get(g, "w.", values, NULL);
	for (i = 0; i < sizeof(ranks) / sizeof(ranks[0]); i++) {
		size_t r = ranks[i];
		double tail = 0, all = 0, d;

		for (k = 0; k < (m < n ? m : n); k++) {
			tail += k >= r ? s[k] * s[k] : 0;
			all += s[k] * s[k];
		}
		need(peft_low_rank(cpu, w, m, n, r, b, a, &err) == 0, &err);
		d = distance(w, b, a, m, n, r);
		/* factors are rounded to f32: each product by 2^-23 */
		ok(fabs(sqrt(d) - sqrt(tail)) < 4e-7 * sqrt(all),
		    "%s, rank %zu: what is left is the least (%.8g, %.8g)",
		    name, r, sqrt(d), sqrt(tail));
		d = unbalanced(b, a, m, n, r, s);
		ok(d < 1e-6 * s[0], "%s, rank %zu: each factor has the root "
		    "of the singular values (%.1e)", name, r, d / s[0]);
	}
	free(a);
	free(b);
}

static void
test_product(struct peft_cpu *cpu, const struct golden *g, const char *name)
{
	struct peft_err err = { 0 };
	struct peft_spectrum p;
	size_t m, r, n, i;
	const float *b = golden_get(g, "b.", name, NULL);
	const float *a = golden_get(g, "a.", name, NULL);
	const double *want, *ranks;
	double s[16], most = 0;
	char key[64];

	r = cols_of(g, "b.", name, &m);
	n = cols_of(g, "a.", name, &i);
	snprintf(key, sizeof(key), "%s.values", name);
	want = golden_get(g, "ba.", key, NULL);
	snprintf(key, sizeof(key), "%s.ranks", name);
	ranks = golden_get(g, "ba.", key, NULL);
	need(peft_singular_product(cpu, b, m, a, n, r, s, &err) == 0, &err);
	for (i = 0; i < r; i++)
		most = tap_worst(most, fabs(s[i] - want[i]));
	ok(most < 1e-12 * want[0], "%s: singular values of a product of rank "
	    "%zu (off by %.1e)", name, r, most / want[0]);
	p = peft_spectrum_of(s, r);
	ok(fabs(p.effective_rank - ranks[0]) < 1e-9 * ranks[0] &&
	    fabs(p.stable_rank - ranks[1]) < 1e-9 * ranks[1],
	    "%s: effective rank %.6f, stable rank %.6f", name,
	    p.effective_rank, p.stable_rank);
}

static void
test_zero(struct peft_cpu *cpu)
{
	static const float zero[12];
	struct peft_err err = { 0 };
	struct peft_spectrum p;
	float b[4], a[3];
	double s[1];
	int i, none = 1;

	need(peft_singular_product(cpu, zero, 4, zero, 3, 1, s, &err) == 0 &&
	    peft_low_rank(cpu, zero, 4, 3, 1, b, a, &err) == 0, &err);
	p = peft_spectrum_of(s, 1);
	ok(p.norm == 0 && p.effective_rank == 0 && p.stable_rank == 0,
	    "nothing has rank 0");
	for (i = 0; i < 4; i++)
		none &= b[i] == 0 && a[i % 3] == 0;
	ok(none, "and its factors are nothing");
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	struct golden g;

	need(cpu != NULL, &err);
	if (argc != 2) {
		puts("Bail out! lowrank-unit GOLDEN");
		return 1;
	}
	golden_open(&g, argv[1]);
	test_low_rank(cpu, &g, "tall");
	test_low_rank(cpu, &g, "wide");
	test_low_rank(cpu, &g, "square");
	test_product(cpu, &g, "thin");
	test_product(cpu, &g, "fat");
	test_product(cpu, &g, "narrow");
	test_product(cpu, &g, "one");
	test_zero(cpu);
	golden_close(&g);
	peft_cpu_close(cpu);
	return tap_end();
}
