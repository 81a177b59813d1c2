/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_COMPONENTS_H
#define PEFT_PEFT_COMPONENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "math/cpu.h"

/*
 * The principal components of rows that come in batches (Ross et al. 2008): of
 * what is known before a batch only `most' components are kept.  The largest
 * entry of each is positive.
 */
struct peft_components {
	size_t	 in, most;
	size_t	 seen;		/* rows */
	double	 tau;
	double	*component;	/* [most, in] */
	double	*value;		/* [most] singular values */
	double	*mean;		/* [in] */
	double	 spread;	/* sum of squares about it */
	bool	*converged;	/* [most]: the last batch turned it so little
				 * that the cosine is tau or more */
};

int	peft_components_open(struct peft_components *, size_t in, size_t most,
	    double tau, struct peft_err *) PEFT_MUSTCHECK;
void	peft_components_close(struct peft_components *);
/* One batch of rows x [n, in], n >= most; changed.  Before them is room for
 * `most' rows, behind them for one. */
int	peft_components_add(struct peft_components *, const struct peft_cpu *,
	    double *x, size_t n, struct peft_err *) PEFT_MUSTCHECK;

#endif
