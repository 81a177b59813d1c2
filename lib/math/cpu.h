/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_CPU_H
#define PEFT_MATH_CPU_H

#include <stddef.h>

#include "base/err.h"

/*
 * What computes: the threads, the vector kernels this processor has, and
 * BLAS.  A program that computes opens one and passes it down; a program
 * that does not never loads BLAS (it is opened with dlopen, after its core
 * type was settled: Debian's OpenBLAS 0.3.21 does not know some recent
 * processors and would run its slowest kernels on them; the user's own
 * OPENBLAS_CORETYPE wins).
 *
 * Work is cut into tasks by shape alone, never by the number of threads, and
 * each task writes its own part of the result: so results have the same
 * bytes for every number of threads.
 */
struct peft_cpu;
struct peft_vec;
struct peft_panel_f32;
struct peft_panel_bf16;
struct peft_panel_int8;

/* threads 0: one a core this process may run on. */
struct peft_cpu	*peft_cpu_open(int threads, struct peft_err *) PEFT_MUSTCHECK;
void		 peft_cpu_close(struct peft_cpu *);
int		 peft_cpu_threads(const struct peft_cpu *);
/* The vector kernels of the path: the best this processor has ("amx",
 * "avx512-bf16", "avx512", "avx2", "ref"), unless PEFT_CPU in the
 * environment names a lesser one. */
const struct peft_vec *peft_cpu_vec(const struct peft_cpu *);
/* One line: "avx512 kernels, products of bf16 with amx, 2 threads, OpenBLAS
 * 0.3.21 SkylakeX (core type set by peft)". */
const char	*peft_cpu_describe(const struct peft_cpu *);
/* Force the path by name; -1 if this processor has none of it. */
int		 peft_cpu_limit(struct peft_cpu *, const char *path,
		    struct peft_err *) PEFT_MUSTCHECK;

/* What products with frozen weights are computed from: f32 as it is, rounded
 * to bf16 (sums are f32 in both), or quantised to int8 (int8.h).  f32 until
 * it is set. */
enum peft_compute { PEFT_COMPUTE_F32, PEFT_COMPUTE_BF16, PEFT_COMPUTE_INT8 };
extern const char *const peft_compute_names[];	/* NULL-terminated */
void		 peft_cpu_compute(struct peft_cpu *, enum peft_compute);
enum peft_compute peft_cpu_computes(const struct peft_cpu *);
/* What products with an adapter's matrices are computed from: the same, but
 * beside int8, bf16 where there are kernels for it, else f32. */
enum peft_compute peft_cpu_computes_dense(const struct peft_cpu *);
/* Products with frozen weights sum in one order for a few tokens and in
 * another for many.  Which, goes by their number (as it is until it is set);
 * or is settled, so that what a token computes does not depend on how many
 * others there are. */
enum peft_order_of_sums { PEFT_BY_NUMBER, PEFT_AS_FEW, PEFT_AS_MANY };
void		 peft_cpu_sum(struct peft_cpu *, enum peft_order_of_sums);
enum peft_order_of_sums peft_cpu_sums(const struct peft_cpu *);
/* The panel kernels of the path (panel.h).  Without those for bf16 (NULL)
 * f32 ones do the work, over rounded values: the same products, no faster. */
const struct peft_panel_f32 *peft_cpu_panel_f32(const struct peft_cpu *);
const struct peft_panel_bf16 *peft_cpu_panel_bf16(const struct peft_cpu *);
const struct peft_panel_int8 *peft_cpu_panel_int8(const struct peft_cpu *);

/* fn(ctx, task, thread) for task = 0 .. ntasks-1, thread < threads; returns
 * when all are done.  Not to be called from within a task. */
void		 peft_cpu_run(struct peft_cpu *, size_t ntasks,
		    void (*fn)(void *ctx, size_t task, int thread), void *ctx);

/* Products count what they do, in operations (a product and its sum are two),
 * attention does not: so much so far. */
void		 peft_cpu_count(struct peft_cpu *, double operations);
double		 peft_cpu_counted(const struct peft_cpu *);

enum peft_trans { PEFT_N, PEFT_T };

/*
 * C[m,n] = alpha op(A) op(B) + beta C, row-major, f32; op(A) is m x k.
 * peft_gemm1: on the calling thread (for use inside tasks).  peft_gemm: on
 * all threads, cut into tiles that depend on m and n only.
 */
void	peft_gemm1(const struct peft_cpu *, enum peft_trans ta,
	    enum peft_trans tb, size_t m, size_t n, size_t k, float alpha,
	    const float *a, size_t lda, const float *b, size_t ldb, float beta,
	    float *c, size_t ldc);
void	peft_gemm(struct peft_cpu *, enum peft_trans ta,
	    enum peft_trans tb, size_t m, size_t n, size_t k, float alpha,
	    const float *a, size_t lda, const float *b, size_t ldb, float beta,
	    float *c, size_t ldc);
/* See math/panel.h, on all threads. */
struct peft_outer;
void	peft_outer(struct peft_cpu *, const struct peft_outer *);

#endif
