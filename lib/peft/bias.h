/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_BIAS_H
#define PEFT_PEFT_BIAS_H

#include "peft/method.h"

/*
 * The biases that the config's `bias' asks for, added to what is chosen:
 * "all" those of the model, "lora_only" and the like those of the modules that
 * are targeted; both but what is saved whole.
 */
int	peft_bias_add(struct peft_adapter *, const struct peft_sites *,
	    struct peft_choice *, size_t *n, struct peft_err *)
	    PEFT_MUSTCHECK;
/* What PEFT writes with "all" of a module that is saved whole, beside its own
 * bias: the base's, and its own once more, which nothing reads. */
void	peft_bias_again(const struct peft_module *, struct peft_shape *kept,
	    struct peft_shape *copy);

#endif
