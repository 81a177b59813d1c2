/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_BESIDE_IMPL_H
#define PEFT_MODEL_BESIDE_IMPL_H

#include "model/net-impl.h"

enum { PEFT_SHARING = PEFT_ALONG };	/* most linears that share an input */

/* What is beside n linears that share their input x (r 0: nothing).  Forward
 * h is what is saved, backward dh comes to run->dhidden. */
void	peft_beside(struct peft_run *, struct peft_low *,
	    const struct peft_linear *, float *const *saved, const float *x,
	    size_t ldx, size_t n, bool back);
/* Has a site no hooks but one that adds just that? */
bool	peft_is_alone(struct peft_run *, const struct peft_site *);
/* Floats a row of run->dhidden. */
size_t	peft_beside_width(const struct peft_run *);

#endif
