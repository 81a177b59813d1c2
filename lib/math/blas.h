/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_BLAS_H
#define PEFT_MATH_BLAS_H

#include <stdbool.h>

#include "base/err.h"

/*
 * OpenBLAS, opened at run time.
 *
 * It picks its kernels in its constructor, by a list of processors that ends
 * at its release: Debian 12's 0.3.21 runs Prescott's kernels on some recent
 * Xeons and Haswell's on Zen 5, a half to an eighth of what the processor
 * can do.  OPENBLAS_CORETYPE tells it better, but must be there before it is
 * loaded; so it is not linked but opened with dlopen, with the variable set
 * for the length of that call unless the user has set it.  It starts no
 * threads: ours call it from within tasks.
 */
struct peft_blas {
	void	*handle;
	void	(*sgemm)(int order, int ta, int tb, int m, int n, int k,
		    float alpha, const float *a, int lda, const float *b,
		    int ldb, float beta, float *c, int ldc);
	bool	 small;		/* multiplies small matrices unpacked */
	char	 describe[160];	/* "OpenBLAS 0.3.21 SkylakeX (set by peft)" */
};

/* core: the core type to ask for, or NULL to let it choose. */
int	peft_blas_open(struct peft_blas *, const char *core, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_blas_close(struct peft_blas *);
/* Another function of the library by its name (LAPACK's are in it), put where
 * the pointer `function' points to. */
int	peft_blas_find(const struct peft_blas *, const char *name,
	    void *function, struct peft_err *) PEFT_MUSTCHECK;

#endif
