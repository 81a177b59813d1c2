/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_ROW_H
#define PEFT_PEFT_ROW_H

#include "peft/method.h"

/*
 * Adapters that put rows of their own in the place of an embedding's:
 * param[0] holds them, row(id) says which is id's (SIZE_MAX: none).
 */
typedef size_t	peft_row_of(const struct peft_module *, int32_t id);

struct peft_row {
	peft_row_of	*row;
};

int	peft_row_prepare(struct peft_module *, peft_row_of *,
	    struct peft_err *);
extern const struct peft_hook_ops peft_row_hook;

#endif
