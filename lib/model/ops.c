/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on the rows of a micro-batch, cut into tasks of 16 rows. */

#include "model/net-impl.h"

enum { ROWS = 16 };

/* One operation: row() does row t of it. */
struct op {
	const struct peft_run	*run;
	void		(*row)(const struct op *, size_t t);
	size_t		 T, n;
	float		*y, *z;			/* written */
	size_t		 ldy;
	const float	*a, *b, *w;		/* read */
	float		 sign;
};

static void
op_task(void *ctx, size_t task, int thread)
{
	const struct op *op = ctx;
	size_t t = task * ROWS, end = t + ROWS < op->T ? t + ROWS : op->T;

	(void)thread;
	for (; t < end; t++)
		op->row(op, t);
}

static void
op_run(struct peft_run *run, struct op *op)
{
	op->run = run;
	peft_cpu_run(run->net->cpu, (op->T + ROWS - 1) / ROWS, op_task, op);
}

static void
norm_row(const struct op *op, size_t t)
{
	(void)op->run->vec->rmsnorm(op->y + t * op->n, op->a + t * op->n,
	    op->w, op->n, (float)op->run->net->config.norm_eps);
}

void
peft_op_norm(struct peft_run *run, float *y, const float *x, const float *w,
    size_t T)
{
	struct op op = { .row = norm_row, .T = T, .n = run->net->config.hidden,
	    .y = y, .a = x, .w = w };

	op_run(run, &op);
}

/* 1/rms is computed again: it costs one pass over a row that is in cache,
 * and nothing has to be kept. */
static void
norm_back_row(const struct op *op, size_t t)
{
	const float *x = op->b + t * op->n;
	double ms = op->run->vec->sumsq(x, op->n) / (double)op->n;
	float r = (float)(1 / __builtin_sqrt(ms +
	    op->run->net->config.norm_eps));

	op->run->vec->rmsnorm_back(op->y + t * op->n, op->a + t * op->n, x,
	    op->w, r, op->n);
}

void
peft_op_norm_back(struct peft_run *run, float *dx, const float *dy,
    const float *x, const float *w, size_t T)
{
	struct op op = { .row = norm_back_row, .T = T,
	    .n = run->net->config.hidden, .y = dx, .a = dy, .b = x, .w = w };

	op_run(run, &op);
}

static void
swiglu_row(const struct op *op, size_t t)
{
	op->run->vec->swiglu(op->y + t * op->n, op->a + t * op->n,
	    op->b + t * op->n, op->n);
}

void
peft_op_swiglu(struct peft_run *run, float *y, const float *g, const float *u)
{
	struct op op = { .row = swiglu_row, .T = run->T,
	    .n = run->net->config.inter, .y = y, .a = g, .b = u };

	op_run(run, &op);
}

static void
swiglu_back_row(const struct op *op, size_t t)
{
	float *g = op->y + t * op->n, *u = op->z + t * op->n;

	op->run->vec->swiglu_back(g, u, op->a + t * op->n, g, u, op->n);
}

void
peft_op_swiglu_back(struct peft_run *run, float *dg, float *du,
    const float *dy)
{
	struct op op = { .row = swiglu_back_row, .T = run->T,
	    .n = run->net->config.inter, .y = dg, .z = du, .a = dy };

	op_run(run, &op);
}

static void
sum_row(const struct op *op, size_t t)
{
	const float *a = op->a + t * op->n, *b = op->b + t * op->n;
	float *y = op->y + t * op->n;
	size_t i;

	for (i = 0; i < op->n; i++)
		y[i] = a[i] + b[i];
}

void
peft_op_sum(struct peft_run *run, float *y, const float *a, const float *b)
{
	struct op op = { .row = sum_row, .T = run->T,
	    .n = run->net->config.hidden, .y = y, .a = a, .b = b };

	op_run(run, &op);
}

static void
bias_row(const struct op *op, size_t t)
{
	op->run->vec->add(op->y + t * op->ldy, op->w, op->n);
}

void
peft_op_bias(struct peft_run *run, float *y, size_t ld, const float *b,
    size_t n)
{
	struct op op = { .row = bias_row, .T = run->T, .n = n, .y = y,
	    .ldy = ld, .w = b };

	op_run(run, &op);
}

/* Queries and keys lie side by side: heads + kv_heads heads to rotate. */
static void
rope_row(const struct op *op, size_t t)
{
	const struct peft_run *run = op->run;
	const struct peft_config *c = &run->net->config;
	size_t half = c->head_dim / 2, h, at = run->pos[t] * half;

	for (h = 0; h < c->heads + c->kv_heads; h++)
		run->vec->rope(op->y + t * op->ldy + h * c->head_dim,
		    run->cos + at, run->sin + at, half, op->sign);
}

void
peft_op_rope(struct peft_run *run, float *qkv, float sign)
{
	const struct peft_config *c = &run->net->config;
	struct op op = { .row = rope_row, .T = run->T, .y = qkv,
	    .ldy = (c->heads + 2 * c->kv_heads) * c->head_dim, .sign = sign };

	op_run(run, &op);
}
