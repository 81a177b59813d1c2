/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_LAPACK_H
#define PEFT_MATH_LAPACK_H

#include <stddef.h>

#include "base/err.h"

/*
 * Factorisations by LAPACK, which is in the OpenBLAS that is opened at run
 * time.  Row-major f32; k = min(m, n).
 */

/* a [m, n] (overwritten) = u [m, k] diag(s [k]) vt [k, n], s falling. */
int	peft_svd(float *a, size_t m, size_t n, float *s, float *u, float *vt,
	    struct peft_err *) PEFT_MUSTCHECK;
/* a [m, n] = q [m, k] r [k, n]. */
int	peft_qr(const float *a, size_t m, size_t n, float *q, float *r,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
