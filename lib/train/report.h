/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_REPORT_H
#define PEFT_TRAIN_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "math/profile.h"
#include "train/train.h"

/* What a run tells of itself, to people: how near it is to what the machine
 * can do, where the time goes. */
struct peft_report {
	struct peft_cpu		*cpu;
	double			 peak;		/* operations a second */
	double			 memory;	/* bytes a second; 0: unknown */
	double			 rate;		/* tokens a second, smoothed */
	double			 share;		/* of the peak, smoothed */
	double			 t0;
	struct peft_profile	*profile;	/* owned; NULL: none asked */
};

/* Measure the peaks (some hundredths of a second; with a profile memory,
 * too); from now on the profile counts. */
int	peft_report_start(struct peft_report *, struct peft_cpu *,
	    bool profile, struct peft_err *) PEFT_MUSTCHECK;
/* Take a step in; "loss 1.2345, 1000 tokens/s, 60 % of peak, 500 MiB of 510"
 * into note[size]. */
void	peft_report_step(struct peft_report *, const struct peft_stepinfo *,
	    char *note, size_t size);
/* The profile, if there is one, on standard error. */
void	peft_report_end(struct peft_report *);
void	peft_report_free(struct peft_report *);

#endif
