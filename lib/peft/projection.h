/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_PROJECTION_H
#define PEFT_PEFT_PROJECTION_H

#include "peft/nonlinear.h"
#include "peft/virtual.h"

/*
 * Virtual tokens' keys and values as an embedding [n, d] and two layers with a
 * function between make them: param[PEFT_PROMPT] = W2 f(W1 e + b1) + b2.  Where
 * there is no W1 nothing is done.
 */
enum { PEFT_PROJECT_EMBED = 1, PEFT_PROJECT_W1, PEFT_PROJECT_B1,
	PEFT_PROJECT_W2, PEFT_PROJECT_B2 };

int	peft_projection_prepare(struct peft_module *, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_projection_begin(struct peft_module *, struct peft_cpu *,
	    peft_nonlinear *);
void	peft_projection_end(struct peft_module *, struct peft_cpu *,
	    peft_nonlinear *);

#endif
