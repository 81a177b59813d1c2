/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_CHAT_H
#define PEFT_DATA_CHAT_H

#include "data/encode.h"

/* A chat rendered by the model's template: its text, which bytes of it are
 * the user's (mark), and which are supervised (spans).  With prompt_only a
 * trailing assistant turn is dropped and the generation prompt added. */
int	peft_chat_render(const struct peft_codec *, const cJSON *record,
	    const struct peft_encopt *, struct peft_buf *text,
	    struct peft_buf *mark, struct peft_spans *, struct peft_err *)
	    PEFT_MUSTCHECK;

/* How many turns of it are to be learnt. */
int	peft_chat_turns(const cJSON *messages, const struct peft_encopt *,
	    size_t *n, struct peft_err *) PEFT_MUSTCHECK;

#endif
