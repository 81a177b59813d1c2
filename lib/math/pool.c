/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of threads. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "math/pool.h"

/* Turns of looking for work before going to sleep: about 20 microseconds,
 * longer than the gaps between the operations of a layer. */
enum { SPIN = 8000 };

struct worker {
	struct peft_pool	*pool;
	pthread_t		 thread;
	int			 number;	/* 1 .. threads-1 */
};

struct peft_pool {
	int		 threads;
	struct worker	*workers;
	int		 started;
	pthread_mutex_t	 lock;
	pthread_cond_t	 wake;
	atomic_uint	 round;		/* counts runs; workers wait for it */
	atomic_int	 busy;		/* workers still at the run's tasks */
	atomic_bool	 quit;
	/* the run */
	atomic_size_t	 next;
	size_t		 ntasks;
	void		(*fn)(void *, size_t, int);
	void		*ctx;
};

static void
do_tasks(struct peft_pool *p, int number)
{
	size_t task;

	while ((task = atomic_fetch_add(&p->next, 1)) < p->ntasks)
		p->fn(p->ctx, task, number);
}

/* Until the round changes: first turning, then asleep. */
static unsigned
wait_round(struct peft_pool *p, unsigned seen)
{
	unsigned now;
	int i;

	for (i = 0; i < SPIN; i++) {
		if ((now = atomic_load(&p->round)) != seen)
			return now;
		__builtin_ia32_pause();
	}
	pthread_mutex_lock(&p->lock);
	while ((now = atomic_load(&p->round)) == seen)
		pthread_cond_wait(&p->wake, &p->lock);
	pthread_mutex_unlock(&p->lock);
	return now;
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	unsigned round = 0;

	for (;;) {
		round = wait_round(w->pool, round);
		if (atomic_load(&w->pool->quit))
			return NULL;
		do_tasks(w->pool, w->number);
		atomic_fetch_sub(&w->pool->busy, 1);
	}
}

static void
new_round(struct peft_pool *p)
{
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add(&p->round, 1);
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

struct peft_pool *
peft_pool_open(int threads, struct peft_err *err)
{
	struct peft_pool *p = peft_calloc(1, sizeof(*p), err);
	int i;

	if (p == NULL)
		return NULL;
	p->threads = threads;
	p->workers = peft_calloc((size_t)threads, sizeof(*p->workers), err);
	if (p->workers == NULL) {
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	for (i = 1; i < threads; i++) {
		p->workers[i] = (struct worker){ .pool = p, .number = i };
		if (pthread_create(&p->workers[i].thread, NULL, work,
		    &p->workers[i]) != 0) {
			peft_seterrno(err, "cannot start thread %d", i);
			peft_pool_close(p);
			return NULL;
		}
		p->started++;
	}
	return p;
}

void
peft_pool_close(struct peft_pool *p)
{
	int i;

	if (p == NULL)
		return;
	atomic_store(&p->quit, true);
	new_round(p);
	for (i = 1; i <= p->started; i++)
		pthread_join(p->workers[i].thread, NULL);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p);
}

void
peft_pool_run(struct peft_pool *p, size_t ntasks,
    void (*fn)(void *ctx, size_t task, int thread), void *ctx)
{
	size_t task;

	if (p->started == 0 || ntasks <= 1) {
		for (task = 0; task < ntasks; task++)
			fn(ctx, task, 0);
		return;
	}
	p->fn = fn;
	p->ctx = ctx;
	p->ntasks = ntasks;
	atomic_store(&p->next, 0);
	atomic_store(&p->busy, p->started);
	new_round(p);
	do_tasks(p, 0);
	while (atomic_load(&p->busy) > 0)
		__builtin_ia32_pause();
}
