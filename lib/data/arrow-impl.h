/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_ARROW_IMPL_H
#define PEFT_DATA_ARROW_IMPL_H

#include "data/arrow.h"

/* A value that is there: number i of the array, its offset added. */
struct peft_arrow_value {
	const struct ArrowSchema *schema;
	const struct ArrowArray	*array;
	int64_t			 i;
	int			 size;	/* see the table of types */
};

typedef int	peft_arrow_putter(struct peft_buf *,
		    const struct peft_arrow_value *, struct peft_err *);

/* arrow-time.c; size: how many units a second has */
peft_arrow_putter peft_arrow_day, peft_arrow_clock, peft_arrow_instant;
/* arrow-number.c; size: bytes of one, negative if signed */
peft_arrow_putter peft_arrow_int, peft_arrow_real, peft_arrow_decimal;

/* Places behind the point of a decimal, and its words of 4 bytes; -1: it is
 * none that can be. */
int		 peft_arrow_scale(const char *format, size_t *scale,
		    size_t *words) PEFT_MUSTCHECK;
/* A whole number of `size' bytes (negative: signed) at element i of buffer 1;
 * unsigned ones of 8 bytes wrap. */
int64_t		 peft_arrow_whole(const struct peft_arrow_value *);

#endif
