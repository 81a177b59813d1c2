/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_VECTOR_H
#define PEFT_PEFT_VECTOR_H

#include "peft/method.h"

/*
 * Adapters that have a weight of their own for a norm, param[0] [in] (or
 * [heads, in]), and a bias, param[1], if the norm has one: as they are stored.
 * Without a name for the weight the base's is used.
 */
void	peft_vector_shapes(const struct peft_module *, const char *weight,
	    const char *bias, struct peft_shape *);
/* The base's to begin from. */
int	peft_vector_start(struct peft_module *, struct peft_err *);
int	peft_vector_prepare(struct peft_module *, const struct peft_rows *,
	    struct peft_err *);
extern const struct peft_hook_ops peft_vector_hook;
bool	peft_vector_changes(const struct peft_module *, enum peft_leaf);
int	peft_vector_merge(const struct peft_module *, enum peft_leaf,
	    size_t first, size_t n, float weight, float *rows);

#endif
