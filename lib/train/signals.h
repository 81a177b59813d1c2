/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_SIGNALS_H
#define PEFT_TRAIN_SIGNALS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/err.h"
#include "train/train.h"

/*
 * SIGINT, SIGTERM: finish the step, save, stop; the second one stops at
 * once, as does one before there are steps, when there is nothing to save.
 * SIGUSR1: save and go on.  A thread waits for them, so that no handler and
 * no global variable is needed; open before other threads are made (they
 * inherit the blocked signals).
 */
struct peft_signals {
	pthread_t	thread;
	atomic_bool	steps;		/* there are some */
	atomic_int	stop;		/* the signal, 0: none yet */
	atomic_bool	save;
};

int	peft_signals_open(struct peft_signals *, struct peft_err *)
	    PEFT_MUSTCHECK;
/* From here on there are steps. */
void	peft_signals_steps(struct peft_signals *);
/* What is to be done after this step; a save is asked for once. */
enum peft_order	peft_signals_order(struct peft_signals *);

#endif
