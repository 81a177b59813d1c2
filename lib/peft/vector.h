/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_VECTOR_H
#define PEFT_PEFT_VECTOR_H

#include "peft/method.h"

/* Adapters that have a weight of their own for a norm: param[0], [in]. */
int	peft_vector_prepare(struct peft_module *, const struct peft_rows *,
	    struct peft_err *);
extern const struct peft_hook_ops peft_vector_hook;

#endif
