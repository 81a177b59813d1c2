/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_FIT_H
#define PEFT_QUANT_FIT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "quant/convert.h"
#include "quant/fidelity.h"

/*
 * Types for a budget: of each matrix the error in each allowed type is
 * measured, and types are chosen so that the sum of costs is small and the
 * output not larger than asked for.
 *
 * The cost of a matrix is the sum of its squared errors times their
 * sensitivity, which is what it does to predictions.  Without
 * sensitivities it is its relative squared error: every matrix counts alike.
 *
 * From the smallest types up, bytes are given where they lower the cost most
 * (along the convex hull of each matrix's costs over bytes, which is the
 * Lagrangian solution up to the last step), then what is left to whatever
 * still fits.  The result does not depend on threads.
 */
struct peft_fitopt {
	size_t		 budget;	/* bytes of the output, all of them */
	enum peft_dtype	 types[PEFT_NDTYPE];	/* that matrices may have */
	size_t		 ntypes;	/* 0: peft_fit_types() */
	const struct peft_sensitivity *sens;	/* [weights], or NULL */
	int		 threads;
	/* Bytes that an output of these specs would have. */
	int		(*size)(void *ctx, const struct peft_spec *, size_t n,
			    size_t *bytes, struct peft_err *);
	void		*ctx;
};

struct peft_fitted {
	size_t	bytes;		/* of the output */
	size_t	least;		/* the smallest that was possible */
	size_t	free;		/* weights whose types were chosen */
	double	cost;		/* the sum */
};

/* GGUF: the types of blocks that are written, of 2 to 8 bits, f16 and f32 of
 * those that come so; else nf4 and the same floats, and bf16. */
size_t	peft_fit_types(bool gguf, enum peft_dtype types[PEFT_NDTYPE]);

/* Change the types of specs[n], made by peft_convert_plan() of the same
 * options with dtype PEFT_NDTYPE.  Free are the weights that a quantised type
 * would be given to, but none that a rule is for.  PEFT_CHECK with the
 * smallest possible size if that is over the budget. */
int	peft_fit(struct peft_source *, const struct peft_convertopt *,
	    const struct peft_fitopt *, struct peft_spec *specs, size_t n,
	    struct peft_fitted *, struct peft_err *) PEFT_MUSTCHECK;

#endif
