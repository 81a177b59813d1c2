/* SPDX-License-Identifier: Apache-2.0 */
/* math-bench [THREADS [f32|bf16|int8 [large]]]: what products with weights
 * reach of what the processor can do from registers to registers, at the
 * shapes of SmolLM2-135M, and of models of 1.2 and 6.7 billion weights.
 * Figures of different runs do not compare; those of one run do. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/progress.h"
#include "math/cpu.h"
#include "math/peak.h"
#include "math/vec.h"
#include "quant/product.h"
#include "quant/quant.h"
#include "bench.h"

enum { TOKENS = 1024, NWEIGHT = 7, MOST = 1536, REPEAT = 7, LAYERS = 30 };

/* The linears of a layer, in groups that share their input. */
static const struct shape {
	const char	*name;
	size_t		 rows, cols;
	int		 group;
} shapes[NWEIGHT] = {
	{ "q 576x576", 576, 576, 0 }, { "k 192x576", 192, 576, 0 },
	{ "v 192x576", 192, 576, 0 }, { "o 576x576", 576, 576, 1 },
	{ "gate 1536x576", 1536, 576, 2 }, { "up 1536x576", 1536, 576, 2 },
	{ "down 576x1536", 576, 1536, 3 },
};
enum { NGROUP = 4 };

static const enum peft_dtype types[] = { PEFT_F32, PEFT_BF16, PEFT_Q4_1,
	PEFT_Q8_0, PEFT_NF4 };

struct bench {
	struct peft_cpu		*cpu;
	struct peft_weight	 w[NWEIGHT * LAYERS];
	float			*x, *y[NWEIGHT], *scratch;
};

/* Some rows of noise, encoded, and those again and again. */
static void
make_weight(struct peft_weight *w, enum peft_dtype t, const struct shape *s)
{
	enum { ROWS = 64 };
	size_t n = s->rows * s->cols, some = ROWS * s->cols, at, m;
	size_t bytes = n / peft_dtypes[t].block * peft_dtypes[t].bytes;
	float *x = noise(some, s->name), *absmax;
	struct peft_err err = { 0 };
	char *data = must(bytes + some * sizeof(float));
	int rc;

	*w = (struct peft_weight){ .dtype = t, .ndim = 2, .rows = s->rows,
	    .cols = s->cols, .nelem = n, .data = data, .nbytes = bytes };
	if (t == PEFT_NF4) {
		w->nbytes = bytes = n / 2;
		absmax = must((n / 64 + some / 64) * sizeof(*absmax));
		w->scales.blocksize = 64;
		w->scales.nabsmax = n / 64;
		w->scales.absmax = absmax;
		rc = peft_encode_4bit(t, x, some, 64, true, (uint8_t *)data,
		    absmax, &err);
		for (at = some / 64; at < n / 64; at++)
			absmax[at] = absmax[at - some / 64];
	} else
		rc = peft_encode(t, x, some, data, &err);
	if (rc == -1)
		exit(2);
	m = bytes / s->rows * ROWS;
	for (at = m; at < bytes; at += m)
		memcpy(data + at, data, bytes - at < m ? bytes - at : m);
	free(x);
}

/* One layer's group as products; returns how many. */
static size_t
group(struct bench *b, int layer, int g, struct peft_product *p)
{
	size_t i, n = 0;

	for (i = 0; i < NWEIGHT; i++)
		if (shapes[i].group == g)
			p[n++] = (struct peft_product){ &b->w[(size_t)layer *
			    NWEIGHT + i], b->y[i], shapes[i].rows };
	return n;
}

/* Seconds for one layer's products of group g (or all: -1). */
static double
layer_time(struct bench *b, int layer, int g, size_t T, bool back)
{
	struct peft_product p[NWEIGHT];
	double t = peft_now();
	int i;

	for (i = 0; i < NGROUP; i++) {
		size_t n = group(b, layer, i, p), cols = p[0].w->cols;

		if (g != -1 && g != i)
			continue;
		if (back)
			peft_product_backward(b->cpu, b->x, cols, T, p, n,
			    false, b->scratch);
		else
			peft_product_forward(b->cpu, b->x, cols, T, p, n,
			    b->scratch);
	}
	return peft_now() - t;
}

static double
best_time(struct bench *b, int g, size_t T, bool back)
{
	double best = 1e9, t;
	int r;

	for (r = 0; r < REPEAT; r++) {
		t = layer_time(b, r % LAYERS, g, T, back);
		best = t < best ? t : best;
	}
	return best;
}

static double
flops_of(int g, size_t T)
{
	double f = 0;
	int i;

	for (i = 0; i < NWEIGHT; i++)
		if (g == -1 || shapes[i].group == g)
			f += 2.0 * (double)(T * shapes[i].rows *
			    shapes[i].cols);
	return f;
}

/* Generation: all layers for a few tokens, the weights out of cache. */
static void
bench_few(struct bench *b, size_t T, double bytes)
{
	double best = 1e9, s;
	int r, l;

	for (r = 0; r < REPEAT; r++) {
		for (s = 0, l = 0; l < LAYERS; l++)
			s += layer_time(b, l, -1, T, false);
		best = s < best ? s : best;
	}
	printf("%-5s forward  T %zu: %.2f ms for all layers, %.1f GB/s of "
	    "weights, %.1f GF/s\n", peft_dtypes[b->w[0].dtype].name, T,
	    best * 1e3, bytes / best * 1e-9, flops_of(-1, T) * LAYERS / best *
	    1e-9);
}

static void
bench_type(struct bench *b, enum peft_dtype t, double f32[2], double top)
{
	static const size_t few[] = { 1, 2, 4, 8, 16, 32 };
	double bytes = 0, s, rate;
	size_t i;
	int g, back;

	for (i = 0; i < NWEIGHT * LAYERS; i++) {
		make_weight(&b->w[i], t, &shapes[i % NWEIGHT]);
		bytes += (double)b->w[i].nbytes;
	}
	for (back = 0; back < 2; back++) {
		printf("%-5s %s T %d:", peft_dtypes[t].name,
		    back ? "backward" : "forward ", TOKENS);
		for (g = -1; g < NGROUP; g++) {
			s = best_time(b, g, TOKENS, back);
			rate = flops_of(g, TOKENS) / s * 1e-9;
			printf(g == -1 ? " %6.1f GF/s (" : " %.0f", rate);
			if (g == -1 && t == PEFT_F32)
				f32[back] = rate;
			if (g == -1)
				printf("%.0f %% of the limit, %.0f %% of what "
				    "f32 weights reach;", 100 * rate / top,
				    100 * rate / f32[back]);
		}
		printf(" qkv o gate-up down)\n");
	}
	for (i = 0; i < sizeof(few) / sizeof(few[0]); i++)
		bench_few(b, few[i], bytes);
	for (i = 0; i < NWEIGHT * LAYERS; i++) {
		free((void *)(uintptr_t)b->w[i].data);
		free((void *)(uintptr_t)b->w[i].scales.absmax);
	}
}

/* One product on all threads, as peft_gemm cuts it. */
static void
bench_gemm(struct peft_cpu *cpu, double top)
{
	static const struct {
		size_t		 m, n, k;
		enum peft_trans	 ta, tb;
		const char	*what;
	} cases[] = {
		{ 1024, 1536, 576, PEFT_N, PEFT_T, "square-like" },
		{ 1024, 16, 576, PEFT_N, PEFT_T, "x A^T, r 16" },
		{ 1024, 1536, 16, PEFT_N, PEFT_T, "h B^T" },
		{ 1024, 16, 1536, PEFT_N, PEFT_N, "dy B" },
		{ 1536, 16, 1024, PEFT_T, PEFT_N, "dB" },
		{ 16, 576, 1024, PEFT_T, PEFT_N, "dA" },
		{ 1024, 576, 16, PEFT_N, PEFT_N, "dh A" },
		{ 1, 16, 576, PEFT_N, PEFT_T, "T 1: x A^T" },
		{ 1, 1536, 16, PEFT_N, PEFT_T, "T 1: h B^T" },
		{ 64, 512, 64, PEFT_N, PEFT_T, "q k^T" },
		{ 64, 64, 512, PEFT_N, PEFT_N, "p v" },
		{ 1, 512, 64, PEFT_N, PEFT_T, "T 1: q k^T" },
		{ 1, 64, 512, PEFT_N, PEFT_N, "T 1: p v" },
	};
	float *a = noise(1 << 21, "a"), *b = noise(1 << 21, "b");
	float *c = noise(1 << 21, "c");
	size_t i;
	int r, k;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t M = cases[i].m, N = cases[i].n, K = cases[i].k;
		double f = 2.0 * (double)M * (double)N * (double)K;
		double best = 1e9, t, one = 1e9;
		int times = f < 1e6 ? 200 : 3;

		for (r = 0; r < REPEAT; r++) {
			t = peft_now();
			for (k = 0; k < times; k++)
				peft_gemm(cpu, cases[i].ta, cases[i].tb, M, N,
				    K, 1, a, cases[i].ta == PEFT_T ? M : K, b,
				    cases[i].tb == PEFT_T ? K : N, 1, c, N);
			t = (peft_now() - t) / times;
			best = t < best ? t : best;
			t = peft_now();
			for (k = 0; k < times; k++)
				peft_gemm1(cpu, cases[i].ta, cases[i].tb, M, N,
				    K, 1, a, cases[i].ta == PEFT_T ? M : K, b,
				    cases[i].tb == PEFT_T ? K : N, 1, c, N);
			t = (peft_now() - t) / times;
			one = t < one ? t : one;
		}
		printf("gemm %4zu x %4zu x %4zu %c%c: %6.1f GF/s, %5.2f us; "
		    "gemm1 %6.1f GF/s (%.0f %% of the limit), %s\n", M, N, K,
		    cases[i].ta == PEFT_T ? 'T' : 'N',
		    cases[i].tb == PEFT_T ? 'T' : 'N', f / best * 1e-9,
		    best * 1e6, f / one * 1e-9,
		    100 * f / one * 1e-9 / top * peft_cpu_threads(cpu),
		    cases[i].what);
	}
	free(a);
	free(b);
	free(c);
}

/* Seconds of the processor, a thread: others may use the machine. */
static double
used(const struct peft_cpu *cpu)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec) /
	    peft_cpu_threads(cpu);
}

enum { NSTORED = 5, LARGE_T = 512, LARGE_TIMES = 5 };

static double
large_time(struct bench *b, struct peft_weight *w, float *x, float *y,
    float *scratch, bool back)
{
	struct peft_product p = { w, y, w->rows };
	double t = used(b->cpu);

	if (back)
		peft_product_backward(b->cpu, x, w->cols, LARGE_T, &p, 1,
		    false, scratch);
	else
		peft_product_forward(b->cpu, x, w->cols, LARGE_T, &p, 1,
		    scratch);
	return used(b->cpu) - t;
}

/* Weights of larger models, one at a time, from bf16, and from what they are
 * stored in; in turn, since machines change their minds. */
static void
bench_large(struct bench *b, double top)
{
	static const struct shape large[] = {
		{ "1B 2048x2048", 2048, 2048, 0 },
		{ "1B 8192x2048", 8192, 2048, 0 },
		{ "1B 2048x8192", 2048, 8192, 0 },
		{ "7B 4096x4096", 4096, 4096, 0 },
		{ "7B 11008x4096", 11008, 4096, 0 },
		{ "7B 4096x11008", 4096, 11008, 0 },
	};
	static const enum peft_dtype stored[NSTORED] = { PEFT_BF16, PEFT_NF4,
		PEFT_Q4_K, PEFT_Q8_0, PEFT_Q6_K };
	enum { MOSTSIDE = 11008 };
	float *x = noise(LARGE_T * MOSTSIDE, "x");
	float *y = noise(LARGE_T * MOSTSIDE, "y");
	float *scratch = must(peft_product_scratch(b->cpu, MOSTSIDE,
	    MOSTSIDE, 0, LARGE_T) * sizeof(float));
	size_t i, t, r;
	int back;

	for (i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
		const struct shape *s = &large[i];
		double f = 2e-9 * LARGE_T * (double)s->rows * (double)s->cols;
		double best[NSTORED][2], at;
		struct peft_weight w[NSTORED];

		for (t = 0; t < NSTORED; t++) {
			make_weight(&w[t], stored[t], s);
			best[t][0] = best[t][1] = 1e9;
		}
		for (r = 0; r < 2 * NSTORED * LARGE_TIMES; r++) {
			t = r / 2 % NSTORED;
			at = large_time(b, &w[t], x, y, scratch, r % 2);
			if (at < best[t][r % 2])
				best[t][r % 2] = at;
		}
		for (back = 0; back < 2; back++) {
			printf("%-13s T %d %s: %.0f GF/s, %.0f %% of the "
			    "limit; of that", s->name, LARGE_T, back ?
			    "backward" : "forward ", f / best[0][back], 100 *
			    f / best[0][back] / top);
			for (t = 1; t < NSTORED; t++)
				printf(" %s %.2f", peft_dtypes[stored[t]].name,
				    best[0][back] / best[t][back]);
			printf("\n");
		}
		fflush(stdout);
		for (t = 0; t < NSTORED; t++) {
			free((void *)(uintptr_t)w[t].data);
			free((void *)(uintptr_t)w[t].scales.absmax);
		}
	}
	free(x);
	free(y);
	free(scratch);
}

static void
bench_compute(struct bench *b, enum peft_compute compute, bool large)
{
	double top, f32[2] = { 0 };
	size_t i;

	peft_cpu_compute(b->cpu, compute);
	top = peft_peak_products(b->cpu) * 1e-9;
	printf("\n%s\nlimit of %s %.1f GF/s\n", peft_cpu_describe(b->cpu),
	    peft_compute_names[compute], top);
	if (large) {
		bench_large(b, top);
		return;
	}
	if (compute == PEFT_COMPUTE_F32)
		bench_gemm(b->cpu, top);
	b->scratch = must(peft_product_scratch(b->cpu, 2 * MOST, MOST,
	    0, SIZE_MAX) *
	    sizeof(float));
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		bench_type(b, types[i], f32, top);
	free(b->scratch);
	bench_large(b, top);
}

int
main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct peft_err err = { 0 };
	size_t i;
	int c;

	b.cpu = peft_cpu_open(argc > 1 ? atoi(argv[1]) : 0, &err);
	if (b.cpu == NULL) {
		fprintf(stderr, "math-bench: %s\n", err.msg);
		return 2;
	}
	b.x = noise(TOKENS * MOST, "x");
	for (i = 0; i < NWEIGHT; i++)
		b.y[i] = noise(TOKENS * shapes[i].rows, "y");
	for (c = 0; peft_compute_names[c] != NULL; c++)
		if (argc < 3 || strcmp(argv[2], peft_compute_names[c]) == 0)
			bench_compute(&b, (enum peft_compute)c, argc > 3);
	peft_cpu_close(b.cpu);
	return 0;
}
