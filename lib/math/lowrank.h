/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_LOWRANK_H
#define PEFT_MATH_LOWRANK_H

#include <stddef.h>

#include "base/err.h"
#include "math/cpu.h"

/*
 * Decompositions, by the LAPACK that is in OpenBLAS: f32 in and out, double
 * between.  Matrices are row-major and without padding.  All calls run on the
 * calling thread, so that tasks may make them; values must be finite.
 */

/* The singular values of B A, descending: s[r].  B is [m, r], A [r, n].  The
 * product is never made: with B = Q R and A^T = P S they are those of R S^T,
 * which is r x r at most (what is beyond min(m, n) is 0). */
int	peft_singular_product(const struct peft_cpu *, const float *b, size_t m,
	    const float *a, size_t n, size_t r, double *s, struct peft_err *)
	    PEFT_MUSTCHECK;

/* The B [m, r] and A [r, n] that make |W - B A| least, for W [m, n]
 * (Eckart and Young 1936): with W = U S V^T, B = U sqrt(S) and A = sqrt(S) V^T
 * of the r largest singular values, r <= min(m, n).  From the eigenvectors of
 * the smaller of W W^T and W^T W: values less than 1e-7 of the largest come
 * out as about that. */
int	peft_low_rank(const struct peft_cpu *, const float *w, size_t m,
	    size_t n, size_t r, float *b, float *a, struct peft_err *)
	    PEFT_MUSTCHECK;

/* What a spectrum of n singular values tells: the root of their sum of
 * squares, the rank by entropy (Roy and Vetterli 2007: exp of the entropy of
 * s / sum s) and the stable rank (sum s^2 / max s^2); ranks are 0 for 0. */
struct peft_spectrum {
	double	norm, largest, effective_rank, stable_rank;
};
struct peft_spectrum peft_spectrum_of(const double *s, size_t n);

#endif
