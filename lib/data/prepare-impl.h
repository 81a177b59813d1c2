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
	bool			 unread;	/* no text, err says why */
	/* what became of it */
	int			 status;	/* 0; -1: bad, err says why */
	struct peft_err		 err;
	struct peft_buf		 out;
	size_t			 part;		/* where it goes */
	size_t			 records, dropped, cut, idle, batched;
	size_t			 classes;
	size_t			 tokens, supervised;
	unsigned		 mended;	/* of FIX: PEFT_FIX_... */
	struct peft_look	 look;		/* of LINT and FIX */
};

enum { PEFT_NSLOT = 256 };

struct peft_batch {
	struct peft_slot	*slots;		/* [PEFT_NSLOT] */
	size_t			 n;
};

struct peft_run {
	struct peft_prep	*prep;
	struct peft_feed	*feed;
	struct peft_pool	*pool;
	struct peft_out		*const *outs;
	struct peft_batch	 now, other;	/* that is worked on; that was,
						 * and will be */
	size_t			 size;		/* of the next, at most */
	int			 more;		/* of the last that was filled:
						 * 1; 0, the end; -1, later
						 * says what broke behind it */
	struct peft_err		 later;
	int			 taken;		/* -1: err says why not */
	struct peft_err		 err;
};

/* Everything that can be done with a record alone. */
void	peft_slot_work(const struct peft_prep *, struct peft_slot *);
/* What is done with it in its turn. */
int	peft_run_take(struct peft_run *, struct peft_slot *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Notes at the end: how much was mixed, left out, changed. */
void	peft_run_tell(const struct peft_run *, const struct peft_feedopt *);

#endif
