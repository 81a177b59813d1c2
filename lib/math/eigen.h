/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_EIGEN_H
#define PEFT_MATH_EIGEN_H

#include <stddef.h>

#include "base/err.h"
#include "math/cpu.h"

/* Symmetric matrices, in double and on the calling thread; row-major. */

/* The k largest singular values of x [m, n], falling: s[k], and the right
 * vectors v [k, n], k <= n; from the eigenvectors of x^T x. */
int	peft_principal(const struct peft_cpu *, const double *x, size_t m,
	    size_t n, size_t k, double *s, double *v, struct peft_err *)
	    PEFT_MUSTCHECK;
/* g [n, n] += x^T x of x [m, n]; only columns <= row of g are used. */
int	peft_gram_add(const struct peft_cpu *, const double *x, size_t m,
	    size_t n, double *g, struct peft_err *) PEFT_MUSTCHECK;
/* inverse [n, n] of g, all of it, which is positive definite. */
int	peft_inverse(const struct peft_cpu *, const double *g, size_t n,
	    double *inverse, struct peft_err *) PEFT_MUSTCHECK;

#endif
