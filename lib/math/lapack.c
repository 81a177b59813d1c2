/* SPDX-License-Identifier: Apache-2.0 */
/* LAPACK's factorisations, seen from row-major: what is row-major [m, n] here
 * is column-major [n, m] there. */

#include <limits.h>
#include <stdlib.h>

#include "base/buf.h"
#include "math/cpu-impl.h"
#include "math/lapack.h"

typedef void	gesdd(const char *job, const int *m, const int *n, float *a,
		    const int *lda, float *s, float *u, const int *ldu,
		    float *vt, const int *ldvt, float *work, const int *lwork,
		    int *iwork, int *info);
typedef void	geqrf(const int *m, const int *n, float *a, const int *lda,
		    float *tau, float *work, const int *lwork, int *info);
typedef void	orgqr(const int *m, const int *n, const int *k, float *a,
		    const int *lda, const float *tau, float *work,
		    const int *lwork, int *info);

static int
find(const char *name, void *function, size_t m, size_t n,
    struct peft_err *err)
{
	struct peft_blas blas;
	int r;

	if (m > INT_MAX || n > INT_MAX)
		return peft_seterr(err, "a matrix of %zu x %zu is too large",
		    m, n);
	if (peft_cpu_blas(&blas, err) == -1)
		return -1;
	r = peft_blas_find(&blas, name, function, err);
	peft_blas_close(&blas);
	return r;
}

static int
failed(const char *what, int info, struct peft_err *err)
{
	return info == 0 ? 0 : peft_setfail(err, PEFT_NUMERIC, "%s did not "
	    "converge (info %d)", what, info);
}

int
peft_svd(float *a, size_t m, size_t n, float *s, float *u, float *vt,
    struct peft_err *err)
{
	int im = (int)n, in = (int)m, k = im < in ? im : in;	/* turned */
	int lwork = -1, info, *iwork;
	float want, *work;
	gesdd *f;

	if (find("sgesdd_", &f, m, n, err) == -1)
		return -1;
	f("S", &im, &in, a, &im, s, vt, &im, u, &k, &want, &lwork, NULL,
	    &info);
	lwork = (int)want + 1;
	iwork = peft_calloc(8 * (size_t)k, sizeof(*iwork), err);
	work = peft_calloc((size_t)lwork, sizeof(*work), err);
	if (iwork != NULL && work != NULL)
		f("S", &im, &in, a, &im, s, vt, &im, u, &k, work, &lwork,
		    iwork, &info);
	else
		info = -1;
	free(iwork);
	free(work);
	return failed("a singular value decomposition", info, err);
}

/* c[n, m] = a[m, n] turned */
static void
turn(const float *a, size_t m, size_t n, float *c)
{
	size_t i, j;

	for (i = 0; i < m; i++)
		for (j = 0; j < n; j++)
			c[j * m + i] = a[i * n + j];
}

static int
householder(float *c, size_t m, size_t n, float *tau, float *r, float *work,
    int lwork, struct peft_err *err)
{
	int im = (int)m, in = (int)n, k = im < in ? im : in, info;
	size_t i, j;
	geqrf *qr;
	orgqr *org;

	if (find("sgeqrf_", &qr, m, n, err) == -1 ||
	    find("sorgqr_", &org, m, n, err) == -1)
		return -1;
	qr(&im, &in, c, &im, tau, work, &lwork, &info);
	if (failed("a QR decomposition", info, err) == -1)
		return -1;
	for (i = 0; i < (size_t)k; i++)
		for (j = 0; j < n; j++)
			r[i * n + j] = j < i ? 0 : c[j * m + i];
	org(&im, &k, &k, c, &im, tau, work, &lwork, &info);
	return failed("a QR decomposition", info, err);
}

int
peft_qr(const float *a, size_t m, size_t n, float *q, float *r,
    struct peft_err *err)
{
	size_t k = m < n ? m : n, lwork = 64 * (m + n + 1);
	float *c = peft_calloc(m * n, sizeof(*c), err);
	float *tau = peft_calloc(k, sizeof(*tau), err);
	float *work = peft_calloc(lwork, sizeof(*work), err);
	int ret = -1;

	if (c != NULL && tau != NULL && work != NULL) {
		turn(a, m, n, c);
		ret = householder(c, m, n, tau, r, work, (int)lwork, err);
		if (ret == 0)
			turn(c, k, m, q);
	}
	free(c);
	free(tau);
	free(work);
	return ret;
}
