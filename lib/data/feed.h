/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_FEED_H
#define PEFT_DATA_FEED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * The records of several inputs, one input after the other or mixed by
 * shares.  The first record that is JSON says of which shape its input is.
 */
struct peft_source_of {
	const char	*path;		/* NULL or "-": standard input */
	double		 share;		/* when mixed: above 0 */
};

/* "FILE:SHARE" into its parts, in place. */
int		 peft_feed_share(struct peft_source_of *, char *arg,
		    struct peft_err *) PEFT_MUSTCHECK;

struct peft_feedopt {
	const struct peft_source_of	*from;
	size_t				 n;
	bool				 mix;
	const char			*columns;	/* of tables, or NULL */
	/* told what each input was found to hold; or NULL */
	void	(*note)(void *ctx, const char *message);
	void	*ctx;
};

struct peft_row {
	const char	*text;		/* [len], until the next call */
	size_t		 len;
	const char	*label;		/* of its input, for messages */
	size_t		 line;
	int		 shape;		/* of its input; PEFT_SHAPE_NONE: not
					 * known yet */
};

struct peft_feed;

struct peft_feed *peft_feed_open(const struct peft_feedopt *,
		    struct peft_err *) PEFT_MUSTCHECK;
/* 1, 0 at the end of all (mixed: when the turn comes to an input that has no
 * more), -1; 2 a record that cannot be read, but those behind it can. */
int		 peft_feed_next(struct peft_feed *, struct peft_row *,
		    struct peft_err *) PEFT_MUSTCHECK;
/* Records that input i has given so far. */
size_t		 peft_feed_given(const struct peft_feed *, size_t i);
void		 peft_feed_close(struct peft_feed *);	/* NULL is allowed */

#endif
