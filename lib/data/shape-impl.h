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
/* What the user asks in an Alpaca record; a "system" beside the turns. */
int	 peft_shape_question(cJSON *list, const cJSON *record,
	    struct peft_err *) PEFT_MUSTCHECK;
int	 peft_shape_system(cJSON *list, const cJSON *record,
	    struct peft_err *) PEFT_MUSTCHECK;
/* What a record has beside its shape. */
int	 peft_shape_carry(cJSON *dst, const cJSON *record, struct peft_err *)
	    PEFT_MUSTCHECK;
/* {"chosen":{...},"rejected":{...}}, either simple. */
int	 peft_shape_pair(cJSON *own, const cJSON *record, bool as_chat,
	    struct peft_err *) PEFT_MUSTCHECK;
/* OpenAI's preferences under the names that others use: a new object that
 * refers to the record. */
cJSON	*peft_shape_openai_pair(const cJSON *record);
/* "tools" of a record, where it is a string or a list of bare functions:
 * *own is a new list, or NULL if it may stay. */
int	 peft_shape_tools(const cJSON *tools, cJSON **own, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
