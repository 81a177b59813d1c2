/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_LINT_IMPL_H
#define PEFT_DATA_LINT_IMPL_H

#include "data/lint.h"

/* Hash of the words of what a simple record asks, and their sketch; 0 if it
 * asks nothing. */
uint64_t	peft_lint_prompt(const cJSON *, struct peft_sketch *);

#endif
