/* SPDX-License-Identifier: Apache-2.0 */
/* What computes: path, threads, BLAS; and matrix products on them. */

#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "math/blas.h"
#include "math/cpu.h"
#include "math/pool.h"
#include "math/vec.h"

struct peft_cpu {
	const struct peft_vec	*vec;
	struct peft_pool	*pool;
	int			 threads;
	struct peft_blas	 blas;
	char			 describe[256];
};

/* The paths, best first; each with the OpenBLAS core type that fits. */
struct path {
	const struct peft_vec	*vec;
	bool			 here;
	const char		*core;
};

enum { NPATH = 3 };

static void
find_paths(struct path paths[NPATH])
{
	__builtin_cpu_init();
	paths[0] = (struct path){ &peft_vec_avx512,
	    __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl"), "SkylakeX" };
	paths[1] = (struct path){ &peft_vec_avx2,
	    __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
	    "Haswell" };
	paths[2] = (struct path){ &peft_vec_ref, true, NULL };
}

static const struct path *
best(const struct path *p)
{
	while (!p->here)
		p++;
	return p;
}

const struct peft_vec *
peft_vec_best(void)
{
	struct path paths[NPATH];

	find_paths(paths);
	return best(paths)->vec;
}

static void
describe(struct peft_cpu *cpu)
{
	snprintf(cpu->describe, sizeof(cpu->describe), "%s kernels, %d "
	    "thread%s, %s", cpu->vec->name, cpu->threads,
	    cpu->threads == 1 ? "" : "s", cpu->blas.describe);
}

static int
count_cores(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 1;
	return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}

struct peft_cpu *
peft_cpu_open(int threads, struct peft_err *err)
{
	struct peft_cpu *cpu = peft_calloc(1, sizeof(*cpu), err);
	struct path paths[NPATH];

	if (cpu == NULL)
		return NULL;
	find_paths(paths);
	cpu->vec = best(paths)->vec;
	cpu->threads = threads > 0 ? threads : count_cores();
	if (peft_blas_open(&cpu->blas, best(paths)->core, err) == -1 ||
	    (cpu->pool = peft_pool_open(cpu->threads, err)) == NULL) {
		peft_cpu_close(cpu);
		return NULL;
	}
	describe(cpu);
	return cpu;
}

void
peft_cpu_close(struct peft_cpu *cpu)
{
	if (cpu == NULL)
		return;
	peft_pool_close(cpu->pool);
	peft_blas_close(&cpu->blas);
	free(cpu);
}

int
peft_cpu_threads(const struct peft_cpu *cpu)
{
	return cpu->threads;
}

const struct peft_vec *
peft_cpu_vec(const struct peft_cpu *cpu)
{
	return cpu->vec;
}

const char *
peft_cpu_describe(const struct peft_cpu *cpu)
{
	return cpu->describe;
}

int
peft_cpu_limit(struct peft_cpu *cpu, const char *path, struct peft_err *err)
{
	struct path paths[NPATH];
	int i;

	find_paths(paths);
	for (i = 0; i < NPATH; i++)
		if (strcmp(paths[i].vec->name, path) == 0 && paths[i].here) {
			cpu->vec = paths[i].vec;
			describe(cpu);
			return 0;
		}
	return peft_seterr(err, "this processor has no path '%s' (avx512, "
	    "avx2, ref)", path);
}

void
peft_cpu_run(struct peft_cpu *cpu, size_t ntasks,
    void (*fn)(void *ctx, size_t task, int thread), void *ctx)
{
	peft_pool_run(cpu->pool, ntasks, fn, ctx);
}

/* cblas.h's numbers */
enum { ROWMAJOR = 101, NOTRANS = 111, TRANS = 112 };

/* BLAS counts in int; no matrix of ours may come near. */
static int
blasint(size_t n)
{
	if (n > INT_MAX)
		abort();		/* a mistake of ours, not of input */
	return (int)n;
}

void
peft_gemm1(const struct peft_cpu *cpu, enum peft_trans ta, enum peft_trans tb,
    size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
    const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	if (m == 0 || n == 0)
		return;
	cpu->blas.sgemm(ROWMAJOR, ta == PEFT_T ? TRANS : NOTRANS,
	    tb == PEFT_T ? TRANS : NOTRANS, blasint(m), blasint(n), blasint(k),
	    alpha, a, blasint(lda), b, blasint(ldb), beta, c, blasint(ldc));
}

struct gemm {
	const struct peft_cpu	*cpu;
	enum peft_trans	 ta, tb;
	size_t		 m, n, k, lda, ldb, ldc;
	size_t		 tm, tn, across;	/* tile; tiles in a row */
	float		 alpha, beta;
	const float	*a, *b;
	float		*c;
};

static void
gemm_task(void *ctx, size_t task, int thread)
{
	const struct gemm *g = ctx;
	size_t i = task / g->across * g->tm, j = task % g->across * g->tn;
	size_t m = g->m - i < g->tm ? g->m - i : g->tm;
	size_t n = g->n - j < g->tn ? g->n - j : g->tn;

	(void)thread;
	peft_gemm1(g->cpu, g->ta, g->tb, m, n, g->k, g->alpha,
	    g->a + (g->ta == PEFT_T ? i : i * g->lda), g->lda,
	    g->b + (g->tb == PEFT_T ? j * g->ldb : j), g->ldb, g->beta,
	    g->c + i * g->ldc + j, g->ldc);
}

/* The longer side is cut, so that a tile's panels are read once: eight
 * tiles or more where there is that much of it. */
void
peft_gemm(struct peft_cpu *cpu, enum peft_trans ta, enum peft_trans tb,
    size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
    const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
	struct gemm g = { cpu, ta, tb, m, n, k, lda, ldb, ldc, m, n, 1, alpha,
	    beta, a, b, c };
	size_t *tile = m >= n ? &g.tm : &g.tn, side = m >= n ? m : n;

	if (m == 0 || n == 0)
		return;
	*tile = side <= 512 ? 64 : (side / 8 + 63) / 64 * 64;
	g.across = (n + g.tn - 1) / g.tn;
	peft_cpu_run(cpu, (m + g.tm - 1) / g.tm * g.across, gemm_task, &g);
}
