/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_FIT_IMPL_H
#define PEFT_QUANT_FIT_IMPL_H

#include "quant/fit.h"

/* What a weight may be stored as. */
struct peft_choice {
	struct peft_spec spec;
	size_t		 bytes;
	double		 cost;
	bool		 hull;		/* on the convex hull */
};

struct peft_item {
	struct peft_choice *at;
	size_t		 n, cap;
	size_t		 chosen;	/* the fewest bytes, to begin with */
};

/* fit-choose.c: sort choices, drop those that cost no less for more bytes,
 * and choose for a budget of bytes (which may be less than the fewest). */
void	peft_choices_sort(struct peft_item *);
int	peft_choose(struct peft_item *, size_t n, size_t budget,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
