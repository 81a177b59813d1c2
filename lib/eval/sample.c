/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing the next token. */

#include <math.h>
#include <stdbool.h>

#include "base/half.h"
#include "math/vec.h"
#include "eval/sample.h"

/* Does a come before b: larger first, the lower index among equals? */
static bool
before(const float *x, uint32_t a, uint32_t b)
{
	return x[a] > x[b] || (x[a] == x[b] && a < b);
}

/* A heap with the last in that order on top would do for top_k; but top_p
 * needs the rest too, one after the other, so: the first on top. */
static void
sift(const float *x, uint32_t *heap, size_t i, size_t n)
{
	uint32_t moving = heap[i];
	size_t child;

	for (; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && before(x, heap[child + 1], heap[child]))
			child++;
		if (!before(x, heap[child], moving))
			break;
		heap[i] = heap[child];
	}
	heap[i] = moving;
}

/* The next in order leaves the heap and takes the place behind it. */
static uint32_t
pop(const float *x, uint32_t *heap, size_t n)
{
	uint32_t top = heap[0];

	heap[0] = heap[n - 1];
	heap[n - 1] = top;
	sift(x, heap, 0, n - 1);
	return top;
}

/* Probabilities are up to 1; a bucket has those of one exponent, and five bits
 * more. */
enum { SHIFT = 18, BUCKETS = (0x3f800000 >> SHIFT) + 1 };

/* What the k most likely have at least, or nearly that. */
static float
kth(const float *p, size_t n, size_t k)
{
	uint32_t counts[BUCKETS] = { 0 };
	size_t i, b, have = 0;

	for (i = 0; i < n; i++)
		counts[peft_f32_bits(p[i]) >> SHIFT]++;
	for (b = BUCKETS; have < k; )
		have += counts[--b];
	return peft_bits_f32((uint32_t)b << SHIFT);
}

/* Candidates have this at least.  All below the mean of what top_p leaves out
 * come to less than that together. */
static float
least(const struct peft_sampling *s, const float *p, size_t n, size_t k,
    double total)
{
	return k < n ? kth(p, n, k) :
	    (float)(0.999 * (1 - s->top_p) * total / (double)n);
}

/* Of *m tokens in order[], put the candidates at the end, the most likely
 * last; returns their number, and in *kept the sum of their probabilities.
 * top_p is a share of what top_k left. */
static size_t
candidates(const struct peft_sampling *s, const float *p, size_t n,
    uint32_t *order, size_t *m, double total, double *kept)
{
	size_t k = s->top_k == 0 || s->top_k > n ? n : s->top_k, i, popped = 0;
	float floor = least(s, p, n, k, total);

	for (*m = i = 0; i < n; i++)
		if (p[i] >= floor)
			order[(*m)++] = (uint32_t)i;
	for (i = *m / 2; i > 0; i--)
		sift(p, order, i - 1, *m);
	if (k < n)
		for (total = 0; popped < k; popped++)
			total += (double)p[pop(p, order, *m - popped)];
	for (*kept = 0, i = 0; i < k && i < *m; i++) {
		if (i == popped)
			(void)pop(p, order, *m - popped++);
		*kept += (double)p[order[*m - 1 - i]];
		if (s->top_p < 1 && *kept >= s->top_p * total)
			return i + 1;
	}
	return i;
}

/* One of all of them, in the order they have. */
static int32_t
any(const float *p, size_t n, double u, int32_t best)
{
	size_t i;

	for (i = 0; i < n; i++)
		if ((u -= (double)p[i]) < 0)
			return (int32_t)i;
	return best;
}

int32_t
peft_sample(const struct peft_sampling *s, float *x, size_t n,
    uint64_t request, uint64_t step, uint32_t *order)
{
	int32_t best = (int32_t)peft_vec_best()->argmax(x, n);
	double total = 0, kept, u;
	float top = x[best];
	size_t i, k, m;

	if (s->temperature == 0)
		return best;
	for (i = 0; i < n; i++) {
		x[i] = (float)exp(((double)x[i] - (double)top) /
		    s->temperature);
		total += (double)x[i];
	}
	u = peft_rng_uniform(s->rng, request, step);
	if (s->top_p == 1 && (s->top_k == 0 || s->top_k >= n))
		return any(x, n, u * total, best);
	k = candidates(s, x, n, order, &m, total, &kept);
	for (u *= kept, i = 0; i < k; i++) {
		u -= (double)x[order[m - 1 - i]];
		if (u < 0)
			return (int32_t)order[m - 1 - i];
	}
	return best;
}
