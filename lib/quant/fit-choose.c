/* SPDX-License-Identifier: Apache-2.0 */
/* One choice an item, the sum of bytes within a budget, that of costs small. */

#include <stdlib.h>

#include "base/buf.h"
#include "quant/fit-impl.h"

static int
by_bytes(const void *a, const void *b)
{
	const struct peft_choice *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? -1 : 1;
	if (x->cost < y->cost || x->cost > y->cost)
		return x->cost < y->cost ? -1 : 1;
	return (int)x->spec.dtype - (int)y->spec.dtype;
}

/* What a byte more lowers the cost by, from choice a to b. */
static double
slope(const struct peft_choice *a, const struct peft_choice *b)
{
	return (a->cost - b->cost) / (double)(b->bytes - a->bytes);
}

static void
mark_hull(struct peft_item *it)
{
	size_t i, k, best;

	for (i = 0; i < it->n; i = best) {
		it->at[i].hull = true;
		for (best = i + 1, k = i + 2; k < it->n; k++)
			if (slope(&it->at[i], &it->at[k]) >=
			    slope(&it->at[i], &it->at[best]))
				best = k;
	}
}

void
peft_choices_sort(struct peft_item *it)
{
	size_t i, n = 0;

	if (it->n > 0)
		qsort(it->at, it->n, sizeof(*it->at), by_bytes);
	for (i = 0; i < it->n; i++)
		if (n == 0 || it->at[i].cost < it->at[n - 1].cost)
			it->at[n++] = it->at[i];
	it->n = n;
	it->chosen = 0;
	mark_hull(it);
}

/* From one point of an item's hull to the next. */
struct step {
	size_t	item, from, to;
	double	slope;
};

static int
by_slope(const void *a, const void *b)
{
	const struct step *x = a, *y = b;

	if (x->slope > y->slope || x->slope < y->slope)
		return x->slope > y->slope ? -1 : 1;
	if (x->item != y->item)
		return x->item < y->item ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

static size_t
make_steps(const struct peft_item *it, size_t n, struct step *steps)
{
	size_t i, k, last, m = 0;

	for (i = 0; i < n; i++)
		for (last = 0, k = 1; k < it[i].n; k++) {
			if (!it[i].at[k].hull)
				continue;
			steps[m++] = (struct step){ i, last, k,
			    slope(&it[i].at[last], &it[i].at[k]) };
			last = k;
		}
	return m;
}

/* Take the choice if the bytes are there. */
static bool
take(struct peft_item *it, size_t to, size_t *left)
{
	size_t more = it->at[to].bytes - it->at[it->chosen].bytes;

	if (more > *left)
		return false;
	*left -= more;
	it->chosen = to;
	return true;
}

/* What is left to the choice that lowers the cost most, until none fits. */
static void
use_rest(struct peft_item *it, size_t n, size_t left)
{
	size_t i, k, item, to;
	double gain, best;

	do {
		for (best = 0, item = to = 0, i = 0; i < n; i++) {
			const struct peft_choice *now =
			    &it[i].at[it[i].chosen];

			for (k = it[i].chosen + 1; k < it[i].n; k++) {
				gain = now->cost - it[i].at[k].cost;
				if (it[i].at[k].bytes - now->bytes > left ||
				    gain <= best)
					continue;
				best = gain;
				item = i;
				to = k;
			}
		}
	} while (best > 0 && take(&it[item], to, &left));
}

int
peft_choose(struct peft_item *it, size_t n, size_t budget,
    struct peft_err *err)
{
	size_t i, m = 0, least = 0, left;
	struct step *steps;

	for (i = 0; i < n; i++) {
		it[i].chosen = 0;
		least += it[i].at[0].bytes;
		m += it[i].n;
	}
	if (least >= budget)
		return 0;
	if ((steps = peft_calloc(m, sizeof(*steps), err)) == NULL)
		return -1;
	left = budget - least;
	m = make_steps(it, n, steps);
	qsort(steps, m, sizeof(*steps), by_slope);
	/* after a step that does not fit no later one of its item is tried */
	for (i = 0; i < m; i++)
		if (it[steps[i].item].chosen == steps[i].from)
			(void)take(&it[steps[i].item], steps[i].to, &left);
	use_rest(it, n, left);
	free(steps);
	return 0;
}
