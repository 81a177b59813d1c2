/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_FIDELITY_H
#define PEFT_QUANT_FIDELITY_H

#include <stddef.h>

#include "base/err.h"
#include "quant/sink.h"
#include "tensor/weight.h"

/*
 * What storing a weight in a type does to its values: they are encoded and
 * decoded again, and compared.
 */

/* How much errors of a weight matter: those of row i, as a vector d, by
 * rows[i] times the sum of (d . z)^2 over the columns z of the sketch.  With
 * sums of signed inputs for z, that is what the errors do to the outputs, and
 * errors that add up count as such.  Without a sketch: by |d|^2. */
enum { PEFT_SKETCH = 16 };

struct peft_sensitivity {
	const double	*rows;		/* [rows of the weight] or NULL: 1 */
	const float	*sketch;	/* [columns, PEFT_SKETCH] or NULL */
	double		 scale;		/* of all of it */
};

struct peft_fidelity {
	size_t	n;			/* values compared */
	double	error2, value2;		/* sums of squares */
	double	stored2, dot;		/* of what is stored, and with values */
	double	max;			/* largest error */
	double	weighted;		/* by sensitivity, for all values if
					 * only some were seen */
};

double	peft_fidelity_rms(const struct peft_fidelity *);   /* relative */
double	peft_fidelity_cosine(const struct peft_fidelity *);
void	peft_fidelity_add(struct peft_fidelity *sum,
	    const struct peft_fidelity *);

/* Compare.  most: about how many values to look at, in rows spread evenly over
 * what all of them matter (0: all).  sensitivity may be NULL.  Thread-safe;
 * memory for a piece of rows, and for 4-bit types for the weight's codes. */
int	peft_fidelity(const struct peft_weight *, const struct peft_spec *,
	    const struct peft_sensitivity *, size_t most,
	    struct peft_fidelity *, struct peft_err *) PEFT_MUSTCHECK;

/* dst[rows, cols] = src as a reader of the spec's type will see it. */
int	peft_as_stored(const struct peft_spec *, const float *src, size_t rows,
	    size_t cols, float *dst, struct peft_err *) PEFT_MUSTCHECK;

#endif
