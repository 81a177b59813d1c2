/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_ROWS_H
#define PEFT_PEFT_ROWS_H

#include "peft/method.h"

/*
 * T rows of n values, each multiplied with the vector w [n] element by
 * element, by all threads; and the way back.
 */

/* v = x - b (b NULL: x) is kept at `keep' [T, n], unless that is NULL; then
 * y = w v + b, or with add (and no b) y += w v.  y may be x. */
struct peft_rows_times {
	size_t		 T, n;
	const float	*w, *b;
	const float	*x;
	size_t		 ldx;
	float		*keep;
	float		*y;
	size_t		 ldy;
	bool		 add;
};

void	peft_rows_times(struct peft_cpu *, const struct peft_rows_times *);

/* g += the sum over the rows of dy v (g NULL: not), then dx = w dy, or with
 * add dx += w dy (dx NULL: not).  dx may be dy. */
struct peft_rows_back {
	size_t		 T, n;
	const float	*w;
	const float	*v;
	size_t		 ldv;
	float		*g;
	const float	*dy;
	size_t		 lddy;
	float		*dx;
	size_t		 lddx;
	bool		 add;
};

void	peft_rows_back(struct peft_cpu *, const struct peft_rows_back *);

#endif
