/* SPDX-License-Identifier: Apache-2.0 */
/* Eigenvectors by LAPACK, which is column-major: a symmetric matrix is the
 * same both ways, but for the triangle that counts. */

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "math/cpu-impl.h"
#include "math/eigen.h"

enum { NONE = 111, TRANSPOSED = 112, COLUMNS = 102, UPPER = 121 };

typedef void	syevr(const char *jobz, const char *range, const char *uplo,
		    const int *n, double *a, const int *lda, const double *vl,
		    const double *vu, const int *il, const int *iu,
		    const double *abstol, int *found, double *w, double *z,
		    const int *ldz, int *support, double *work,
		    const int *lwork, int *iwork, const int *liwork,
		    int *info, size_t, size_t, size_t);
typedef void	syrk(int order, int uplo, int trans, int n, int k,
		    double alpha, const double *a, int lda, double beta,
		    double *c, int ldc);
typedef void	gemm(int order, int ta, int tb, int m, int n, int k,
		    double alpha, const double *a, int lda, const double *b,
		    int ldb, double beta, double *c, int ldc);

int
peft_gram_add(const struct peft_cpu *cpu, const double *x, size_t m, size_t n,
    double *g, struct peft_err *err)
{
	syrk *f;

	if (m > INT_MAX / 64 || n > INT_MAX / 64)
		return peft_seterr(err, "a matrix of %zu x %zu is too large to "
		    "be multiplied", m, n);
	if (peft_blas_find(&cpu->blas, "cblas_dsyrk", &f, err) == -1)
		return -1;
	f(COLUMNS, UPPER, NONE, (int)n, (int)m, 1, x, (int)n, 1, g, (int)n);
	return 0;
}

/* The k largest eigenvalues of g, which is destroyed: w[n], rising, and their
 * vectors, row by row in z [k, n]. */
static int
eigenvectors(const struct peft_cpu *cpu, double *g, size_t n, size_t k,
    double *w, double *z, struct peft_err *err)
{
	int in = (int)n, to = in, from = in - (int)k + 1, found = 0, info = 0;
	int lwork = 64 * in, liwork = 12 * in, *iwork;
	double none = 0, *work = peft_calloc((size_t)lwork, sizeof(*work), err);
	syevr *f;

	iwork = peft_calloc((size_t)liwork + 2 * n, sizeof(*iwork), err);
	if (work == NULL || iwork == NULL ||
	    peft_blas_find(&cpu->blas, "dsyevr_", &f, err) == -1) {
		free(work);
		free(iwork);
		return -1;
	}
	f("V", "I", "U", &in, g, &in, &none, &none, &from, &to, &none, &found,
	    w, z, &in, iwork + liwork, work, &lwork, iwork, &liwork, &info, 1,
	    1, 1);
	free(work);
	free(iwork);
	return info == 0 && found == (int)k ? 0 : peft_setfail(err,
	    PEFT_NUMERIC, "LAPACK's dsyevr failed (%d)", info);
}

int
peft_principal(const struct peft_cpu *cpu, const double *x, size_t m,
    size_t n, size_t k, double *s, double *v, struct peft_err *err)
{
	double *g = peft_calloc(n * n + n + k * n, sizeof(*g), err);
	double *w = g + n * n, *z = w + n;
	size_t j;
	int r = -1;

	if (g != NULL && peft_gram_add(cpu, x, m, n, g, err) == 0)
		r = eigenvectors(cpu, g, n, k, w, z, err);
	for (j = 0; r == 0 && j < k; j++) {
		double e = w[k - 1 - j];

		s[j] = e > 0 ? sqrt(e) : 0;
		memcpy(v + j * n, z + (k - 1 - j) * n, n * sizeof(*v));
	}
	free(g);
	return r;
}

int
peft_inverse(const struct peft_cpu *cpu, const double *g, size_t n,
    double *inverse, struct peft_err *err)
{
	double *copy = peft_calloc(2 * n * n + n, sizeof(*copy), err);
	double *z = copy + n * n, *w = z + n * n;
	size_t i, j;
	gemm *f;
	int r = -1;

	if (copy != NULL &&
	    peft_blas_find(&cpu->blas, "cblas_dgemm", &f, err) == 0) {
		memcpy(copy, g, n * n * sizeof(*copy));
		r = eigenvectors(cpu, copy, n, n, w, z, err);
	}
	if (r == 0 && !(w[0] > 0))
		r = peft_setfail(err, PEFT_NUMERIC, "a matrix to be inverted "
		    "is not positive");
	if (r == 0) {
		for (j = 0; j < n; j++)
			for (i = 0; i < n; i++)
				copy[j * n + i] = z[j * n + i] / w[j];
		f(COLUMNS, NONE, TRANSPOSED, (int)n, (int)n, (int)n, 1, copy,
		    (int)n, z, (int)n, 0, inverse, (int)n);
	}
	free(copy);
	return r;
}
