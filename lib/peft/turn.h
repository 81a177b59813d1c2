/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_TURN_H
#define PEFT_PEFT_TURN_H

#include "peft/method.h"

/*
 * Adapters that turn a linear's input, block by block of b: x' = x R, R a
 * function of a skew-symmetric Q: Cayley's (I - Q)(I + Q)^-1, or a polynomial
 * of Q.  The method fills in own[] and says what Q is.
 */
enum { PEFT_TURN_SIZE, PEFT_TURN_BLOCKS, PEFT_TURN_TERMS };	/* own[] */
/* BLOCKS: 1 if all share one; TERMS: 0: Cayley's; else PEFT's number of terms
 * of Neumann's series for the inverse. */

struct peft_turn_ops {
	/* q [b, b] of a block; and the parameters' gradients, given gq. */
	void	(*skew)(const struct peft_module *, size_t block, double *q);
	void	(*back)(const struct peft_module *, size_t block,
		    const double *gq);
};

int	peft_turn_prepare(struct peft_module *, const struct peft_rows *,
	    struct peft_err *);
size_t	peft_turn_memory(const void *);
void	peft_turn_begin(void *, struct peft_cpu *, float *product);
void	peft_turn_end(void *, struct peft_cpu *);
void	peft_turn_input(void *, const struct peft_hook_call *, float *y,
	    size_t ldy);
void	peft_turn_input_back(void *, const struct peft_hook_call *,
	    const float *dy, size_t lddy, float *dx, size_t lddx);
/* rows [n, in] of a weight: w (I + a (R - I))^T. */
int	peft_turn_rows(const struct peft_module *, size_t n, float weight,
	    float *rows, struct peft_err *);

#endif
