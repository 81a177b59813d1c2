/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_SHAPE_H
#define PEFT_DATA_SHAPE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"

/*
 * The shapes in which people keep their records, told by a record's keys,
 * and the few to which the others are brought: {"messages"}, {"prompt",
 * "completion"}, {"text"}, {"segments"}, and {"chosen","rejected"} of two of
 * those.
 */
enum {
	PEFT_SHAPE_NONE,	/* none that is known */
	PEFT_SHAPE_MESSAGES,	/* messages: role, content */
	PEFT_SHAPE_SHAREGPT,	/* conversations: from, value */
	PEFT_SHAPE_ALPACA,	/* instruction, input, output */
	PEFT_SHAPE_PROMPT,	/* prompt, completion */
	PEFT_SHAPE_TEXT,	/* text */
	PEFT_SHAPE_SEGMENTS,	/* segments: label, text */
	PEFT_SHAPE_PAIR,	/* chosen, rejected */
	PEFT_SHAPE_OPENAI,	/* preferred_output, non_preferred_output */
	PEFT_SHAPE_TOKENS,	/* input_ids: a token record */
	PEFT_SHAPE_WORDS,	/* tokens: words, with classes (ner_tags) */
	/* and of those */
	PEFT_SHAPE_LISTS = 16,	/* lists of messages where strings could be */
	PEFT_SHAPE_LABEL = 32	/* with a label: wanted or not */
};

int		 peft_shape_of(const cJSON *);
/* Is the record of the shape of those before it?  -1 with the two named. */
int		 peft_shape_same(int shape, int want, struct peft_err *)
		    PEFT_MUSTCHECK;
/* For messages; until the end of the program. */
const char	*peft_shape_name(int shape);

/*
 * A record in its simple form: *own is a new object (cJSON_Delete), or NULL
 * if the record is simple already.  chat: a prompt and its completion are
 * made a chat.  What is not of the shape (id, weight, adapter, choices,
 * answer, tools, documents) is carried along; a label becomes "label".
 * Messages that were given as a prompt have "weight" 0; arguments of tool
 * calls that are strings are read as the JSON they hold.
 */
int		 peft_shape_simple(const cJSON *, bool chat, cJSON **own,
		    struct peft_err *) PEFT_MUSTCHECK;

#endif
