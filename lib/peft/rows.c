/* SPDX-License-Identifier: Apache-2.0 */
/* Rows multiplied with a vector: forward some rows at a time; back, where
 * there is a sum over them, some columns of all. */

#include <string.h>

#include "math/vec.h"
#include "peft/rows.h"

enum {
	ROWS = 16,		/* of a task */
	STRIPE = 256		/* columns of a task */
};

struct task {
	const struct peft_vec		*vec;
	const struct peft_rows_times	*times;
	const struct peft_rows_back	*back;
};

static void
times_row(const struct peft_vec *v, const struct peft_rows_times *r, size_t t)
{
	const float *x = r->x + t * r->ldx;
	float *y = r->y + t * r->ldy;
	float *keep = r->keep == NULL ? NULL : r->keep + t * r->n;

	if (keep != NULL) {
		memcpy(keep, x, r->n * sizeof(*keep));
		if (r->b != NULL)
			v->axpy(keep, -1, r->b, r->n);
		x = keep;
	} else if (r->b != NULL) {
		if (y != x)
			memcpy(y, x, r->n * sizeof(*y));
		v->axpy(y, -1, r->b, r->n);
		x = y;
	}
	if (r->add)
		v->muladd(y, x, r->w, r->n);
	else
		v->mul(y, x, r->w, r->n);
	if (r->b != NULL)
		v->add(y, r->b, r->n);
}

static void
times_task(void *ctx, size_t task, int thread)
{
	const struct task *k = ctx;
	size_t t = task * ROWS, left = k->times->T - t;
	size_t end = t + (left < ROWS ? left : ROWS);

	(void)thread;
	for (; t < end; t++)
		times_row(k->vec, k->times, t);
}

void
peft_rows_times(struct peft_cpu *cpu, const struct peft_rows_times *r)
{
	struct task k = { .vec = peft_cpu_vec(cpu), .times = r };

	peft_cpu_run(cpu, (r->T + ROWS - 1) / ROWS, times_task, &k);
}

static void
back_task(void *ctx, size_t task, int thread)
{
	const struct task *k = ctx;
	const struct peft_rows_back *r = k->back;
	size_t from = task * STRIPE, t;
	size_t n = r->n - from < STRIPE ? r->n - from : STRIPE;
	const float *w = r->w + from;
	float sum[STRIPE] = { 0 };

	(void)thread;
	for (t = 0; t < r->T; t++) {
		const float *dy = r->dy + t * r->lddy + from;

		if (r->g != NULL)
			k->vec->muladd(sum, dy, r->v + t * r->ldv + from, n);
		if (r->dx != NULL)
			(r->add ? k->vec->muladd : k->vec->mul)(r->dx +
			    t * r->lddx + from, dy, w, n);
	}
	if (r->g != NULL)
		k->vec->add(r->g + from, sum, n);
}

void
peft_rows_back(struct peft_cpu *cpu, const struct peft_rows_back *r)
{
	struct task k = { .vec = peft_cpu_vec(cpu), .back = r };

	peft_cpu_run(cpu, (r->n + STRIPE - 1) / STRIPE, back_task, &k);
}
