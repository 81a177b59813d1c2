/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quant-bench [THREADS [MILLIONS]]: how fast weights are quantised and
 * expanded in memory: for each type the values a second, the bytes read and
 * written a second, and that as a fraction of what memcpy reaches.  Seconds
 * are the processor's, of all threads, and the best of several runs counts:
 * others may use the machine.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/rng.h"
#include "math/cores.h"
#include "math/pool.h"
#include "quant/quant.h"

enum { COLS = 4096, ROWS = 16, SLICE = COLS * ROWS, RUNS = 5 };
/* Types that look for points of a grid make lists of near ones, which are for
 * many slices: they come in larger ones, as in peft-quantize. */
enum { LARGE = 16, SLOW = 4 * LARGE };

struct bench {
	struct peft_pool	*pool;
	size_t			 n;		/* values, whole slices */
	enum peft_dtype		 type;
	float			*x, *back, *scales;
	float			*importance;	/* [COLS] */
	uint8_t			*bytes;
	size_t			 per_slice;	/* bytes */
};

static void
die(const char *what)
{
	fprintf(stderr, "quant-bench: %s\n", what);
	exit(2);
}

static void
do_copy(void *ctx, size_t task, int thread)
{
	const struct bench *b = ctx;

	(void)thread;
	memcpy(b->back + task * SLICE, b->x + task * SLICE,
	    SLICE * sizeof(float));
}

static struct peft_weight
slice_of(const struct bench *b, size_t task)
{
	return (struct peft_weight){ .dtype = b->type, .rows = ROWS,
	    .cols = COLS, .nelem = SLICE, .data = b->bytes + task *
	    b->per_slice, .scales = { .blocksize = 64, .nabsmax = SLICE / 64,
	    .absmax = b->scales + task * (SLICE / 64) } };
}

static void
do_encode(void *ctx, size_t task, int thread)
{
	const struct bench *b = ctx;
	struct peft_weight w = slice_of(b, task);
	struct peft_err err;

	(void)thread;
	if (peft_encode_weight(&w, b->x + task * SLICE, true, b->bytes +
	    task * b->per_slice, b->scales + task * (SLICE / 64), &err) == -1)
		die(err.msg);
}

/* With an importance matrix; of a large slice. */
static void
do_weigh(void *ctx, size_t task, int thread)
{
	const struct bench *b = ctx;
	struct peft_err err;

	(void)thread;
	if (peft_encode_rows(b->type, b->x + task * LARGE * SLICE, LARGE *
	    ROWS, COLS, b->importance, b->bytes + task * LARGE * b->per_slice,
	    &err) == -1)
		die(err.msg);
}

static void
do_search(void *ctx, size_t task, int thread)
{
	struct bench b = *(const struct bench *)ctx;

	b.importance = NULL;
	do_weigh(&b, task, thread);
}

static void
do_decode(void *ctx, size_t task, int thread)
{
	const struct bench *b = ctx;
	struct peft_weight w = slice_of(b, task);

	(void)thread;
	if (!peft_is_coded(b->type))
		w.scales = (struct peft_scales){ 0 };
	peft_decode(&w, 0, SLICE, b->back + task * SLICE);
}

static void
nested(struct bench *b)
{
	size_t n = b->n / 64;
	struct peft_err err;
	uint8_t *q = peft_calloc(n, 1, &err);
	float *outer = peft_calloc(n / 256 + 1, sizeof(*outer), &err), offset;

	if (q == NULL || outer == NULL)
		die("no memory");
	peft_encode_nested(b->scales, n, q, outer, &offset);
	free(q);
	free(outer);
}

static double
used(void)
{
	struct timespec t = { 0 };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static double
best(struct bench *b, void (*fn)(void *, size_t, int), bool dq)
{
	double least = 1e9, t;
	int i;

	for (i = 0; i < RUNS; i++) {
		t = used();
		peft_pool_run(b->pool, b->n / SLICE, fn, b);
		if (dq)
			nested(b);
		t = used() - t;
		least = t < least ? t : least;
	}
	return least;
}

static void
line(const struct bench *b, const char *what, const char *name, double s,
    double bandwidth)
{
	double bytes = (double)b->n * sizeof(float) +
	    (double)(b->n / SLICE * b->per_slice);

	printf("%-10s %-8s %8.0f %8.2f %8.2f\n", what, name, (double)b->n / s /
	    1e6, bytes / s / 1e9, bytes / s / bandwidth);
	fflush(stdout);
}

static void
one_type(struct bench *b, enum peft_dtype t, double bandwidth)
{
	const struct peft_dtype_info *i = &peft_dtypes[t];
	double s;

	b->type = t;
	b->per_slice = SLICE / i->block * i->bytes;
	s = best(b, do_encode, false);
	line(b, "quantise", i->name, s, bandwidth);
	if (t == PEFT_NF4)
		line(b, "quantise", "nf4+dq", best(b, do_encode, true),
		    bandwidth);
	line(b, "expand", i->name, best(b, do_decode, false), bandwidth);
}

/* Millions of values a second of some of them, without and with importances:
 * the best of three. */
static void
slow_type(const struct bench *b, enum peft_dtype t)
{
	static const struct {
		const char	*what;
		void		(*fn)(void *, size_t, int);
	} how[] = { { "quantise", do_search }, { "weigh", do_weigh } };
	struct bench some = *b;
	double s, least;
	int i, r;

	some.type = t;
	some.per_slice = SLICE / peft_dtypes[t].block * peft_dtypes[t].bytes;
	for (i = peft_needs_importance(t); i < 1 + peft_can_weigh(t); i++) {
		for (least = 1e9, r = 0; r < 3; r++) {
			s = used();
			peft_pool_run(b->pool, SLOW / LARGE, how[i].fn, &some);
			s = used() - s;
			least = s < least ? s : least;
		}
		printf("%-10s %-8s %8.1f\n", how[i].what, peft_dtypes[t].name,
		    SLOW * (double)SLICE / least / 1e6);
		fflush(stdout);
	}
}

int
main(int argc, char **argv)
{
	static const enum peft_dtype types[] = { PEFT_F16, PEFT_BF16,
	    PEFT_NF4, PEFT_INT8, PEFT_Q8_0, PEFT_Q4_0, PEFT_Q4_K, PEFT_Q6_K },
	    slow[] = { PEFT_Q4_0, PEFT_Q4_1, PEFT_Q5_0, PEFT_Q5_1, PEFT_Q2_K,
	    PEFT_Q3_K, PEFT_Q4_K, PEFT_Q5_K, PEFT_Q6_K, PEFT_IQ4_NL,
	    PEFT_IQ4_XS, PEFT_MXFP4, PEFT_TQ1_0, PEFT_TQ2_0, PEFT_IQ3_S,
	    PEFT_IQ3_XXS, PEFT_IQ2_S, PEFT_IQ2_XS, PEFT_IQ2_XXS, PEFT_IQ1_M,
	    PEFT_IQ1_S };
	int threads = argc > 1 ? atoi(argv[1]) : peft_cores();
	struct peft_rng key = peft_rng_key(1, "quant-bench");
	struct bench b = { .n = (argc > 2 ? strtoul(argv[2], NULL, 10) : 32) *
	    16 * SLICE };
	struct peft_err err = { 0 };
	double bandwidth;
	size_t i;

	b.pool = peft_pool_open(threads, &err);
	b.x = peft_calloc(b.n, sizeof(float), &err);
	b.back = peft_calloc(b.n, sizeof(float), &err);
	b.bytes = peft_calloc(b.n, sizeof(float), &err);
	b.scales = peft_calloc(b.n / 64, sizeof(float), &err);
	b.importance = peft_calloc(COLS, sizeof(float), &err);
	if (b.pool == NULL || b.x == NULL || b.back == NULL ||
	    b.bytes == NULL || b.scales == NULL || b.importance == NULL)
		die(err.msg);
	for (i = 0; i < b.n; i++)
		b.x[i] = i < SLICE ? (float)peft_rng_normal(key, 0, i) :
		    b.x[i - SLICE];
	for (i = 0; i < COLS; i++)
		b.importance[i] = (float)(1 + i % 7);
	b.per_slice = SLICE * sizeof(float);
	bandwidth = 8 * (double)b.n / best(&b, do_copy, false);
	printf("%d threads, %.0f million values, processor seconds; memcpy %.2f GB/s read and "
	    "written\n%-10s %-8s %8s %8s %8s\n", threads, (double)b.n / 1e6,
	    bandwidth / 1e9, "", "", "M/s", "GB/s", "of it");
	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		one_type(&b, types[i], bandwidth);
	for (i = 0; b.n >= SLOW * SLICE && i < sizeof(slow) / sizeof(slow[0]);
	    i++)
		slow_type(&b, slow[i]);
	peft_pool_close(b.pool);
	free(b.x);
	free(b.back);
	free(b.bytes);
	free(b.scales);
	free(b.importance);
	return 0;
}
