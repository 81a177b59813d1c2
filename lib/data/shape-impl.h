/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_SHAPE_IMPL_H
#define PEFT_DATA_SHAPE_IMPL_H

#include <stddef.h>

#include "data/shape.h"

/* What shape.c and shape-turn.c share: messages, made simple. */

/* Put into dst what src is, which must outlive it. */
void	 peft_shape_ref(cJSON *dst, const char *key, const cJSON *src);
void	 peft_shape_ref_to(cJSON *list, const cJSON *src);

/* Append a message of a role. */
void	 peft_shape_say(cJSON *list, const char *role, const char *content);
/* Append the messages of src (a list of either style; what is named `what'),
 * those of the assistant with weight 0 if masked. */
int	 peft_shape_turns(cJSON *list, const cJSON *src, const char *what,
	    bool masked, struct peft_err *) PEFT_MUSTCHECK;
/* Are they simple already? */
bool	 peft_shape_turns_simple(const cJSON *messages);
/* "tools" of a record, where it is a string or a list of bare functions:
 * *own is a new list, or NULL if it may stay. */
int	 peft_shape_tools(const cJSON *tools, cJSON **own, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
