/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products with stored weights against sums in double over what
 * peft_decode() says the weights are, and the same bytes on every number of
 * threads.
 */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "product-set.h"
#include "tap.h"

static const int threads[] = { 1, 2, 3, 5 };
enum { NCPU = sizeof(threads) / sizeof(threads[0]) };

/* The last cpus multiply by panels that were made ahead (of int8), which gives
 * the same bits. */
static void
make_panels(struct peft_cpu *cpu, int c, struct set *s, bool back,
    float *scratch)
{
	size_t i, n;

	for (i = 0; c >= NCPU - 2 && i < s->np; i++) {
		n = peft_product_panels_size(cpu, &s->w[i], back);
		if (n == 0)
			continue;
		s->panels[i] = must(aligned_alloc(64, (n + 63) / 64 * 64));
		peft_product_panels(cpu, &s->w[i], back, s->panels[i],
		    scratch);
		s->w[i].panels[back] = s->panels[i];
	}
}

static void
drop_panels(struct set *s, bool back)
{
	size_t i;

	for (i = 0; i < s->np; i++) {
		free(s->panels[i]);
		s->panels[i] = NULL;
		s->w[i].panels[back] = NULL;
	}
}

static bool
test_forward(struct peft_cpu *cpus[NCPU], struct set *s)
{
	float *first[MOSTNP] = { NULL }, *scratch;
	bool good = true;
	size_t i, bytes;
	int c;

	for (c = 0; c < NCPU; c++) {
		float *before[MOSTNP];

		scratch = scratch_for(cpus[c], s);
		for (i = 0; i < s->np; i++) {
			bytes = s->T * s->p[i].ldy * sizeof(float);
			before[i] = memcpy(must(malloc(bytes)), s->p[i].y,
			    bytes);
		}
		make_panels(cpus[c], c, s, false, scratch);
		peft_product_forward(cpus[c], s->x, s->ldx, s->T, s->p, s->np,
		    scratch);
		drop_panels(s, false);
		for (i = 0; i < s->np; i++) {
			bytes = s->T * s->p[i].ldy * sizeof(float);
			if (c == 0) {
				good = good && forward_right(s, i, before[i]);
				first[i] = memcpy(must(malloc(bytes)),
				    s->p[i].y, bytes);
			}
			good = good && memcmp(first[i], s->p[i].y, bytes) == 0;
			free(before[i]);
		}
		free(scratch);
	}
	for (i = 0; i < s->np; i++)
		free(first[i]);
	return good;
}

static bool
test_backward(struct peft_cpu *cpus[NCPU], struct set *s, bool add)
{
	size_t bytes = s->T * s->ldx * sizeof(float), t;
	float *before = memcpy(must(malloc(bytes)), s->dx, bytes);
	float *first = must(malloc(bytes)), *scratch;
	bool good = true;
	int c;

	for (c = 0; c < NCPU; c++) {
		memcpy(s->dx, before, bytes);
		scratch = scratch_for(cpus[c], s);
		make_panels(cpus[c], c, s, true, scratch);
		peft_product_backward(cpus[c], s->dx, s->ldx, s->T, s->p,
		    s->np, add, scratch);
		drop_panels(s, true);
		free(scratch);
		if (c == 0)
			memcpy(first, s->dx, bytes);
		good = good && memcmp(first, s->dx, bytes) == 0;
	}
	good = good && backward_right(s, before, add);
	for (t = 0; t < s->T; t++)
		good = good && memcmp(s->dx + t * s->ldx + s->cols, before +
		    t * s->ldx + s->cols, GAP * sizeof(float)) == 0;
	free(before);
	free(first);
	return good;
}

/* Around the edges of tiles (64, 384), of strips (768), of a few tokens (32)
 * and of blocks of tokens (512). */
static const struct set sets[] = {
	{ .np = 1, .rows = { 1 }, .cols = 32, .T = 1 },
	{ .np = 3, .rows = { 70, 5, 130 }, .cols = 96, .T = 3 },
	{ .np = 2, .rows = { 65, 64 }, .cols = 832, .T = 2 },
	{ .np = 3, .rows = { 65, 64, 1 }, .cols = 160, .T = 33 },
	{ .np = 1, .rows = { 30 }, .cols = 96, .T = 600 },
	{ .np = 2, .rows = { 800, 20 }, .cols = 448, .T = 40 },
	{ .np = 1, .rows = { 40 }, .cols = 1600, .T = 32 },
	/* no multiples of a block: where blocks may straddle rows */
	{ .np = 2, .rows = { 33, 9 }, .cols = 77, .T = 2 },
	{ .np = 2, .rows = { 130, 65 }, .cols = 201, .T = 50 },
};

/* Deeper than a slab, and wider. */
static const struct set deep[] = {
	{ .np = 2, .rows = { 5000, 3 }, .cols = 32, .T = 33 },
	{ .np = 1, .rows = { 540 }, .cols = 4200, .T = 33 },
};

/* Wider than a slab, which 46 panels would fill: 5.75 blocks of 256. */
static const struct set wide[] = {
	{ .np = 1, .rows = { 700 }, .cols = 1792, .T = 33 },
};

static void
test_type(struct peft_cpu *cpus[NCPU], enum peft_dtype t, enum nested nested,
    const struct set *of, size_t n)
{
	enum peft_compute compute = peft_cpu_computes(cpus[0]);
	bool good[3] = { true, true, true };
	bool rows_alone = peft_dtypes[t].block > 2;
	char name[64];
	size_t i;

	snprintf(name, sizeof(name), "%s%s in %s", peft_dtypes[t].name,
	    of == deep ? ", deep" : of == wide ? ", wide" : "", peft_compute_names[compute]);
	for (i = 0; i < n; i++) {
		struct set s = of[i];

		if (rows_alone && s.cols % peft_dtypes[t].block != 0)
			continue;
		s.compute = compute;
		prepare(&s, t, nested);
		good[0] = test_forward(cpus, &s) && good[0];
		good[1] = test_backward(cpus, &s, false) && good[1];
		good[2] = test_backward(cpus, &s, true) && good[2];
		clear(&s);
	}
	ok(good[0], "%s%s: forward", nested ? "double " : "", name);
	ok(good[1], "%s%s: backward", nested ? "double " : "", name);
	ok(good[2], "%s%s: backward, added", nested ? "double " : "", name);
}

/* A matrix whose rows do not touch, y +=, dx +=. */
static void
test_dense(struct peft_cpu *cpu, size_t T)
{
	struct set s = { .np = 1, .rows = { 70 }, .cols = 100, .T = T,
	    .compute = peft_cpu_computes_dense(cpu) };
	size_t ld = s.cols + GAP, ldy = s.rows[0] + GAP, t, r, c;
	float *w = noise(s.rows[0] * ld, 7), *x = noise(T * ld, 8);
	float *y0 = noise(T * ldy, 9), *y = noise(T * ldy, 9);
	float *dx0 = noise(T * ld, 10), *dx = noise(T * ld, 10);
	const struct peft_dense d = { w, s.rows[0], s.cols, ld };
	float *scratch = scratch_for(cpu, &s);
	bool good = true;

	peft_dense_forward(cpu, x, ld, T, &d, true, y, ldy, scratch);
	peft_dense_backward(cpu, dx, ld, T, &d, true, y0, ldy, scratch);
	for (t = 0; t < T; t++) {
		for (r = 0; r < s.rows[0]; r++) {
			double sum = (double)y0[t * ldy + r], size = fabs(sum);

			for (c = 0; c < s.cols; c++) {
				double v = as_used_forward(&s, x[t * ld +
				    c]) * as_used_forward(&s, w[r * ld + c]);

				sum += v;
				size += fabs(v);
			}
			good = good && is_near(y[t * ldy + r], sum, size,
			    s.cols + 1, 0);
		}
		for (c = 0; c < s.cols; c++) {
			double sum = (double)dx0[t * ld + c], size = fabs(sum);

			for (r = 0; r < s.rows[0]; r++) {
				double v = as_used(&s, y0[t * ldy + r]) *
				    as_used(&s, w[r * ld + c]);

				sum += v;
				size += fabs(v);
			}
			good = good && is_near(dx[t * ld + c], sum, size,
			    s.rows[0] + 1, 0);
		}
	}
	ok(good, "dense, %zu tokens, %s", T,
	    peft_compute_names[peft_cpu_computes(cpu)]);
	free(w);
	free(x);
	free(y0);
	free(y);
	free(dx0);
	free(dx);
	free(scratch);
}

static void
set_compute(struct peft_cpu *cpus[NCPU], enum peft_compute compute)
{
	size_t c;

	for (c = 0; c < NCPU; c++)
		peft_cpu_compute(cpus[c], compute);
	printf("# %s\n", peft_cpu_describe(cpus[0]));
}

/* For few tokens: right, and for each token the bits that it has alone. */
static void
test_few(struct peft_cpu *cpus[NCPU], enum peft_dtype t, size_t cols)
{
	static const size_t tokens[] = { 1, 2, 3, 7, 32 };
	bool right = true, alone = true;
	size_t i, k, r;

	for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		struct set s = { .np = 1, .rows = { 11 }, .cols = cols,
		    .T = tokens[i], .compute = peft_cpu_computes(cpus[0]) };
		float y[11], *scratch;
		struct peft_product one = { &s.w[0], y, 11 };

		prepare(&s, t, PLAIN);
		right = test_forward(cpus, &s) && right;
		scratch = scratch_for(cpus[0], &s);
		for (k = 0; k < s.T; k++) {
			peft_product_forward(cpus[0], s.x + k * s.ldx, s.ldx,
			    1, &one, 1, scratch);
			for (r = 0; r < 11; r++)
				alone = alone && memcmp(&y[r], &s.p[0].y[k *
				    s.p[0].ldy + r], sizeof(y[r])) == 0;
		}
		free(scratch);
		clear(&s);
	}
	ok(right, "%s, %zu columns: few tokens", peft_dtypes[t].name, cols);
	ok(alone, "%s, %zu columns: each as if alone", peft_dtypes[t].name,
	    cols);
}

static void
test_fews(struct peft_cpu *cpus[NCPU])
{
	static const enum peft_dtype blocks[] = { PEFT_Q4_0, PEFT_Q4_1,
		PEFT_Q5_0, PEFT_Q8_0, PEFT_Q2_K, PEFT_Q4_K, PEFT_Q5_K,
		PEFT_Q6_K, PEFT_NF4, PEFT_FP4 };
	static const enum peft_dtype plain[] = { PEFT_F32, PEFT_F16,
		PEFT_BF16, PEFT_NF4 };
	size_t i;

	for (i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++)
		test_few(cpus, blocks[i], 768);
	for (i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		test_few(cpus, plain[i], 87);
	test_few(cpus, PEFT_Q4_1, 2144);	/* in pieces alike */
	test_few(cpus, PEFT_Q4_K, 2304);
}

/* All paths that this processor has, in each compute type. */
static void
test_paths(struct peft_cpu *cpus[NCPU])
{
	static const char *const paths[] = { "ref", "avx2", "avx512",
		"avx512-bf16", "amx" };
	static const enum peft_dtype types[] = { PEFT_BF16, PEFT_NF4 };
	enum { NSET = sizeof(sets) / sizeof(sets[0]) };
	struct peft_err err = { 0 };
	size_t i, t;
	int c, k;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (peft_cpu_limit(cpus[0], paths[i], &err) == -1) {
			printf("# %s\n", err.msg);
			continue;
		}
		for (c = 0; c < NCPU; c++)
			if (peft_cpu_limit(cpus[c], paths[i], &err) == -1)
				exit(1);
		for (k = PEFT_COMPUTE_BF16; k <= PEFT_COMPUTE_INT8; k++) {
			set_compute(cpus, (enum peft_compute)k);
			for (t = 0; t < sizeof(types) / sizeof(types[0]); t++)
				test_type(cpus, types[t], PLAIN, sets, NSET);
			test_dense(cpus[0], 20);
			test_dense(cpus[0], 40);
		}
		set_compute(cpus, PEFT_COMPUTE_BF16);
		if (i > 2)		/* straight to bf16 */
			test_type(cpus, PEFT_Q4_K, PLAIN, wide, 1);
		test_few(cpus, PEFT_Q4_1, 96);
		set_compute(cpus, PEFT_COMPUTE_F32);
		if (i < 3)		/* the vector kernels' own paths */
			test_fews(cpus);
		test_type(cpus, PEFT_F32, PLAIN, sets, NSET - 2);
		test_dense(cpus[0], 40);
	}
}

int
main(void)
{
	static const enum peft_dtype types[] = { PEFT_F32, PEFT_BF16, PEFT_F16,
		PEFT_Q4_1, PEFT_Q8_0, PEFT_NF4 };
	enum { NSET = sizeof(sets) / sizeof(sets[0]) };
	struct peft_cpu *cpus[NCPU];
	struct peft_err err = { 0 };
	size_t i;

	for (i = 0; i < NCPU; i++)
		if ((cpus[i] = peft_cpu_open(threads[i], &err)) == NULL) {
			printf("Bail out! %s\n", err.msg);
			return 1;
		}
	printf("# %s\n", peft_cpu_describe(cpus[0]));
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		test_type(cpus, types[i], PLAIN, sets, NSET);
	test_type(cpus, PEFT_NF4, NESTED, sets, NSET);
	test_type(cpus, PEFT_F32, PLAIN, deep, sizeof(deep) / sizeof(deep[0]));
	set_compute(cpus, PEFT_COMPUTE_INT8);
	test_type(cpus, PEFT_F32, PLAIN, deep, sizeof(deep) / sizeof(deep[0]));
	set_compute(cpus, PEFT_COMPUTE_F32);
	if (getenv("OPENBLAS_CORETYPE") == NULL)	/* once is enough */
		test_paths(cpus);
	for (i = 0; i < NCPU; i++)
		peft_cpu_close(cpus[i]);
	return tap_end();
}
