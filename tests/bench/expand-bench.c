/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expand-bench [THREADS [MILLIONS [TYPE]]]: how fast each type is expanded to
 * f32, and f32 made 16 bits wide, as a fraction of what a loop reaches that
 * does nothing but read and write as many bytes.  Plain stores read memory
 * before they write it, stores past the caches do not; so there are two such
 * loops, and two fractions.  Decoders store plainly, since what they make is
 * used next: mostly it never leaves the cache, for which the last column has
 * the rate.  Times of a type are taken in turn, the processor's seconds of
 * all threads, and the least counts: others may use the machine.
 */

#include <emmintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/rng.h"
#include "math/cores.h"
#include "math/pool.h"
#include "quant/quant.h"

enum { COLS = 4096, ROWS = 16, SLICE = COLS * ROWS, RUNS = 9 };

struct bench {
	struct peft_pool	*pool;
	size_t			 n;		/* values, whole slices */
	struct peft_weight	 w;		/* of a slice */
	float			*x, *back, *scales;
	uint8_t			*bytes;
	size_t			 per_slice;	/* bytes */
	bool			 narrow;	/* from f32 to the type */
};

static void
die(const char *what)
{
	fprintf(stderr, "expand-bench: %s\n", what);
	exit(2);
}

typedef uint8_t wide __attribute__((vector_size(64), aligned(16), may_alias));

/* Read so many bytes, and write so many: multiples of SLICE / 128. */
__attribute__((target_clones("avx512f", "avx2", "default")))
static void
stream(const uint8_t *from, size_t in, uint8_t *to, size_t out)
{
	size_t i, k, rin = in / (SLICE / 128), rout = out / (SLICE / 128);
	wide v = { 0 };

	for (i = 0; i < SLICE / 128; i++, from += rin, to += rout) {
		for (k = 0; k + 64 <= rin; k += 64)
			v ^= *(const wide *)(const void *)(from + k);
		for (k = 0; k < rout; k += 64)
			*(wide *)(void *)(to + k) = v;
	}
}

/* The same past the caches. */
static void
stream_past(const uint8_t *from, size_t in, uint8_t *to, size_t out)
{
	size_t i, k, rin = in / (SLICE / 128), rout = out / (SLICE / 128);
	__m128i v = _mm_setzero_si128();

	for (i = 0; i < SLICE / 128; i++, from += rin, to += rout) {
		for (k = 0; k + 64 <= rin; k += 16)
			v = _mm_xor_si128(v, _mm_loadu_si128((const __m128i *)
			    (const void *)(from + k)));
		for (k = 0; k < rout; k += 16)
			_mm_stream_si128((__m128i *)(void *)(to + k), v);
	}
}

static void
any_stream(const struct bench *b, size_t task, bool past)
{
	uint8_t *bytes = b->bytes + task * b->per_slice;
	uint8_t *floats = (uint8_t *)(void *)(b->back + task * SLICE);
	const size_t n = SLICE * sizeof(float), m = b->per_slice;

	(past ? stream_past : stream)(b->narrow ? floats : bytes, b->narrow ?
	    n : m, b->narrow ? bytes : floats, b->narrow ? m : n);
}

static void
do_plain(void *ctx, size_t task, int thread)
{
	(void)thread;
	any_stream(ctx, task, false);
}

static void
do_past(void *ctx, size_t task, int thread)
{
	(void)thread;
	any_stream(ctx, task, true);
}

static void
narrow(const struct bench *b, size_t at, size_t n)
{
	struct peft_err err = { 0 };

	if (peft_encode(b->w.dtype, b->back + at, n, b->bytes + at *
	    sizeof(uint16_t), &err) == -1)
		die(err.msg);
}

static void
do_expand(void *ctx, size_t task, int thread)
{
	const struct bench *b = ctx;
	struct peft_weight w = b->w;

	(void)thread;
	w.data = b->bytes + task * b->per_slice;
	if (b->narrow)
		narrow(b, task * SLICE, SLICE);
	else
		peft_decode(&w, 0, SLICE, b->back + task * SLICE);
}

/* A row, as often as there are rows in all. */
static void
do_cached(void *ctx, size_t task, int thread)
{
	const struct bench *b = ctx;
	struct peft_weight w = b->w;
	int i;

	(void)task;
	w.data = b->bytes + (size_t)thread * b->per_slice;
	for (i = 0; i < ROWS; i++)
		if (b->narrow)
			narrow(b, (size_t)thread * SLICE, COLS);
		else
			peft_decode(&w, 0, COLS, b->back + (size_t)thread *
			    SLICE);
}

static double
once(struct bench *b, void (*fn)(void *, size_t, int))
{
	struct timespec t[2] = { { 0 } };

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t[0]);
	peft_pool_run(b->pool, b->n / SLICE, fn, b);
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t[1]);
	return (double)(t[1].tv_sec - t[0].tv_sec) + (double)(t[1].tv_nsec -
	    t[0].tv_nsec) * 1e-9;
}

/* Bytes of a type that is not made here: numbers that are none too odd. */
static void
invent(struct bench *b)
{
	struct peft_rng key = peft_rng_key(1, "expand-bench");
	size_t i;

	for (i = 0; i < b->per_slice; i++)
		b->bytes[i] = (uint8_t)(peft_rng_u64(key, 0, i) & 63) + 32;
}

/* One slice of the type, then copies of it. */
static void
fill(struct bench *b, enum peft_dtype t)
{
	struct peft_err err = { 0 };
	size_t i;

	b->per_slice = SLICE / peft_dtypes[t].block * peft_dtypes[t].bytes;
	b->w = (struct peft_weight){ .dtype = t, .ndim = 2, .rows = ROWS,
	    .cols = COLS, .nelem = SLICE, .scales.blocksize = 64 };
	if (peft_is_coded(t)) {
		if (peft_encode_weight(&b->w, b->x, true, b->bytes, b->scales,
		    &err) == -1)
			die(err.msg);
	} else if (!peft_can_encode(t))
		invent(b);
	else if (peft_encode_rows(t, b->x, ROWS, COLS, b->x + SLICE, b->bytes,
	    &err) == -1)
		die(err.msg);
	if (!peft_is_coded(t))
		b->w.scales = (struct peft_scales){ 0 };
	for (i = 1; i < b->n / SLICE; i++)
		memcpy(b->bytes + i * b->per_slice, b->bytes, b->per_slice);
}

static void
one_type(struct bench *b, enum peft_dtype t)
{
	static void (*const what[])(void *, size_t, int) = { do_plain,
	    do_past, do_expand, do_cached };
	double least[] = { 1e9, 1e9, 1e9, 1e9 }, s, bytes;
	int r, i;

	for (r = 0; r < RUNS; r++)
		for (i = 0; i < 4; i++) {
			s = once(b, what[i]);
			least[i] = s < least[i] ? s : least[i];
		}
	bytes = (double)b->n * sizeof(float) + (double)(b->n / SLICE *
	    b->per_slice);
	printf("%s %-8s %8.0f %8.2f %8.2f %8.2f %8.0f\n", b->narrow ? "to  " :
	    "from", peft_dtypes[t].name, (double)b->n / least[2] / 1e6, bytes / least[2] / 1e9,
	    least[0] / least[2], least[1] / least[2], (double)b->n /
	    least[3] / 1e6);
	fflush(stdout);
}

static bool
is_float_or_coded(enum peft_dtype t)
{
	return t < PEFT_I8 || (t >= PEFT_NF4 && t <= PEFT_INT8) ||
	    t >= PEFT_Q4_0;
}

int
main(int argc, char **argv)
{
	int threads = argc > 1 ? atoi(argv[1]) : peft_cores(), t;
	struct peft_rng key = peft_rng_key(1, "expand-bench");
	struct bench b = { .n = (argc > 2 ? strtoul(argv[2], NULL, 10) : 32) *
	    16 * SLICE };
	struct peft_err err = { 0 };
	size_t i;

	b.pool = peft_pool_open(threads, &err);
	b.x = peft_calloc(2 * SLICE, sizeof(float), &err);
	b.back = aligned_alloc(64, b.n * sizeof(float));
	b.bytes = aligned_alloc(64, b.n * sizeof(double));
	b.scales = peft_calloc(SLICE, sizeof(float), &err);
	if (b.pool == NULL || b.x == NULL || b.back == NULL ||
	    b.bytes == NULL || b.scales == NULL)
		die(err.msg);
	memset(b.back, 0, b.n * sizeof(float));
	memset(b.bytes, 0, b.n * sizeof(double));
	for (i = 0; i < SLICE; i++)
		b.x[i] = (float)peft_rng_normal(key, 0, i);
	for (; i < 2 * SLICE; i++)	/* importance */
		b.x[i] = 1;
	printf("%d threads, %.0f million values\n%-13s %8s %8s %8s %8s %8s\n",
	    threads, (double)b.n / 1e6, "", "M/s", "GB/s", "of plain",
	    "of past", "cached");
	for (t = 0; t < PEFT_NDTYPE; t++)
		if (is_float_or_coded((enum peft_dtype)t) && (argc < 4 ||
		    strcmp(argv[3], peft_dtypes[t].name) == 0)) {
			fill(&b, (enum peft_dtype)t);
			one_type(&b, (enum peft_dtype)t);
			b.narrow = t == PEFT_F16 || t == PEFT_BF16;
			if (b.narrow)	/* of what was just expanded */
				one_type(&b, (enum peft_dtype)t);
			b.narrow = false;
		}
	peft_pool_close(b.pool);
	free(b.x);
	free(b.back);
	free(b.bytes);
	free(b.scales);
	return 0;
}
