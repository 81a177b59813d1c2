/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_PREPARE_IMPL_H
#define PEFT_DATA_PREPARE_IMPL_H

#include "base/buf.h"
#include "data/prepare.h"

/* One record on its way through a thread: what comes in, and what is known
 * of it when the thread is done.  Nothing else is written by threads. */
struct peft_slot {
	struct peft_buf		 text;		/* JSON */
	const char		*label;
	size_t			 line;
	int			 shape;		/* that it must have, or NONE */
	bool			 unread;	/* there is no text, err says why */
	/* what became of it */
	int			 status;	/* 0, or -1: bad, err says why */
	struct peft_err		 err;
	struct peft_buf		 out;
	size_t			 records, dropped, cut, idle;
	size_t			 tokens, supervised;
	struct peft_look	 look;		/* of LINT */
};

/* Everything that can be done with a record alone. */
void	peft_slot_work(const struct peft_prep *, struct peft_slot *);

#endif
