/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_HUNT_H
#define TESTS_HUNT_H

/*
 * For hunts, which try random cases for so many seconds: what is random, and
 * memory that ends, or begins, right beside a page that nobody may touch.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "math/cpu.h"
#include "tap.h"

/* xorshift64* (Vigna 2016). */
struct dice {
	uint64_t	state;
};

static inline struct dice
dice_of(uint64_t seed, uint64_t trial)
{
	return (struct dice){ (seed * 0x9e3779b97f4a7c15u + trial + 1) *
	    0xbf58476d1ce4e5b9u | 1 };
}

static inline uint64_t
roll64(struct dice *d)
{
	d->state ^= d->state >> 12;
	d->state ^= d->state << 25;
	d->state ^= d->state >> 27;
	return d->state * 0x2545f4914f6cdd1du;
}

/* From low to high, both of them. */
static inline size_t
roll(struct dice *d, size_t low, size_t high)
{
	return low + (size_t)((roll64(d) >> 16) % (high - low + 1));
}

static inline bool
one_in(struct dice *d, size_t n)
{
	return roll(d, 1, n) == 1;
}

static inline float
roll_float(struct dice *d, float low, float high)
{
	return low + (high - low) * (float)(roll64(d) >> 40) * 0x1p-24f;
}

/* Around one of those that are listed (the last is 0), or of any magnitude up
 * to the largest of them. */
static inline size_t
roll_size(struct dice *d, const size_t *around)
{
	size_t n = 0, most = 1, v;

	for (; around[n] > 0; n++)
		most = around[n] > most ? around[n] : most;
	if (one_in(d, 2)) {
		v = most >> roll(d, 0, 8);
		return roll(d, 1, v > 0 ? v : 1);
	}
	v = around[roll(d, 0, n - 1)] + roll(d, 0, 4);
	return v > 3 ? v - 2 : 1;
}

enum { PEN_MOST = 1024, PEN_PAGE = 4096 };

struct pen {
	void	*at[PEN_MOST];
	size_t	 size[PEN_MOST], n;
};

/* align: a power of two. */
static inline void *
pen_get(struct pen *p, struct dice *d, size_t bytes, size_t align)
{
	size_t inner = (bytes + align + PEN_PAGE - 1) / PEN_PAGE * PEN_PAGE;
	char *at = mmap(NULL, inner + 2 * PEN_PAGE, PROT_NONE, MAP_PRIVATE |
	    MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED || p->n == PEN_MOST || mprotect(at + PEN_PAGE,
	    inner, PROT_READ | PROT_WRITE) == -1) {
		puts("Bail out! no memory");
		exit(1);
	}
	p->at[p->n] = at;
	p->size[p->n++] = inner + 2 * PEN_PAGE;
	at += PEN_PAGE;
	return one_in(d, 4) ? at : at + (inner - bytes) / align * align;
}

static inline float *
pen_floats(struct pen *p, struct dice *d, size_t n)
{
	return pen_get(p, d, n * sizeof(float), sizeof(float));
}

/* Between -1 and 1. */
static inline float *
pen_noise(struct pen *p, struct dice *d, size_t n)
{
	float *x = pen_floats(p, d, n);
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = roll_float(d, -1, 1);
	return x;
}

static inline float *
pen_copy(struct pen *p, struct dice *d, const float *from, size_t n)
{
	float *x = pen_floats(p, d, n);

	if (n > 0)
		memcpy(x, from, n * sizeof(*x));
	return x;
}

static inline void
pen_clear(struct pen *p)
{
	for (; p->n > 0; p->n--)
		munmap(p->at[p->n - 1], p->size[p->n - 1]);
}

/* What a processor may compute by. */
static const char *const paths[] = { "ref", "avx2", "avx512", "avx512-bf16",
	"amx" };
enum { NPATH = sizeof(paths) / sizeof(paths[0]) };

/* Open n of 1, 1 + step ... threads, and find which paths there are. */
static inline void
hunt_open(struct peft_cpu **cpu, int n, int step, bool has[NPATH])
{
	struct peft_err err = { 0 };
	int i;

	for (i = 0; i < n; i++)
		need((cpu[i] = peft_cpu_open(1 + step * i, &err)) != NULL,
		    &err);
	for (i = 0; i < NPATH; i++)
		has[i] = peft_cpu_limit(cpu[0], paths[i], &err) == 0;
}

static inline void
hunt_close(struct peft_cpu **cpu, int n)
{
	int i;

	for (i = 0; i < n; i++)
		peft_cpu_close(cpu[i]);
}

/* [SECONDS [SEED [TRIAL]]]: cases of a seed from a trial on, until so many
 * seconds of processor time are over, or one is wrong (which has said so). */
static inline bool
hunt(int argc, char **argv, bool (*try)(void *ctx, struct dice *), void *ctx)
{
	double seconds = argc > 1 ? atof(argv[1]) : 2;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
	uint64_t first = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	const clock_t end = clock() + (clock_t)(seconds * CLOCKS_PER_SEC);
	uint64_t trial = first;
	bool good;

	do {
		struct dice d = dice_of(seed, trial);

		good = try(ctx, &d);
		if (!good)
			printf("# wrong: seed %llu, trial %llu\n",
			    (unsigned long long)seed,
			    (unsigned long long)trial);
		trial++;
	} while (good && clock() < end);
	printf("# %llu trials of seed %llu\n", (unsigned long long)(trial -
	    first), (unsigned long long)seed);
	return good;
}

#endif
