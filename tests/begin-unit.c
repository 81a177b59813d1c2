/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a LoRA begins from data, as PEFT does it (parity/begin_golden.py):
 * begin-unit GOLDEN.safetensors ADAPTER [apart]: the adapter as it was before
 * it learnt.  Where it began as a part of the weights it is [A; A0], [B | -B0].
 * apart: A and B have signs of their own, as singular vectors of different
 * singular values have, so that their product has none that is PEFT's.
 */

#include <math.h>
#include <string.h>

#include "golden-file.h"
#include "tap.h"

struct matrix {
	const float	*at;
	size_t		 rows, cols;
};

/* The tensor of a name, or one of no rows. */
static struct matrix
matrix(struct golden *g, const char *before, const char *path, int n,
    const char *behind)
{
	char name[300];
	size_t i;

	snprintf(name, sizeof(name), "%s%.*s%s", before, n, path, behind);
	for (i = 0; i < g->st.n; i++)
		if (strcmp(g->st.entries[i].name, name) == 0)
			return (struct matrix){ (const float *)
			    (const void *)g->data[i], g->st.entries[i].shape[0],
			    g->st.entries[i].shape[1] };
	return (struct matrix){ NULL, 0, 0 };
}

/* Entry (i, k) of the product of the first r columns of b and rows of a. */
static double
entry(const struct matrix *b, const struct matrix *a, size_t r, size_t i,
    size_t k)
{
	double sum = 0;
	size_t j;

	for (j = 0; j < r; j++)
		sum += (double)b->at[i * b->cols + j] *
		    (double)a->at[j * a->cols + k];
	return sum;
}

/* How far the product is from PEFT's, as a share of its largest entry. */
static double
product_off(const struct matrix *b, const struct matrix *a,
    const struct matrix *b0, const struct matrix *a0)
{
	double most = 0, top = 0;
	size_t i, k;

	for (i = 0; i < b0->rows; i++)
		for (k = 0; k < a0->cols; k++) {
			double want = entry(b0, a0, a0->rows, i, k);

			most = tap_worst(most, fabs(want - entry(b, a, a0->rows,
			    i, k)));
			top = fmax(top, fabs(want));
		}
	return most / top;
}

/* What it began as is taken away again. */
static int
is_kept(const struct matrix *b, const struct matrix *a, size_t r)
{
	size_t i, j;

	if (a->rows != 2 * r || b->cols != 2 * r ||
	    memcmp(a->at, a->at + r * a->cols, r * a->cols *
	    sizeof(float)) != 0)
		return 0;
	for (i = 0; i < b->rows; i++)
		for (j = 0; j < r; j++)
			if (b->at[i * 2 * r + j] != -b->at[i * 2 * r + r + j])
				return 0;
	return 1;
}

/* The same of A's rows and B's columns, each up to its sign. */
static double
parts_off(const struct matrix *b, const struct matrix *a,
    const struct matrix *b0, const struct matrix *a0)
{
	double most = 0;
	size_t r = a0->rows, n = a0->cols, m = b0->rows, j, i, s;

	for (j = 0; j < r; j++) {
		double off[2] = { 0, 0 }, other[2] = { 0, 0 };
		double top = 0, high = 0;

		for (s = 0; s < 2; s++) {
			double sign = s == 0 ? 1 : -1;

			for (i = 0; i < n; i++) {
				double want = (double)a0->at[j * n + i];

				off[s] = tap_worst(off[s], fabs(want - sign *
				    (double)a->at[j * n + i]));
				top = fmax(top, fabs(want));
			}
			for (i = 0; i < m; i++) {
				double want = (double)b0->at[i * r + j];

				other[s] = tap_worst(other[s], fabs(want -
				    sign * (double)b->at[i * b->cols + j]));
				high = fmax(high, fabs(want));
			}
		}
		most = tap_worst(most, fmin(off[0], off[1]) / top);
		most = tap_worst(most, fmin(other[0], other[1]) / high);
	}
	return most;
}

static double
rows_off(const struct matrix *a, const struct matrix *a0)
{
	double most = 0, top = 0;
	size_t i;

	for (i = 0; i < a0->rows * a0->cols; i++) {
		most = tap_worst(most, fabs((double)a->at[i] -
		    (double)a0->at[i]));
		top = fmax(top, fabs((double)a0->at[i]));
	}
	return most / top;
}

static void
check(struct golden *want, struct golden *got, const char *path, int n,
    int apart)
{
	static const char prefix[] = "base_model.model.";
	struct matrix a0 = matrix(want, "", path, n, ".A");
	struct matrix b0 = matrix(want, "", path, n, ".B");
	struct matrix a = matrix(got, prefix, path, n, ".lora_A.weight");
	struct matrix b = matrix(got, prefix, path, n, ".lora_B.weight");
	double off;

	if (!ok(a.at != NULL && b.at != NULL && a.cols == a0.cols, "%.*s is "
	    "there", n, path))
		return;
	if (b0.at == NULL) {
		off = a.rows == a0.rows ? rows_off(&a, &a0) : INFINITY;
		ok(off < 1e-4, "%.*s: A as PEFT's (%.1e)", n, path, off);
		return;
	}
	ok(is_kept(&b, &a, a0.rows), "%.*s: what it began as is kept", n,
	    path);
	off = (apart ? parts_off : product_off)(&b, &a, &b0, &a0);
	ok(off < 1e-4, "%.*s: B A as PEFT's (%.1e)", n, path, off);
}

int
main(int argc, char **argv)
{
	struct golden want = { 0 }, got = { 0 };
	size_t i, modules = 0;

	if (argc != 3 && argc != 4)
		return 1;
	golden_open(&want, argv[1]);
	golden_open(&got, argv[2]);
	for (i = 0; i < want.st.n; i++) {
		const char *name = want.st.entries[i].name;
		size_t n = strlen(name);

		if (n < 2 || strcmp(name + n - 2, ".A") != 0)
			continue;
		check(&want, &got, name, (int)n - 2, argc == 4);
		modules++;
	}
	ok(got.st.n == 2 * modules, "and no others: %zu tensors of %zu "
	    "modules", got.st.n, modules);
	golden_close(&want);
	golden_close(&got);
	return tap_end();
}
