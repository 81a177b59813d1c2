/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_BENCH_H
#define TESTS_BENCH_BENCH_H

/* What benches of products have in common. */

#include <stdlib.h>
#include <sys/mman.h>

#include "base/rng.h"

/* At a multiple of a cache line, in large pages if it is large, as an arena
 * (base/arena.h) is; or not at all. */
static inline void *
must(size_t n)
{
	const size_t page = (size_t)2 << 20, to = n < page ? 64 : page;
	size_t bytes = (n + to - 1) / to * to;
	void *p = aligned_alloc(to, bytes);

	if (p != NULL && to == page)
		(void)madvise(p, bytes, MADV_HUGEPAGE);
	if (p == NULL)
		exit(2);
	return p;
}

/* -0.5 .. 0.5, after so many values the same again. */
static inline float *
noise(size_t n, const char *name)
{
	enum { AGAIN = 65536 };
	struct peft_rng key = peft_rng_key(1, name);
	float *x = must(n * sizeof(*x));
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = i < AGAIN ? (float)(peft_rng_uniform(key, 0, i) - 0.5) :
		    x[i - AGAIN];
	return x;
}

#endif
