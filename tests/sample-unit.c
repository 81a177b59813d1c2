/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing tokens, against a list that is sorted as a whole. */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/sample.h"
#include "tap.h"

enum { MOST = 5000 };

struct token {
	float	p;
	size_t	i;
};

static int
by_likelihood(const void *pa, const void *pb)
{
	const struct token *a = pa, *b = pb;

	if (a->p != b->p)
		return a->p < b->p ? 1 : -1;
	return (a->i > b->i) - (a->i < b->i);
}

/* peft_sample() as its header has it. */
static int32_t
plain(const struct peft_sampling *s, const float *x, size_t n, uint64_t step)
{
	static struct token t[MOST];
	double total = 0, kept = 0, u = peft_rng_uniform(s->rng, 0, step);
	bool whole = s->top_p == 1 && (s->top_k == 0 || s->top_k >= n);
	size_t k = s->top_k == 0 || s->top_k > n ? n : s->top_k, i, m;
	float top = -INFINITY;

	for (i = 0; i < n; i++)
		top = x[i] > top ? x[i] : top;
	for (i = 0; i < n; i++)
		t[i] = (struct token){ (float)exp(((double)x[i] -
		    (double)top) / s->temperature), i };
	if (!whole && k == n)		/* in the order in which it is summed */
		for (i = 0; i < n; i++)
			total += (double)t[i].p;
	if (!whole)
		qsort(t, n, sizeof(*t), by_likelihood);
	for (i = 0; (whole || k < n) && i < k; i++)
		total += (double)t[i].p;
	for (m = 0; m < k && (whole || s->top_p == 1 || m == 0 ||
	    kept < s->top_p * total); m++)
		kept += (double)t[m].p;
	u *= kept;
	for (i = 0; i < m; i++)
		if ((u -= (double)t[i].p) < 0)
			return (int32_t)t[i].i;
	return -1;
}

/* Flat or steep, with ties; some cannot be. */
static void
fill(float *x, size_t n, struct peft_rng rng, size_t round)
{
	static const double scales[] = { 0.1, 3, 20, 400 };
	size_t i;

	for (i = 0; i < n; i++) {
		x[i] = (float)(scales[round % 4] * peft_rng_uniform(rng,
		    round, i));
		if (round % 3 == 0)
			x[i] = rintf(x[i]);
		if (round % 5 == 0 && i % 7 == 3)
			x[i] = -INFINITY;
	}
}

static void
test(size_t top_k, double top_p, double temperature)
{
	static float x[MOST], copy[MOST];
	static uint32_t order[MOST];
	static const size_t sizes[] = { 1, 2, 7, 300, MOST };
	struct peft_sampling s = { .temperature = temperature, .top_p = top_p,
	    .top_k = top_k, .rng = peft_rng_key(5, "sample-unit") };
	bool good = true;
	size_t round, n;

	for (round = 0; round < 60; round++) {
		n = sizes[round % 5];
		fill(x, n, s.rng, round);
		memcpy(copy, x, sizeof(x));
		good = good && plain(&s, x, n, round) == peft_sample(&s, copy,
		    n, 0, round, order);
	}
	ok(good, "top_k %zu, top_p %g, temperature %g", top_k, top_p,
	    temperature);
}

int
main(void)
{
	static const size_t k[] = { 0, 1, 2, 40, 299, 300, 4999, MOST, 9999 };
	static const double p[] = { 1, 0.999, 0.95, 0.5, 0.01 };
	size_t i, j;

	for (i = 0; i < sizeof(k) / sizeof(k[0]); i++)
		for (j = 0; j < sizeof(p) / sizeof(p[0]); j++) {
			test(k[i], p[j], 1);
			test(k[i], p[j], 0.3);
		}
	return tap_end();
}
