/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products with frozen weights: panels are expanded to f32 in the scratch of
 * the thread that uses them, just before BLAS multiplies them with all
 * tokens.  Every task writes columns of the output of its own, chosen by
 * shape alone.
 */

#include "math/vec.h"
#include "quant/product.h"
#include "quant/quant.h"

enum {
	WIDE = 128,	/* outputs (forward) or inputs (backward) of a task */
	STRIP = 1024,	/* rows that backward expands at a time */
	FEW = 4		/* up to this many tokens: dot products instead */
};

struct job {
	struct peft_cpu			*cpu;
	const struct peft_product	*p;
	size_t				 np, T, ldx;
	const float			*x;
	float				*dx, *scratch;
	size_t				 stride;	/* floats a thread */
	bool				 add;
};

/* Is the weight usable where it lies? */
static bool
is_plain(const struct peft_weight *w)
{
	return w->dtype == PEFT_F32;
}

static size_t
panels(size_t n)
{
	return (n + WIDE - 1) / WIDE;
}

static size_t
stride_of(size_t rows, size_t cols)
{
	/* forward expands WIDE whole rows, backward WIDE columns of a strip
	 * of rows */
	size_t strip = rows < STRIP ? rows : STRIP;

	return WIDE * (strip > cols ? strip : cols);
}

size_t
peft_product_scratch(const struct peft_cpu *cpu, size_t rows, size_t cols)
{
	return (size_t)peft_cpu_threads(cpu) * stride_of(rows, cols);
}

/* Rows r0 .. r0+n of a weight as f32: where it lies, or expanded. */
static const float *
expand_rows(const struct peft_weight *w, size_t r0, size_t n, float *panel)
{
	if (is_plain(w))
		return (const float *)w->data + r0 * w->cols;
	peft_decode(w, r0 * w->cols, n * w->cols, panel);
	return panel;
}

/* Which of the weights, and which panel of it, is this task's? */
static const struct peft_product *
locate(const struct job *j, size_t *task)
{
	const struct peft_product *p = j->p;

	for (; *task >= panels(p->w->rows); p++)
		*task -= panels(p->w->rows);
	return p;
}

static void
forward_task(void *ctx, size_t task, int thread)
{
	const struct job *j = ctx;
	const struct peft_product *p = locate(j, &task);
	const struct peft_weight *w = p->w;
	size_t r0 = task * WIDE, n = w->rows - r0 < WIDE ? w->rows - r0 : WIDE;
	const float *panel = expand_rows(w, r0, n,
	    j->scratch + (size_t)thread * j->stride);

	peft_gemm1(j->cpu, PEFT_N, PEFT_T, j->T, n, w->cols, 1, j->x, j->ldx,
	    panel, w->cols, 0, p->y + r0, p->ldy);
}

/* A few tokens: each row of the weight is expanded and used while it is in
 * the first cache. */
static void
forward_few_task(void *ctx, size_t task, int thread)
{
	const struct job *j = ctx;
	const struct peft_product *p = locate(j, &task);
	const struct peft_vec *v = peft_cpu_vec(j->cpu);
	const struct peft_weight *w = p->w;
	size_t r = task * WIDE, t;
	size_t end = w->rows - r < WIDE ? w->rows : r + WIDE;
	float *row = j->scratch + (size_t)thread * j->stride;

	for (; r < end; r++) {
		const float *x = expand_rows(w, r, 1, row);

		for (t = 0; t < j->T; t++)
			p->y[t * p->ldy + r] = v->dot(x, j->x + t * j->ldx,
			    w->cols);
	}
}

/* Single rows can be expanded only if blocks do not straddle them. */
static bool
rows_are_whole(const struct peft_product *p, size_t np)
{
	for (; np > 0; np--, p++)
		if (p->w->cols % peft_dtypes[p->w->dtype].block != 0)
			return false;
	return true;
}

void
peft_product_forward(struct peft_cpu *cpu, const float *x, size_t ldx,
    size_t T, const struct peft_product *p, size_t np, float *scratch)
{
	struct job j = { .cpu = cpu, .p = p, .np = np, .T = T, .ldx = ldx,
	    .x = x, .scratch = scratch };
	bool few = T <= FEW && rows_are_whole(p, np);
	size_t i, tasks = 0;

	for (i = 0; i < np; i++) {
		size_t need = stride_of(p[i].w->rows, p[i].w->cols);

		tasks += panels(p[i].w->rows);
		j.stride = need > j.stride ? need : j.stride;
	}
	peft_cpu_run(cpu, tasks, few ? forward_few_task : forward_task, &j);
}

/* Columns c0 .. c0+n of dx += y W, strip by strip of W's rows. */
static void
add_weight(const struct job *j, const struct peft_product *p, size_t c0,
    size_t n, float *panel, bool add)
{
	const struct peft_weight *w = p->w;
	size_t r, m, i, ld = w->cols;
	const float *src;

	for (r = 0; r < w->rows; r += m, add = true) {
		m = w->rows - r < STRIP ? w->rows - r : STRIP;
		if (is_plain(w))
			src = (const float *)w->data + r * w->cols + c0;
		else {
			for (i = 0; i < m; i++)
				peft_decode_part(w, r + i, c0, n,
				    panel + i * n);
			src = panel;
			ld = n;
		}
		peft_gemm1(j->cpu, PEFT_N, PEFT_N, j->T, n, m, 1, p->y + r,
		    p->ldy, src, ld, add ? 1 : 0, j->dx + c0, j->ldx);
	}
}

static void
backward_task(void *ctx, size_t task, int thread)
{
	const struct job *j = ctx;
	size_t cols = j->p->w->cols, c0 = task * WIDE, i;
	size_t n = cols - c0 < WIDE ? cols - c0 : WIDE;
	float *panel = j->scratch + (size_t)thread * j->stride;

	for (i = 0; i < j->np; i++)
		add_weight(j, &j->p[i], c0, n, panel, i > 0 || j->add);
}

void
peft_product_backward(struct peft_cpu *cpu, float *dx, size_t ldx, size_t T,
    const struct peft_product *p, size_t np, bool add, float *scratch)
{
	struct job j = { .cpu = cpu, .p = p, .np = np, .T = T, .ldx = ldx,
	    .dx = dx, .scratch = scratch, .add = add };
	size_t i;

	for (i = 0; i < np; i++) {
		size_t need = stride_of(p[i].w->rows, p[i].w->cols);

		j.stride = need > j.stride ? need : j.stride;
	}
	peft_cpu_run(cpu, panels(p->w->cols), backward_task, &j);
}
