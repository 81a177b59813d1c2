/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on the rows of a micro-batch, cut into tasks of 16 rows. */

#include "model/hooks-impl.h"
#include "model/net-impl.h"

enum { ROWS = 16 };

/* One operation: row() does row t of it. */
struct op {
	const struct peft_run	*run;
	const struct peft_normal *norm;
	void		(*row)(const struct op *, size_t t);
	size_t		 T, n;
	float		*y;			/* written */
	uint16_t	*halves;		/* the same, or instead */
	size_t		 ldy;			/* of the one or the other */
	const float	*a, *b;			/* read */
	float		 scale;
	bool		 set;
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
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	size_t reads = (op->a != NULL) + (op->b != NULL);

	op->run = run;
	peft_cpu_run(run->net->cpu, (op->T + ROWS - 1) / ROWS, op_task, op);
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_NORM, 0,
	    (double)(op->T * op->n * (1 + reads) * sizeof(float)));
}

static bool
is_rms(const struct peft_run *run)
{
	return run->net->config.t.norm < PEFT_LAYER;
}

/* The mean and 1 / the standard deviation of a row. */
static void
moments(const float *x, size_t n, double eps, float *mean, float *r)
{
	double m = 0, v = 0, d;
	size_t i;

	for (i = 0; i < n; i++)
		m += (double)x[i];
	m /= (double)n;
	for (i = 0; i < n; i++) {
		d = (double)x[i] - m;
		v += d * d;
	}
	*mean = (float)m;
	*r = (float)(1 / __builtin_sqrt(v / (double)n + eps));
}

void
peft_norm_row(const struct peft_run *run, const struct peft_normal *norm,
    size_t group, float *y, const float *x)
{
	double eps = run->net->config.t.eps;
	size_t n = norm->n, i;
	const float *w = norm->w + group % norm->groups * n;
	float mean, r;

	if (is_rms(run)) {
		(void)run->vec->rmsnorm(y, x, w, n, (float)eps);
		return;
	}
	moments(x, n, eps, &mean, &r);
	for (i = 0; i < n; i++)
		y[i] = (x[i] - mean) * r * w[i];
	if (norm->b != NULL)
		run->vec->add(y, norm->b, n);
}

/* 1/rms is computed again: it costs one pass over a row that is in cache,
 * and nothing has to be kept. */
void
peft_norm_back_row(const struct peft_run *run, const struct peft_normal *norm,
    size_t group, float *dx, const float *dy, const float *x)
{
	double eps = run->net->config.t.eps, a = 0, b = 0, g;
	size_t n = norm->n, i;
	const float *w = norm->w + group % norm->groups * n;
	float mean, r;

	if (is_rms(run)) {
		r = (float)(1 / __builtin_sqrt(run->vec->sumsq(x, n) /
		    (double)n + eps));
		run->vec->rmsnorm_back(dx, dy, x, w, r, n);
		return;
	}
	moments(x, n, eps, &mean, &r);
	for (i = 0; i < n; i++) {
		g = (double)dy[i] * (double)w[i];
		a += g;
		b += g * (double)((x[i] - mean) * r);
	}
	a /= (double)n;
	b /= (double)n;
	for (i = 0; i < n; i++)
		dx[i] += r * (dy[i] * w[i] - (float)a -
		    (x[i] - mean) * r * (float)b);
}

static void
norm_row(const struct op *op, size_t t)
{
	peft_norm_row(op->run, op->norm, 0, op->y + t * op->n,
	    op->a + t * op->n);
}

void
peft_op_norm(struct peft_run *run, const struct peft_normal *norm, float *y,
    const float *x, size_t T)
{
	struct op op = { .row = norm_row, .T = T, .n = norm->n, .y = y,
	    .a = x, .norm = norm };

	if (norm->site != NULL && peft_hooks_have(norm->site,
	    PEFT_HAS_VECTOR)) {
		peft_norm_rows(run, norm, run->ranges, run->nranges, y, x,
		    norm->n, NULL);
		return;
	}
	op_run(run, &op);
}

/* In f32 a row is only passing: tasks have one each. */
static void
norm_halves_row(const struct op *op, size_t t)
{
	float *y = op->y + t / ROWS * op->n;

	peft_norm_row(op->run, op->norm, 0, y, op->a + t * op->n);
	peft_stash_round(op->run, op->halves + t * op->ldy, y, op->n);
}

void
peft_op_norm_halves(struct peft_run *run, const struct peft_normal *norm,
    uint16_t *y, size_t ld, const float *x)
{
	struct op op = { .row = norm_halves_row, .T = run->T, .n = norm->n,
	    .y = run->tmp, .halves = y, .ldy = ld, .a = x, .norm = norm };

	op_run(run, &op);
}

const float *
peft_normed(struct peft_run *run, const struct peft_normal *norm,
    const float *x)
{
	if (norm->n == 0)
		return x;
	peft_op_norm(run, norm, run->normed, x, run->T);
	return run->normed;
}

static void
norm_back_row(const struct op *op, size_t t)
{
	float *dx = op->y + t * op->n;

	if (op->set)
		__builtin_memset(dx, 0, op->n * sizeof(*dx));
	peft_norm_back_row(op->run, op->norm, 0, dx, op->a + t * op->n,
	    op->b + t * op->n);
}

void
peft_op_norm_back(struct peft_run *run, const struct peft_normal *norm,
    float *dx, const float *dy, const float *x, size_t T, bool set)
{
	struct op op = { .row = norm_back_row, .T = T, .n = norm->n, .y = dx,
	    .a = dy, .b = x, .norm = norm, .set = set };

	if (norm->site != NULL && peft_hooks_have(norm->site,
	    PEFT_HAS_VECTOR)) {
		if (set)
			__builtin_memset(dx, 0, T * norm->n * sizeof(*dx));
		peft_norm_rows_back(run, norm, run->ranges, run->nranges, dx,
		    dy, x, norm->n, NULL);
		return;
	}
	op_run(run, &op);
}

static void
add_row(const struct op *op, size_t t)
{
	const float *a = op->a + t * op->n, *b = op->b + t * op->n;
	float *y = op->y + t * op->n;

	op->run->vec->sum(y, a, op->scale, b, op->n);
	if (op->halves != NULL)
		peft_stash_keep(op->run, op->halves + t * op->n, y, op->n);
}

void
peft_op_add(struct peft_run *run, float *y, uint16_t *keep, const float *a,
    const float *b, float scale)
{
	struct op op = { .row = add_row, .T = run->T,
	    .n = run->net->config.hidden, .y = y, .a = a, .b = b,
	    .scale = scale, .halves = keep };

	op_run(run, &op);
}

static void
scale_row(const struct op *op, size_t t)
{
	const float *a = op->a + t * op->n;
	float *y = op->y + t * op->n;
	size_t i;

	for (i = 0; i < op->n; i++)
		y[i] = op->scale * a[i];
}

void
peft_op_scale(struct peft_run *run, float *y, const float *a, float scale)
{
	struct op op = { .row = scale_row, .T = run->T,
	    .n = run->net->config.hidden, .y = y, .a = a, .scale = scale };

	op_run(run, &op);
}

static void
bias_row(const struct op *op, size_t t)
{
	op->run->vec->add(op->y + t * op->ldy, op->b, op->n);
}

void
peft_op_bias(struct peft_run *run, float *y, size_t ld, const float *b,
    size_t n, size_t T)
{
	struct op op = { .row = bias_row, .T = T, .n = n, .y = y, .ldy = ld,
	    .b = b };

	op_run(run, &op);
}
