/* SPDX-License-Identifier: Apache-2.0 */
/* Approximations of low rank.  LAPACK is column-major: what it sees of a
 * row-major matrix is the transpose. */

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "math/cpu-impl.h"
#include "math/lowrank.h"

enum { NONE = 111, TRANSPOSED = 112, COLUMNS = 102, UPPER = 121 };

/* Fortran's calling: everything by address, lengths of strings at the end. */
struct lapack {
	void	(*geqrf)(const int *m, const int *n, double *a, const int *lda,
		    double *tau, double *work, const int *lwork, int *info);
	void	(*gesdd)(const char *jobz, const int *m, const int *n,
		    double *a, const int *lda, double *s, double *u,
		    const int *ldu, double *vt, const int *ldvt, double *work,
		    const int *lwork, int *iwork, int *info, size_t);
	void	(*syevr)(const char *jobz, const char *range,
		    const char *uplo, const int *n, double *a, const int *lda,
		    const double *vl, const double *vu, const int *il,
		    const int *iu, const double *abstol, int *found,
		    double *w, double *z, const int *ldz, int *support,
		    double *work, const int *lwork, int *iwork,
		    const int *liwork, int *info, size_t, size_t, size_t);
	void	(*syrk)(int order, int uplo, int trans, int n, int k,
		    double alpha, const double *a, int lda, double beta,
		    double *c, int ldc);
	void	(*gemm)(int order, int ta, int tb, int m, int n, int k,
		    double alpha, const double *a, int lda, const double *b,
		    int ldb, double beta, double *c, int ldc);
};

/* LAPACK for a matrix of m x n: it counts in int. */
static int
open_lapack(const struct peft_cpu *cpu, struct lapack *l, size_t m, size_t n,
    struct peft_err *err)
{
	const struct peft_blas *b = &cpu->blas;

	if (m > INT_MAX / 64 || n > INT_MAX / 64)
		return peft_seterr(err, "a matrix of %zu x %zu is too large to "
		    "be decomposed", m, n);
	if (peft_blas_find(b, "dgeqrf_", &l->geqrf, err) == -1 ||
	    peft_blas_find(b, "dgesdd_", &l->gesdd, err) == -1 ||
	    peft_blas_find(b, "dsyevr_", &l->syevr, err) == -1 ||
	    peft_blas_find(b, "cblas_dsyrk", &l->syrk, err) == -1)
		return -1;
	return peft_blas_find(b, "cblas_dgemm", &l->gemm, err);
}

static int
failed(const char *what, int info, struct peft_err *err)
{
	return peft_setfail(err, PEFT_NUMERIC, "LAPACK's %s failed (%d)", what,
	    info);
}

/* R of x = Q R, x column-major m x n; r is column-major k x n, k = min(m, n),
 * and what is below its diagonal 0. */
static int
qr(const struct lapack *l, double *x, int m, int n, double *r,
    struct peft_err *err)
{
	int k = m < n ? m : n, lwork = 64 * n, info = 0, i, j;
	double *work = peft_calloc((size_t)(lwork + k), sizeof(*work), err);

	if (work == NULL)
		return -1;
	l->geqrf(&m, &n, x, &m, work + lwork, work, &lwork, &info);
	free(work);
	for (j = 0; j < n; j++)
		for (i = 0; i < k; i++)
			r[(size_t)j * (size_t)k + (size_t)i] = i > j ? 0 :
			    x[(size_t)j * (size_t)m + (size_t)i];
	return info != 0 ? failed("dgeqrf", info, err) : 0;
}

/* Of column-major x, m x n, which is destroyed: s[min(m, n)]. */
static int
singular_values(const struct lapack *l, double *x, int m, int n, double *s,
    struct peft_err *err)
{
	int k = m < n ? m : n, most = m < n ? n : m, info = 0, one = 1;
	int lwork = 3 * k + (most > 7 * k ? most : 7 * k) + 64 * (m + n);
	double *work = peft_calloc((size_t)lwork, sizeof(*work), err);
	int *iwork = peft_calloc(8 * (size_t)k, sizeof(*iwork), err);
	int status = -1;

	if (work != NULL && iwork != NULL) {
		l->gesdd("N", &m, &n, x, &m, s, NULL, &one, NULL, &one, work,
		    &lwork, iwork, &info, 1);
		status = info != 0 ? failed("dgesdd", info, err) : 0;
	}
	free(work);
	free(iwork);
	return status;
}

/* dst, column-major rows x cols, from row-major src (its transpose if the
 * roles of the two are changed). */
static void
columns(double *dst, const float *src, size_t rows, size_t cols)
{
	size_t i, j;

	for (i = 0; i < rows; i++)
		for (j = 0; j < cols; j++)
			dst[j * rows + i] = (double)src[i * cols + j];
}

static void
widen(double *dst, const float *src, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		dst[i] = (double)src[i];
}

int
peft_singular_product(const struct peft_cpu *cpu, const float *b, size_t m,
    const float *a, size_t n, size_t r, double *s, struct peft_err *err)
{
	size_t kb = m < r ? m : r, ka = n < r ? n : r;
	double *x = peft_calloc((m + n) * r, sizeof(*x), err);
	double *rb = peft_calloc((kb + ka) * r + kb * ka, sizeof(*rb), err);
	double *ra, *core;
	struct lapack l;
	int status = -1;

	if (x != NULL && rb != NULL && open_lapack(cpu, &l, m + n, r,
	    err) == 0) {
		ra = rb + kb * r;
		core = ra + ka * r;
		columns(x, b, m, r);
		widen(x + m * r, a, n * r);
		status = qr(&l, x, (int)m, (int)r, rb, err);
		if (status == 0)
			status = qr(&l, x + m * r, (int)n, (int)r, ra, err);
		if (status == 0) {
			memset(s, 0, r * sizeof(*s));
			l.gemm(COLUMNS, NONE, TRANSPOSED, (int)kb, (int)ka,
			    (int)r, 1, rb, (int)kb, ra, (int)ka, 0, core,
			    (int)kb);
			status = singular_values(&l, core, (int)kb, (int)ka, s,
			    err);
		}
	}
	free(x);
	free(rb);
	return status;
}

/* The r largest eigenvalues of symmetric g [k, k], ascending, and their
 * vectors, column-major z [k, r]. */
static int
eigenvectors(const struct lapack *l, double *g, int k, int r, double *w,
    double *z, struct peft_err *err)
{
	int from = k - r + 1, found = 0, info = 0, lwork = 64 * k;
	int liwork = 12 * k;
	double none = 0, *work = peft_calloc((size_t)lwork, sizeof(*work), err);
	int *iwork = peft_calloc((size_t)(liwork + 2 * k), sizeof(*iwork),
	    err);
	int status = -1;

	if (work != NULL && iwork != NULL) {
		l->syevr("V", "I", "U", &k, g, &k, &none, &none, &from, &k,
		    &none, &found, w, z, &k, iwork + liwork, work, &lwork,
		    iwork, &liwork, &info, 1, 1, 1);
		status = info != 0 || found != r ? failed("dsyevr", info,
		    err) : 0;
	}
	free(work);
	free(iwork);
	return status;
}

/* Column-major x is W^T, [n, m]; tall: m > n, so that the vectors z, [k, r],
 * are the right ones.  other = W^T z or W z, column-major [most, r]. */
static void
spread(const struct lapack *l, const double *x, int m, int n, int r,
    const double *z, double *other)
{
	if (m > n)
		l->gemm(COLUMNS, TRANSPOSED, NONE, m, r, n, 1, x, n, z, n, 0,
		    other, m);
	else
		l->gemm(COLUMNS, NONE, NONE, n, r, m, 1, x, n, z, m, 0, other,
		    n);
}

/* Vector j of the largest is column r - 1 - j.  What has unit length gets the
 * root of the singular value, what has its length loses it. */
static void
share(const double *w, const double *z, const double *other, size_t m,
    size_t n, size_t r, float *b, float *a)
{
	bool tall = m > n;
	const double *left = tall ? other : z, *right = tall ? z : other;
	size_t i, j;

	for (j = 0; j < r; j++) {
		size_t c = r - 1 - j;
		double root = w[c] > 0 ? pow(w[c], 0.25) : 0;
		double less = root > 0 ? 1 / root : 0;

		for (i = 0; i < m; i++)
			b[i * r + j] = (float)(left[c * m + i] *
			    (tall ? less : root));
		for (i = 0; i < n; i++)
			a[j * n + i] = (float)(right[c * n + i] *
			    (tall ? root : less));
	}
}

int
peft_low_rank(const struct peft_cpu *cpu, const float *w, size_t m, size_t n,
    size_t r, float *b, float *a, struct peft_err *err)
{
	size_t k = m < n ? m : n, most = m < n ? n : m;
	double *x = peft_calloc(m * n, sizeof(*x), err);
	double *g = peft_calloc(k * k + k + (k + most) * r, sizeof(*g), err);
	double *values, *z, *other;
	struct lapack l;
	int status = -1;

	if (x != NULL && g != NULL && open_lapack(cpu, &l, m, n, err) == 0) {
		values = g + k * k;
		z = values + k;
		other = z + k * r;
		widen(x, w, m * n);
		l.syrk(COLUMNS, UPPER, m > n ? NONE : TRANSPOSED, (int)k,
		    (int)most, 1, x, (int)n, 0, g, (int)k);
		status = eigenvectors(&l, g, (int)k, (int)r, values, z, err);
		if (status == 0) {
			spread(&l, x, (int)m, (int)n, (int)r, z, other);
			share(values, z, other, m, n, r, b, a);
		}
	}
	free(x);
	free(g);
	return status;
}

struct peft_spectrum
peft_spectrum_of(const double *s, size_t n)
{
	struct peft_spectrum p = { 0 };
	double sum = 0, entropy = 0, share_of;
	size_t i;

	for (i = 0; i < n; i++) {
		sum += s[i];
		p.norm += s[i] * s[i];
		p.largest = s[i] > p.largest ? s[i] : p.largest;
	}
	if (sum > 0) {
		for (i = 0; i < n; i++) {
			share_of = s[i] / sum;
			if (share_of > 0)
				entropy -= share_of * log(share_of);
		}
		p.effective_rank = exp(entropy);
		p.stable_rank = p.norm / (p.largest * p.largest);
	}
	p.norm = sqrt(p.norm);
	return p;
}
