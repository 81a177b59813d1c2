/* SPDX-License-Identifier: Apache-2.0 */
/* Signals during training. */

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

#include "train/signals.h"

static void
waited_for(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGUSR1);
}

static void *
wait_for(void *arg)
{
	struct peft_signals *s = arg;
	sigset_t set;
	int sig;

	waited_for(&set);
	while (sigwait(&set, &sig) == 0) {
		if (sig == SIGUSR1) {
			atomic_store(&s->save, true);
			continue;
		}
		if (!atomic_load(&s->steps) || atomic_load(&s->stop) != 0)
			_exit(128 + sig);
		atomic_store(&s->stop, sig);
	}
	return NULL;
}

int
peft_signals_open(struct peft_signals *s, struct peft_err *err)
{
	sigset_t set;

	atomic_store(&s->steps, false);
	atomic_store(&s->stop, 0);
	atomic_store(&s->save, false);
	waited_for(&set);
	if ((errno = pthread_sigmask(SIG_BLOCK, &set, NULL)) != 0 ||
	    (errno = pthread_create(&s->thread, NULL, wait_for, s)) != 0)
		return peft_seterrno(err, "cannot wait for signals");
	(void)pthread_detach(s->thread);
	return 0;
}

void
peft_signals_steps(struct peft_signals *s)
{
	atomic_store(&s->steps, true);
}

enum peft_order
peft_signals_order(struct peft_signals *s)
{
	if (atomic_load(&s->stop) != 0)
		return PEFT_STOP;
	return atomic_exchange(&s->save, false) ? PEFT_SAVE : PEFT_GO_ON;
}
