/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_PROGRESS_H
#define PEFT_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/opt.h"

/*
 * What a person sees of long work, on standard error: a bar that redraws
 * itself on a terminal (colour unless NO_COLOR), one plain line every ten
 * seconds otherwise, JSON lines with --log-json, nothing with -q.  For
 * commands; library code takes a callback instead.
 */
struct peft_progress {
	const char	*label;
	double		 total, done;	/* in any unit */
	double		 before;	/* done by an earlier run */
	const char	*unit;		/* "tensors", "steps", ... */
	bool		 tty, quiet, json, colour;
	double		 t0, tlast;
	size_t		 width;		/* characters to wipe */
};

void	peft_progress_start(struct peft_progress *, const char *label,
	    double total, const char *unit, const struct peft_common *);
/* So much of the total was done before. */
void	peft_progress_from(struct peft_progress *, double before);
/* note: a few words shown behind the bar, may be NULL. */
void	peft_progress_set(struct peft_progress *, double done,
	    const char *note);
/* Seconds that it will yet take, by how long it took so far. */
double	peft_progress_left(const struct peft_progress *);
/* Wipe the bar so that a message can be printed; it comes back at the next
 * set. */
void	peft_progress_wipe(struct peft_progress *);
void	peft_progress_end(struct peft_progress *);

double	peft_now(void);		/* seconds, monotonic */
size_t	peft_rss_peak(void);	/* bytes: VmHWM of this process */
size_t	peft_rss(void);		/* VmRSS */

#endif
