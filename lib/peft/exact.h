/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_EXACT_H
#define PEFT_PEFT_EXACT_H

#include "peft/adapter.h"

/*
 * What an adapter adds to a weight, as factors: scale * B A, B [out, r],
 * A [r, in], of methods that are made of such (LoRA with any scale, PiSSA and
 * OLoRA, whose beginning is subtracted: twice the rank; the adapters library's
 * LoRA).  Nothing is approximated.
 */

/* Of one site: 1 with rank and scale, 0 it has no part there.  An adapter that
 * is more than such factors is an error (PEFT_CHECK) that says why. */
int	peft_exact_rank(const struct peft_adapter *, const struct peft_site *,
	    size_t *rank, double *scale, struct peft_err *) PEFT_MUSTCHECK;
/* Does the base have to be looked at for them? */
bool	peft_exact_needs_base(const struct peft_adapter *);
/* Rows at .. at+rank of a [.., in], columns at .. at+rank of b [out, ldb],
 * the latter times `times'.  w: the base's weight [out, in], which is
 * overwritten; NULL unless it is needed. */
int	peft_exact_factors(const struct peft_adapter *,
	    const struct peft_site *, float *w, float times, float *a,
	    float *b, size_t ldb, size_t at, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
