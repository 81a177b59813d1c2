/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_CHAT_IMPL_H
#define PEFT_DATA_CHAT_IMPL_H

#include "data/chat.h"

/* What chat.c and chat-mask.c share: a chat that is being rendered. */
struct peft_chat {
	const struct peft_codec	*codec;
	const cJSON		*messages;	/* as templates see them */
	cJSON			*vars;		/* of the template */
	bool			 asks;		/* the whole ends with the
						 * generation prompt */
	bool			*want;		/* of each message: is it a
						 * turn to be learnt?  NULL:
						 * no labels are wanted */
	struct peft_prefixes	 prefixes;	/* of the whole, that its
						 * rendering has found out */
};

bool	peft_chat_is_assistant(const cJSON *message);
/* The first n messages; gen: with the generation prompt.  mark, spans and
 * prefixes may be NULL. */
int	peft_chat_render_some(const struct peft_chat *, size_t n, bool gen,
	    struct peft_buf *text, struct peft_buf *mark, struct peft_spans *,
	    struct peft_prefixes *, struct peft_err *) PEFT_MUSTCHECK;
/* Which turns are to be learnt: want[k] of each message, by their weights
 * and the options. */
int	peft_chat_choose(const cJSON *messages, const struct peft_encopt *,
	    bool *want, struct peft_err *) PEFT_MUSTCHECK;
/* The prefixes that would tell where the turns wanted of the first n messages
 * are. */
int	peft_chat_prefixes(struct peft_chat *, size_t n, struct peft_err *)
	    PEFT_MUSTCHECK;
/* What of the first n messages, whose rendering is text and mark, is
 * supervised; spans comes with what the template marked. */
int	peft_chat_supervise(const struct peft_chat *, size_t n,
	    enum peft_supervise, const struct peft_buf *text,
	    const struct peft_buf *mark, struct peft_spans *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
