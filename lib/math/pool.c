/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of threads. */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/progress.h"
#include "math/pool.h"

/*
 * Pauses before going to sleep: some ten microseconds on AMD, some fifty on
 * Intel, longer than the gaps between the operations of a layer.  Not more:
 * experiments run side by side (make -j) want the core.
 */
enum { SPIN = 1000 };

struct worker {
	struct peft_pool	*pool;
	pthread_t		 thread;
	int			 number;	/* 1 .. threads-1 */
	atomic_ullong		 busy;		/* nanoseconds with tasks */
};

/*
 * A run is its two counts.  A task is taken by lowering `open', and only who
 * has taken one reads fn and ctx: they stay as they are until it is done,
 * since the run cannot end before.  So a run waits for the threads that have
 * a task and not for those that are still waking up.
 *
 * Who goes to sleep says so first and looks again; who brings news looks for
 * sleepers after.  Both orders are sequentially consistent, so one of the
 * two sees the other.
 */
struct peft_pool {
	struct worker	*workers;
	int		 started;
	pthread_mutex_t	 lock;
	pthread_cond_t	 wake;		/* tasks, or the end of all */
	pthread_cond_t	 done;		/* the run's last task is done */
	atomic_int	 sleepers;	/* workers asleep */
	atomic_bool	 waiting;	/* the caller is */
	atomic_bool	 quit;
	atomic_bool	 watched;	/* times are taken */
	double		 waited;	/* seconds of the caller for others */
	atomic_size_t	 open;		/* tasks not taken */
	atomic_size_t	 undone;	/* tasks not done */
	/* the run */
	size_t		 ntasks;
	void		(*fn)(void *, size_t, int);
	void		*ctx;
};

int
peft_pool_cores(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof(set), &set) == -1)
		return 1;
	return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}

static bool
take(struct peft_pool *p, size_t *task)
{
	size_t n = atomic_load(&p->open);

	while (n > 0)
		if (atomic_compare_exchange_weak(&p->open, &n, n - 1)) {
			*task = p->ntasks - n;
			return true;
		}
	return false;
}

static void
do_tasks(struct peft_pool *p, int number)
{
	size_t task;

	while (take(p, &task)) {
		p->fn(p->ctx, task, number);
		if (atomic_fetch_sub(&p->undone, 1) == 1 &&
		    atomic_load(&p->waiting)) {
			pthread_mutex_lock(&p->lock);
			pthread_cond_signal(&p->done);
			pthread_mutex_unlock(&p->lock);
		}
	}
}

static bool
has_news(struct peft_pool *p)
{
	return atomic_load(&p->open) > 0 || atomic_load(&p->quit);
}

/* Until there is something to do: first turning, then asleep. */
static void
wait_news(struct peft_pool *p)
{
	int i;

	for (i = 0; i < SPIN; i++) {
		if (has_news(p))
			return;
		__builtin_ia32_pause();
	}
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add(&p->sleepers, 1);
	while (!has_news(p))
		pthread_cond_wait(&p->wake, &p->lock);
	atomic_fetch_sub(&p->sleepers, 1);
	pthread_mutex_unlock(&p->lock);
}

static void
wake_all(struct peft_pool *p)
{
	if (atomic_load(&p->sleepers) == 0)
		return;
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->wake);
	pthread_mutex_unlock(&p->lock);
}

static void
wait_done(struct peft_pool *p)
{
	int i;

	for (i = 0; i < SPIN; i++) {
		if (atomic_load(&p->undone) == 0)
			return;
		__builtin_ia32_pause();
	}
	pthread_mutex_lock(&p->lock);
	atomic_store(&p->waiting, true);
	while (atomic_load(&p->undone) > 0)
		pthread_cond_wait(&p->done, &p->lock);
	atomic_store(&p->waiting, false);
	pthread_mutex_unlock(&p->lock);
}

static void *
work(void *arg)
{
	struct worker *w = arg;
	double t;

	while (!atomic_load(&w->pool->quit)) {
		if (atomic_load(&w->pool->watched)) {
			t = peft_now();
			do_tasks(w->pool, w->number);
			atomic_fetch_add(&w->busy, (unsigned long long)
			    ((peft_now() - t) * 1e9));
		} else
			do_tasks(w->pool, w->number);
		wait_news(w->pool);
	}
	return NULL;
}

void
peft_pool_watch(struct peft_pool *p, int on)
{
	int i;

	p->waited = 0;
	for (i = 1; i <= p->started; i++)
		atomic_store(&p->workers[i].busy, 0);
	atomic_store(&p->watched, on);
}

double
peft_pool_idle(const struct peft_pool *p, double seconds)
{
	double idle = p->waited;
	int i;

	for (i = 1; i <= p->started; i++)
		idle += seconds - 1e-9 *
		    (double)atomic_load(&p->workers[i].busy);
	return idle > 0 ? idle : 0;
}

/* Signals are for the program's own thread, whose system calls they are to
 * interrupt: workers start with all of them blocked, but for the one that says
 * that nobody reads what a thread writes, which goes to this thread. */
static int
start(struct worker *w)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	sigdelset(&all, SIGPIPE);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	rc = pthread_create(&w->thread, NULL, work, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

struct peft_pool *
peft_pool_open(int threads, struct peft_err *err)
{
	struct peft_pool *p = peft_calloc(1, sizeof(*p), err);
	int i;

	if (p == NULL)
		return NULL;
	p->workers = peft_calloc((size_t)threads, sizeof(*p->workers), err);
	if (p->workers == NULL) {
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->wake, NULL);
	pthread_cond_init(&p->done, NULL);
	for (i = 1; i < threads; i++) {
		p->workers[i] = (struct worker){ .pool = p, .number = i };
		if ((errno = start(&p->workers[i])) != 0) {
			peft_seterrno(err, "cannot start thread %d of %d", i,
			    threads);
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
	wake_all(p);
	for (i = 1; i <= p->started; i++)
		pthread_join(p->workers[i].thread, NULL);
	pthread_cond_destroy(&p->done);
	pthread_cond_destroy(&p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p->workers);
	free(p);
}

int
peft_pool_threads(const struct peft_pool *p)
{
	return p->started + 1;
}

void
peft_pool_run(struct peft_pool *p, size_t ntasks,
    void (*fn)(void *ctx, size_t task, int thread), void *ctx)
{
	double t;
	size_t task;

	if (p->started == 0 || ntasks <= 1) {
		for (task = 0; task < ntasks; task++)
			fn(ctx, task, 0);
		return;
	}
	p->fn = fn;
	p->ctx = ctx;
	p->ntasks = ntasks;
	atomic_store(&p->undone, ntasks);
	atomic_store(&p->open, ntasks);
	wake_all(p);
	do_tasks(p, 0);
	if (!atomic_load(&p->watched)) {
		wait_done(p);
		return;
	}
	t = peft_now();
	wait_done(p);
	p->waited += peft_now() - t;
}
