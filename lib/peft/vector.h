/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_VECTOR_H
#define PEFT_PEFT_VECTOR_H

#include "peft/method.h"

/*
 * Adapters that have a weight of their own for a norm, param[0] [in], and a
 * bias, param[1], if the norm has one: both as they are stored.  Without a
 * name for the weight the base's is used.
 */
int	peft_vector_shapes(struct peft_module *, const char *weight,
	    const char *bias, struct peft_shape *, struct peft_err *);
/* The base's to begin from. */
int	peft_vector_start(struct peft_module *, struct peft_err *);
int	peft_vector_prepare(struct peft_module *, const struct peft_rows *,
	    struct peft_err *);
extern const struct peft_hook_ops peft_vector_hook;
bool	peft_vector_changes(const struct peft_module *, enum peft_leaf);
int	peft_vector_merge(const struct peft_module *, enum peft_leaf,
	    float weight, float *row);

#endif
