/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_LOKR_H
#define PEFT_PEFT_LOKR_H

#include <stddef.h>
#include <stdint.h>

/* A LoKr module's param[]: each factor whole, or the two halves of it. */
enum { PEFT_LOKR_W1, PEFT_LOKR_W1A, PEFT_LOKR_W1B, PEFT_LOKR_W2,
	PEFT_LOKR_W2A, PEFT_LOKR_W2B };

/* Its own[]: out = OL OK, in = IM JN; w1 is [OL, IM], w2 [OK, JN]. */
enum { PEFT_LOKR_OL, PEFT_LOKR_OK, PEFT_LOKR_IM, PEFT_LOKR_JN };

/* How decompose_factor (-1: none) divides a dimension, as PEFT does: the
 * part of w1 (the smaller one; or the limit, if it divides: LyCORIS has the
 * smaller one then, too), and that of w2. */
void	peft_lokr_factors(size_t dim, int64_t limit, size_t *first,
	    size_t *second);

#endif
