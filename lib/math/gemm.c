/* SPDX-License-Identifier: Apache-2.0 */
/* Products of f32 matrices: BLAS, except where it is slow. */

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "math/cpu-impl.h"

/* cblas.h's numbers */
enum { ROWMAJOR = 101, NOTRANS = 111, TRANS = 112 };

/* Rows up to which BLAS packs more than it multiplies, if it must pack. */
enum { FEW = 6 };

/* Products (m n k) that are done before other threads would have begun. */
enum { ALONE = 128 * 1024 };

/* BLAS counts in int; no matrix of ours may come near. */
static int
blasint(size_t n)
{
	if (n > INT_MAX)
		abort();		/* a mistake of ours, not of input */
	return (int)n;
}

/* One row or a few of C by dot products with the rows of B, or as sums of
 * them. */
static void
few_rows(const struct peft_vec *v, enum peft_trans tb, size_t m, size_t n,
    size_t k, float alpha, const float *a, size_t lda, const float *b,
    size_t ldb, float beta, float *c, size_t ldc)
{
	size_t i, j;

	for (i = 0; i < m; i++, a += lda, c += ldc) {
		if (beta == 0)
			memset(c, 0, n * sizeof(*c));
		else if (beta != 1)
			v->scale(c, beta, n);
		if (tb == PEFT_T)
			for (j = 0; j < n; j++)
				c[j] += alpha * v->dot(a, b + j * ldb, k);
		else
			for (j = 0; j < k; j++)
				v->axpy(c, alpha * a[j], b + j * ldb, n);
	}
}

/* How the result of a product, m x n, is cut into tasks: tiles that suit the
 * caches, smaller until there are eight of them if it goes. */
struct tile {
	size_t	m, n;		/* n: a multiple of 64, TILE_N at most */
	size_t	down, across;	/* how many */
};
enum { TILE_N = 384 };

struct gemm {
	const struct peft_cpu	*cpu;
	enum peft_trans	 ta, tb;
	size_t		 m, n, k, lda, ldb, ldc;
	struct tile	 tile;
	float		 alpha, beta;
	const float	*a, *b;
	float		*c;
};

/*
 * Where the panel kernels are faster than BLAS: products with a side that is
 * narrow, but not too narrow (heads of attention; rank-r inputs of adapters).
 * They pack little, on the stack, and read A where it is.
 */
enum { NARROW = 64, NARROWEST = 32, DEEP = 512 };

static bool
is_narrow(const struct gemm *g)
{
	return g->ta == PEFT_N && g->m > FEW && g->k > NARROWEST &&
	    (g->k <= NARROW || (g->n <= NARROW && g->m > NARROWEST));
}

/* Columns j .. j+n of B, from row p on, deep rows: as panels. */
static void
pack(const struct gemm *g, size_t j, size_t n, size_t p, size_t deep,
    float *panel)
{
	const struct peft_panel_f32 *f = g->cpu->path.f32;
	size_t end = j + n, m;

	for (; j < end; j += m, panel += deep * PEFT_PANEL) {
		m = end - j < PEFT_PANEL ? end - j : PEFT_PANEL;
		if (g->tb == PEFT_T)
			f->rows(g->b + j * g->ldb + p, g->ldb, m, deep, panel);
		else
			f->cols(g->b + p * g->ldb + j, g->ldb, deep, m, panel);
		if (g->alpha != 1)
			g->cpu->path.vec->scale(panel, g->alpha,
			    deep * PEFT_PANEL);
	}
}

/* As many columns at a time as the stack has room for, so that rows of C are
 * passed through once when k is small. */
static void
narrow(const struct gemm *g)
{
	float panels[DEEP * PEFT_PANEL];
	struct peft_block b = { .m = g->m, .b = panels, .ldc = g->ldc,
	    .lda = g->lda };
	size_t deep = g->k < DEEP ? g->k : DEEP, p, r, j;
	size_t wide = DEEP / deep * PEFT_PANEL;

	for (r = 0; g->beta != 0 && g->beta != 1 && r < g->m; r++)
		g->cpu->path.vec->scale(g->c + r * g->ldc, g->beta, g->n);
	for (j = 0; j < g->n; j += wide) {
		b.n = g->n - j < wide ? g->n - j : wide;
		b.c = g->c + j;
		b.add = g->beta != 0;
		for (p = 0; p < g->k; p += deep, b.add = true) {
			b.k = g->k - p < deep ? g->k - p : deep;
			b.ldb = b.k * PEFT_PANEL;
			pack(g, j, b.n, p, b.k, panels);
			b.a = g->a + p;
			g->cpu->path.f32->block(&b);
		}
	}
}

static void
multiply(const struct gemm *g)
{
	if (g->m == 0 || g->n == 0)
		return;
	if (g->m <= FEW && g->ta == PEFT_N && !g->cpu->blas.small) {
		few_rows(g->cpu->path.vec, g->tb, g->m, g->n, g->k, g->alpha,
		    g->a, g->lda, g->b, g->ldb, g->beta, g->c, g->ldc);
		return;
	}
	if (is_narrow(g)) {
		narrow(g);
		return;
	}
	g->cpu->blas.sgemm(ROWMAJOR, g->ta == PEFT_T ? TRANS : NOTRANS,
	    g->tb == PEFT_T ? TRANS : NOTRANS, blasint(g->m), blasint(g->n),
	    blasint(g->k), g->alpha, g->a, blasint(g->lda), g->b,
	    blasint(g->ldb), g->beta, g->c, blasint(g->ldc));
}

void
peft_gemm1(const struct peft_cpu *cpu, enum peft_trans ta, enum peft_trans tb,
    size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
    const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	const struct gemm g = { .cpu = cpu, .ta = ta, .tb = tb, .m = m, .n = n,
	    .k = k, .lda = lda, .ldb = ldb, .ldc = ldc, .alpha = alpha,
	    .beta = beta, .a = a, .b = b, .c = c };

	multiply(&g);
}

static size_t
pieces(size_t n, size_t of)
{
	return (n + of - 1) / of;
}

/* A width in 64s up to `most' that cuts n into parts alike. */
static size_t
evenly(size_t n, size_t most)
{
	return pieces(pieces(n, pieces(n, most)), 64) * 64;
}

/* Tall tiles first: BLAS packs a tile's rows of A and of B, each of them
 * once for as many products as the other has rows. */
static struct tile
tile_of(size_t m, size_t n)
{
	enum { TASKS = 8, TALL = 512, MIDDLE = 256, LOW = 128, THIN = 64 };
	struct tile t = { TALL, THIN, 0, 0 };

	if (m == 0 || n == 0)
		return t;
	for (t.n = evenly(n, TILE_N);;) {
		t.down = pieces(m, t.m);
		t.across = pieces(n, t.n);
		if (t.down * t.across >= TASKS)
			return t;
		if (t.m > MIDDLE && m > MIDDLE)
			t.m /= 2;
		else if (t.n > THIN)
			t.n = evenly(n, t.n - THIN);
		else if (t.m > LOW && m > LOW)
			t.m /= 2;
		else
			return t;
	}
}

static void
gemm_task(void *ctx, size_t task, int thread)
{
	const struct gemm *g = ctx;
	size_t i = task / g->tile.across * g->tile.m;
	size_t j = task % g->tile.across * g->tile.n;
	size_t m = g->m - i < g->tile.m ? g->m - i : g->tile.m;
	size_t n = g->n - j < g->tile.n ? g->n - j : g->tile.n;

	(void)thread;
	peft_gemm1(g->cpu, g->ta, g->tb, m, n, g->k, g->alpha,
	    g->a + (g->ta == PEFT_T ? i : i * g->lda), g->lda,
	    g->b + (g->tb == PEFT_T ? j * g->ldb : j), g->ldb, g->beta,
	    g->c + i * g->ldc + j, g->ldc);
}

void
peft_gemm(struct peft_cpu *cpu, enum peft_trans ta, enum peft_trans tb,
    size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
    const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	struct gemm g = { cpu, ta, tb, m, n, k, lda, ldb, ldc,
	    tile_of(m, n), alpha, beta, a, b, c };

	peft_cpu_count(cpu, 2 * (double)m * (double)n * (double)k);
	if ((double)m * (double)n * (double)k <= ALONE)
		peft_gemm1(cpu, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta,
		    c, ldc);
	else
		peft_cpu_run(cpu, g.tile.down * g.tile.across, gemm_task, &g);
}

enum { STRIP = 96 };		/* columns of a task */

struct strips {
	struct peft_outer		 o;
	const struct peft_panel_f32	*f32;
};

static void
outer_task(void *ctx, size_t task, int thread)
{
	const struct strips *s = ctx;
	struct peft_outer o = s->o;
	size_t j = task * STRIP;

	(void)thread;
	if (o.halves != NULL)
		o.halves += j;
	else
		o.b += j;
	o.c += j;
	o.n = o.n - j < STRIP ? o.n - j : STRIP;
	s->f32->outer(&o);
}

void
peft_outer(struct peft_cpu *cpu, const struct peft_outer *o)
{
	struct strips s = { *o, cpu->path.f32 };

	peft_cpu_count(cpu, 2 * (double)o->m * (double)o->n * (double)o->k);
	peft_cpu_run(cpu, pieces(o->n, STRIP), outer_task, &s);
}
