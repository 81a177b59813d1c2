/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_DECODE_IMPL_H
#define PEFT_EVAL_DECODE_IMPL_H

/* For decode.c and seats.c only. */

#include "eval/decode.h"

/*
 * A place for a request.  What it leaves behind, the pages of its prompt,
 * serves later ones that begin alike, until the room is needed.
 */
struct peft_seat {
	struct peft_request	*request;	/* NULL: free */
	struct peft_kv		*kv;
	int32_t			*ids;		/* [n] of room: the prompt */
	size_t			 n, room;
	struct peft_stretch	 stretch[PEFT_MAXSTRETCH];
	size_t			 nstretch;
	uint64_t		 turn;		/* when it came */
	bool			 begun;		/* its prompt is */
};

struct peft_seats {
	struct peft_seat	*at;
	size_t			 n;
	struct peft_pages	*pages;
	const struct peft_sites	*sites;
	bool			 share;
	uint64_t		 turns;
	size_t			 room, left;	/* tokens; the least left */
	size_t			 shared;	/* so far */
};

int	peft_seats_open(struct peft_seats *, struct peft_net *, size_t n,
	    size_t limit, struct peft_err *) PEFT_MUSTCHECK;
void	peft_seats_close(struct peft_seats *);
/* Adapters have changed: nothing left behind is of use. */
int	peft_seats_forget(struct peft_seats *, struct peft_net *, size_t limit,
	    struct peft_err *) PEFT_MUSTCHECK;
/* How many are in use. */
size_t	peft_seats_busy(const struct peft_seats *);
/* A place and pages for a request: 1; 0 there are none now; -1 there never
 * will be. */
int	peft_seats_take(struct peft_seats *, struct peft_request *,
	    struct peft_err *) PEFT_MUSTCHECK;
void	peft_seats_leave(struct peft_seats *, struct peft_seat *);
/* May the prompt be begun?  If so it begins with what others have of it;
 * not while another is computing more of it. */
bool	peft_seats_begin(struct peft_seats *, struct peft_seat *);
/* The adapter of token i, and where the next one's tokens begin. */
int	peft_seat_adapter(const struct peft_seat *, size_t i, size_t *end);

#endif
