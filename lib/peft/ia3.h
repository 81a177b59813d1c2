/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_IA3_H
#define PEFT_PEFT_IA3_H

#include "peft/method.h"

/* A module whose param 0 is a vector that multiplies the site's output, times
 * the module's scale; its own[0] is 0. */
extern const struct peft_hook_ops peft_ia3_output_hook;
int	peft_ia3_merge(const struct peft_module *, enum peft_leaf,
	    size_t first, size_t n, float weight, float *rows,
	    const struct peft_rows *base, struct peft_err *);

#endif
