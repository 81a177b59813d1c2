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

void
peft_gemm1(const struct peft_cpu *cpu, enum peft_trans ta, enum peft_trans tb,
    size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
    const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	if (m == 0 || n == 0)
		return;
	if (m <= FEW && ta == PEFT_N && !cpu->blas.small) {
		few_rows(cpu->path.vec, tb, m, n, k, alpha, a, lda, b, ldb, beta, c,
		    ldc);
		return;
	}
	cpu->blas.sgemm(ROWMAJOR, ta == PEFT_T ? TRANS : NOTRANS,
	    tb == PEFT_T ? TRANS : NOTRANS, blasint(m), blasint(n), blasint(k),
	    alpha, a, blasint(lda), b, blasint(ldb), beta, c, blasint(ldc));
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
struct peft_tile
peft_tile_of(size_t m, size_t n)
{
	enum { TASKS = 8, TALL = 512, MIDDLE = 256, LOW = 128, NARROW = 64 };
	struct peft_tile t = { TALL, NARROW, 0, 0 };

	if (m == 0 || n == 0)
		return t;
	for (t.n = evenly(n, PEFT_TILE_N);;) {
		t.down = pieces(m, t.m);
		t.across = pieces(n, t.n);
		if (t.down * t.across >= TASKS)
			return t;
		if (t.m > MIDDLE && m > MIDDLE)
			t.m /= 2;
		else if (t.n > NARROW)
			t.n = evenly(n, t.n - NARROW);
		else if (t.m > LOW && m > LOW)
			t.m /= 2;
		else
			return t;
	}
}

struct gemm {
	const struct peft_cpu	*cpu;
	enum peft_trans	 ta, tb;
	size_t		 m, n, k, lda, ldb, ldc;
	struct peft_tile tile;
	float		 alpha, beta;
	const float	*a, *b;
	float		*c;
};

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
	    peft_tile_of(m, n), alpha, beta, a, b, c };

	if ((double)m * (double)n * (double)k <= ALONE)
		peft_gemm1(cpu, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta,
		    c, ldc);
	else
		peft_cpu_run(cpu, g.tile.down * g.tile.across, gemm_task, &g);
}
