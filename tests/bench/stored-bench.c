/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stored-bench [THREADS [f32|bf16|int8 [TOKENS [SHAPE [TYPE ...]]]]]: products
 * with weights in each type they are stored in, as a fraction of the speed
 * that the same weights reach in bf16.  For each shape there is a layer's
 * worth of matrices and more, so that none is in the second cache; types take
 * turns, matrix by matrix, and the fraction is the median of such turns: the
 * machine may be shared.  PEFT_CPU chooses the path.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "math/cpu.h"
#include "quant/product.h"
#include "quant/quant.h"
#include "bench.h"

enum { MOSTTYPE = 32, COPIES = 4, TURNS = 7, MOSTSIDE = 11008,
	MOSTTOKENS = 1024 };

static const struct shape {
	const char	*name;
	size_t		 rows, cols;
} shapes[] = {
	{ "135M", 1536, 576 }, { "135M", 576, 1536 }, { "1B", 2048, 2048 },
	{ "1B", 8192, 2048 }, { "7B", 4096, 4096 }, { "7B", 4096, 11008 },
};

static const enum peft_dtype all[] = { PEFT_NF4, PEFT_Q4_0, PEFT_Q4_1,
	PEFT_Q8_0, PEFT_Q4_K, PEFT_Q5_K, PEFT_Q6_K, PEFT_Q2_K, PEFT_Q3_K,
	PEFT_IQ4_XS, PEFT_IQ3_S, PEFT_F16 };

struct bench {
	struct peft_cpu		*cpu;
	enum peft_dtype		 types[MOSTTYPE];	/* bf16 is first */
	size_t			 n;
	struct peft_weight	 w[MOSTTYPE];
	float			*x, *y, *scratch;
};

/* COPIES matrices, one under the other: one row of each is encoded. */
static void
make(struct peft_weight *w, enum peft_dtype t, const struct shape *s)
{
	size_t rows = s->rows * COPIES, r, bytes = s->cols /
	    peft_dtypes[t].block * peft_dtypes[t].bytes, scales;
	float *x = noise(s->cols, "stored-bench");
	float *absmax = must(rows * s->cols / 64 * sizeof(*absmax));
	struct peft_err err = { 0 };
	uint8_t *data = must(rows * bytes + s->cols * 4);

	*w = (struct peft_weight){ .dtype = t, .ndim = 2, .rows = 1,
	    .cols = s->cols, .nelem = s->cols, .scales.blocksize = 64 };
	if ((peft_is_coded(t) ? peft_encode_weight(w, x, true, data, absmax,
	    &err) : peft_encode(t, x, s->cols, data, &err)) == -1)
		exit(2);
	scales = peft_is_coded(t) ? w->scales.nabsmax : 0;
	for (r = 1; r < rows; r++) {
		memcpy(data + r * bytes, data, bytes);
		memcpy(absmax + r * scales, absmax, scales * sizeof(*absmax));
	}
	if (scales == 0)
		w->scales = (struct peft_scales){ 0 };
	w->data = data;
	w->scales.absmax = absmax;
	w->rows = rows;
	free(x);
}

/* Which of the copies. */
static struct peft_weight
copy_of(const struct peft_weight *all_of, const struct shape *s, size_t i)
{
	struct peft_weight w = *all_of;
	size_t n = s->rows * s->cols;

	w.rows = s->rows;
	w.nelem = n;
	w.nbytes = n / peft_dtypes[w.dtype].block * peft_dtypes[w.dtype].bytes;
	w.data = (const uint8_t *)w.data + i * w.nbytes;
	if (w.scales.blocksize > 0)
		w.scales.absmax += i * (n / w.scales.blocksize);
	return w;
}

static double
once(struct bench *b, size_t t, const struct shape *s, size_t T, int turn,
    bool back)
{
	const struct peft_weight w = copy_of(&b->w[t], s, (size_t)turn %
	    COPIES);
	const struct peft_product p = { &w, b->y, s->rows };
	struct timespec at[2] = { { 0 } };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at[0]);
	if (back)
		peft_product_backward(b->cpu, b->x, s->cols, T, &p, 1, false,
		    b->scratch);
	else
		peft_product_forward(b->cpu, b->x, s->cols, T, &p, 1,
		    b->scratch);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &at[1]);
	return (double)(at[1].tv_sec - at[0].tv_sec) + 1e-9 *
	    (double)(at[1].tv_nsec - at[0].tv_nsec);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
one(struct bench *b, const struct shape *s, size_t T, bool back)
{
	double of[MOSTTYPE][TURNS], least = 1e9, s0, s1;
	size_t t;
	int r;

	for (r = 0; r < TURNS; r++)
		for (t = 1; t < b->n; t++) {
			s0 = once(b, 0, s, T, r, back);
			s1 = once(b, t, s, T, r, back);
			of[t][r] = s0 / s1;
			least = s0 < least ? s0 : least;
		}
	printf("%-5s %5zux%-5zu T %4zu %s %6.0f GF/s", s->name, s->rows,
	    s->cols, T, back ? "g W " : "x W'", 2e-9 * (double)T *
	    (double)(s->rows * s->cols) / least);
	for (t = 1; t < b->n; t++) {
		qsort(of[t], TURNS, sizeof(double), by_size);
		printf(" %6.2f", of[t][TURNS / 2]);
	}
	printf("\n");
	fflush(stdout);
}

static void
one_shape(struct bench *b, const struct shape *s, size_t only)
{
	static const size_t tokens[] = { 256, 512, 1024 };
	size_t i;
	int back;

	for (i = 0; i < b->n; i++)
		make(&b->w[i], s->cols % peft_dtypes[b->types[i]].block == 0 ?
		    b->types[i] : PEFT_Q8_0, s);
	for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		for (back = 0; back < 2; back++)
			if (only == 0 || only == tokens[i])
				one(b, s, tokens[i], back);
	for (i = 0; i < b->n; i++) {
		free((void *)(uintptr_t)b->w[i].data);
		free((void *)(uintptr_t)b->w[i].scales.absmax);
	}
}

int
main(int argc, char **argv)
{
	struct bench b = { .types = { PEFT_BF16 }, .n = 1 };
	struct peft_err err = { 0 };
	size_t i, T = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	int c, k;

	b.cpu = peft_cpu_open(argc > 1 ? atoi(argv[1]) : 1, &err);
	if (b.cpu == NULL) {
		fprintf(stderr, "stored-bench: %s\n", err.msg);
		return 2;
	}
	for (c = 0; peft_compute_names[c] != NULL; c++)
		if (strcmp(argc > 2 ? argv[2] : "bf16",
		    peft_compute_names[c]) == 0)
			peft_cpu_compute(b.cpu, (enum peft_compute)c);
	for (k = 5; k < argc; k++)
		if ((b.types[b.n] = peft_dtype_of_name(argv[k])) !=
		    PEFT_NDTYPE)
			b.n++;
	for (i = 0; argc <= 5 && i < sizeof(all) / sizeof(all[0]); i++)
		b.types[b.n++] = all[i];
	b.x = noise(MOSTTOKENS * MOSTSIDE, "stored-bench");
	b.y = noise(MOSTTOKENS * MOSTSIDE, "stored-bench");
	b.scratch = must(peft_product_scratch(b.cpu, MOSTSIDE, MOSTSIDE,
	    0, MOSTTOKENS) * sizeof(float));
	printf("%s\n%42s", peft_cpu_describe(b.cpu), "bf16");
	for (i = 1; i < b.n; i++)
		printf(" %6s", peft_dtypes[b.types[i]].name);
	printf("\n");
	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (argc <= 4 || strcmp(argv[4], "all") == 0 ||
		    strcmp(argv[4], shapes[i].name) == 0)
			one_shape(&b, &shapes[i], T);
	peft_cpu_close(b.cpu);
	return 0;
}
