/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products with frozen weights: panels are expanded to f32 in the scratch of
 * the thread that uses them, just before BLAS multiplies them with the
 * tokens.  Every task writes a tile of the output of its own, cut by shape
 * alone.
 */

#include "quant/product.h"
#include "quant/quant.h"

enum {
	DEEP = 768,	/* rows or columns that are summed over at a time */
	FEWTOKENS = 32,	/* for these an expanded row is read once or twice, */
	FEWROWS = 64	/* so a task has few, and expands a few at a time */
};

/* OpenBLAS multiplies what is smaller than this (m n k) without packing it
 * first (SkylakeX kernels), which is twice as fast for few tokens. */
enum { SMALL = 800 * 1000 };

struct job {
	struct peft_cpu			*cpu;
	const struct peft_product	*p;
	size_t				 np, T, ldx;
	const float			*x;
	float				*dx, *scratch;
	size_t				 stride;	/* floats a thread */
	struct peft_tile		 tile;	/* of the output, T x n */
	bool				 add;
};

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
pieces(size_t n, size_t of)
{
	return (n + of - 1) / of;
}

static size_t
stride_of(size_t rows, size_t cols)
{
	return PEFT_TILE_N * least(DEEP, rows > cols ? rows : cols);
}

size_t
peft_product_scratch(const struct peft_cpu *cpu, size_t rows, size_t cols)
{
	return (size_t)peft_cpu_threads(cpu) * stride_of(rows, cols);
}

/* Room for a thread's panel, and the tiles of an output n wide. */
static void
plan(struct job *j, size_t n)
{
	size_t i;

	for (i = 0; i < j->np; i++) {
		size_t need = stride_of(j->p[i].w->rows, j->p[i].w->cols);

		j->stride = need > j->stride ? need : j->stride;
	}
	j->tile = peft_tile_of(j->T, n);
}

/* nr rows by nc columns of a weight as f32: where they lie, or expanded;
 * *ld is the distance between rows. */
static const float *
expand(const struct peft_weight *w, size_t r, size_t nr, size_t c, size_t nc,
    float *panel, size_t *ld)
{
	size_t i;

	*ld = w->cols;
	if (w->dtype == PEFT_F32)
		return (const float *)w->data + r * w->cols + c;
	*ld = nc;
	for (i = 0; i < nr; i++)
		peft_decode_part(w, r + i, c, nc, panel + i * nc);
	return panel;
}

/* Which of the weights, and which panel of it, is this one? */
static const struct peft_product *
locate(const struct job *j, size_t *panel)
{
	const struct peft_product *p = j->p;

	for (; *panel >= pieces(p->w->rows, j->tile.n); p++)
		*panel -= pieces(p->w->rows, j->tile.n);
	return p;
}

/* Outputs r .. r+n of T tokens from t on. */
static void
forward_tile(const struct job *j, const struct peft_product *p, size_t r,
    size_t n, size_t t, size_t T, float *panel)
{
	const struct peft_weight *w = p->w;
	size_t c, m, ld;

	for (c = 0; c < w->cols; c += m) {
		const float *src;

		m = least(DEEP, w->cols - c);
		src = expand(w, r, n, c, m, panel, &ld);
		peft_gemm1(j->cpu, PEFT_N, PEFT_T, T, n, m, 1,
		    j->x + t * j->ldx + c, j->ldx, src, ld, c > 0 ? 1 : 0,
		    p->y + t * p->ldy + r, p->ldy);
	}
}

static void
forward_task(void *ctx, size_t task, int thread)
{
	const struct job *j = ctx;
	size_t panel = task / j->tile.down, t = task % j->tile.down * j->tile.m;
	const struct peft_product *p = locate(j, &panel);
	size_t r = panel * j->tile.n;

	forward_tile(j, p, r, least(j->tile.n, p->w->rows - r), t,
	    least(j->tile.m, j->T - t),
	    j->scratch + (size_t)thread * j->stride);
}

/* A few tokens: rows are expanded a few at a time and used while they are in
 * the first caches. */
static void
forward_few_task(void *ctx, size_t task, int thread)
{
	const struct job *j = ctx;
	const struct peft_product *p = locate(j, &task);
	size_t r = task * j->tile.n, end = least(r + j->tile.n, p->w->rows), n;
	size_t most = SMALL / (j->T * least(DEEP, p->w->cols)) / 16 * 16;

	if (most == 0)
		most = j->tile.n;
	for (; r < end; r += n) {
		n = least(most, end - r);
		forward_tile(j, p, r, n, 0, j->T,
		    j->scratch + (size_t)thread * j->stride);
	}
}

void
peft_product_forward(struct peft_cpu *cpu, const float *x, size_t ldx,
    size_t T, const struct peft_product *p, size_t np, float *scratch)
{
	struct job j = { .cpu = cpu, .p = p, .np = np, .T = T, .ldx = ldx,
	    .x = x, .scratch = scratch };
	bool few = T <= FEWTOKENS;
	size_t i, n = 0;

	if (T == 0)
		return;
	for (i = 0; i < np; i++)
		n += p[i].w->rows;
	plan(&j, n);
	if (few) {
		j.tile.n = FEWROWS;
		j.tile.down = 1;
	}
	for (i = 0, n = 0; i < np; i++)
		n += pieces(p[i].w->rows, j.tile.n) * j.tile.down;
	peft_cpu_run(cpu, n, few ? forward_few_task : forward_task, &j);
}

/* Inputs c .. c+n of T tokens from t on: a tile of dx += y W. */
static void
backward_tile(const struct job *j, const struct peft_product *p, size_t c,
    size_t n, size_t t, size_t T, float *panel, bool add)
{
	const struct peft_weight *w = p->w;
	size_t r, m, ld;

	for (r = 0; r < w->rows; r += m, add = true) {
		const float *src;

		m = least(DEEP, w->rows - r);
		src = expand(w, r, m, c, n, panel, &ld);
		peft_gemm1(j->cpu, PEFT_N, PEFT_N, T, n, m, 1,
		    p->y + t * p->ldy + r, p->ldy, src, ld, add ? 1 : 0,
		    j->dx + t * j->ldx + c, j->ldx);
	}
}

static void
backward_task(void *ctx, size_t task, int thread)
{
	const struct job *j = ctx;
	size_t c = task / j->tile.down * j->tile.n;
	size_t n = least(j->tile.n, j->p->w->cols - c);
	size_t t = task % j->tile.down * j->tile.m;
	size_t T = least(j->tile.m, j->T - t), i;

	for (i = 0; i < j->np; i++)
		backward_tile(j, &j->p[i], c, n, t, T, j->scratch +
		    (size_t)thread * j->stride, i > 0 || j->add);
}

void
peft_product_backward(struct peft_cpu *cpu, float *dx, size_t ldx, size_t T,
    const struct peft_product *p, size_t np, bool add, float *scratch)
{
	struct job j = { .cpu = cpu, .p = p, .np = np, .T = T, .ldx = ldx,
	    .dx = dx, .scratch = scratch, .add = add };

	plan(&j, p->w->cols);
	peft_cpu_run(cpu, j.tile.across * j.tile.down, backward_task, &j);
}
