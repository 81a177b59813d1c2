/* SPDX-License-Identifier: Apache-2.0 */
/* A pool of threads. */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/progress.h"
#include "math/cores.h"
#include "math/pool.h"

/*
 * Before going to sleep: ten to fifty microseconds of pauses, longer than the
 * gaps between most operations, then a while in which whoever else wants the
 * core has it (experiments run side by side, make -j): to be woken takes a
 * virtual machine some time, too.
 */
enum { PAUSES = 1000 };
#define LINGER	0.0007		/* seconds */

/* Tasks of a run that are not taken: the first of them, and the one behind
 * the last, as one number. */
typedef atomic_ullong range;

struct worker {
	struct peft_pool	*pool;
	pthread_t		 thread;
	int			 number;	/* 0: who calls */
	range			 left;
	unsigned		 seen;		/* runs it has looked at */
	atomic_ullong		 busy;		/* nanoseconds with tasks */
	char			 apart[64];	/* others write elsewhere */
};

/*
 * A run gives each thread a stretch of the tasks, the same for each run alike:
 * so a thread's share of a weight is in its own caches, and what lies behind a
 * task is likely the next.  Who is done with his own takes from the ends of
 * others'.  Only who has taken a task reads fn and ctx: they stay as they are
 * until it is done, since the run cannot end before.  So a run waits for the
 * threads that have a task and not for those that are still waking up.
 *
 * Who goes to sleep says so first and looks again; who brings news looks for
 * sleepers after.  Both orders are sequentially consistent, so one of the
 * two sees the other.
 */
struct peft_pool {
	/* read again and again by who waits, written once a run */
	atomic_uint	 runs;		/* so far */
	atomic_bool	 quit;
	char		 apart[64];
	struct worker	*workers;	/* [started + 1] */
	int		 started;
	pthread_mutex_t	 lock;
	pthread_cond_t	 wake;		/* tasks, or the end of all */
	pthread_cond_t	 done;		/* the run's last task is done */
	atomic_int	 sleepers;	/* workers asleep */
	atomic_bool	 waiting;	/* the caller is */
	atomic_bool	 watched;	/* times are taken */
	atomic_int	 core;		/* of the caller */
	double		 waited;	/* seconds of the caller for others */
	/* the run */
	void		(*fn)(void *, size_t, int);
	void		*ctx;
	char		 apart_too[64];
	atomic_size_t	 undone;	/* tasks not done */
};

static unsigned long long
pack(size_t first, size_t end)
{
	return (unsigned long long)end << 32 | first;
}

/* The first of a range, or the last. */
static bool
take(range *left, bool last, size_t *task)
{
	unsigned long long r = atomic_load(left);
	size_t first, end;

	while ((first = (uint32_t)r) < (end = r >> 32)) {
		*task = last ? end - 1 : first;
		if (atomic_compare_exchange_weak(left, &r, last ?
		    pack(first, end - 1) : pack(first + 1, end)))
			return true;
	}
	return false;
}

static bool
steal(struct peft_pool *p, int number, size_t *task)
{
	int i, n = p->started + 1;

	for (i = 1; i < n; i++)
		if (take(&p->workers[(number + i) % n].left, true, task))
			return true;
	return false;
}

/* So many more tasks are done. */
static void
report(struct peft_pool *p, size_t done)
{
	if (done == 0 || atomic_fetch_sub(&p->undone, done) != done ||
	    !atomic_load(&p->waiting))
		return;
	pthread_mutex_lock(&p->lock);
	pthread_cond_signal(&p->done);
	pthread_mutex_unlock(&p->lock);
}

/* One's own, of which others hear when all are done; then what others have
 * left, one by one. */
static void
do_tasks(struct peft_pool *p, int number)
{
	size_t task, done;

	for (done = 0; take(&p->workers[number].left, false, &task); done++)
		p->fn(p->ctx, task, number);
	report(p, done);
	while (steal(p, number, &task)) {
		p->fn(p->ctx, task, number);
		report(p, 1);
	}
}

static bool
has_news(const struct worker *w)
{
	return atomic_load(&w->pool->runs) != w->seen ||
	    atomic_load(&w->pool->quit);
}

struct looks {
	int	n;
	double	until;
};

/* Another look after a pause: false if it is time to sleep. */
static bool
linger(struct looks *l)
{
	if (++l->n <= PAUSES) {
		__builtin_ia32_pause();
		return true;
	}
	if (l->n == PAUSES + 1)
		l->until = peft_now() + LINGER;
	sched_yield();
	return peft_now() < l->until;
}

/* Until there is something to do: first turning, then asleep. */
static void
wait_news(const struct worker *w)
{
	struct peft_pool *p = w->pool;
	struct looks looks = { 0 };

	while (linger(&looks))
		if (has_news(w))
			return;
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add(&p->sleepers, 1);
	while (!has_news(w))
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
	struct looks looks = { 0 };

	while (linger(&looks))
		if (atomic_load(&p->undone) == 0)
			return;
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

	for (wait_news(w); !atomic_load(&w->pool->quit); wait_news(w)) {
		w->seen = atomic_load(&w->pool->runs);
		peft_core_settle(atomic_load(&w->pool->core), w->number,
		    w->pool->started + 1);
		t = peft_now();
		do_tasks(w->pool, w->number);
		if (atomic_load(&w->pool->watched))
			atomic_fetch_add(&w->busy, (unsigned long long)
			    ((peft_now() - t) * 1e9));
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

/* Whose tasks are which. */
static void
share(struct peft_pool *p, size_t ntasks)
{
	size_t n = (size_t)p->started + 1, i;

	for (i = 0; i < n; i++)
		atomic_store(&p->workers[i].left, pack(ntasks * i / n,
		    ntasks * (i + 1) / n));
}

void
peft_pool_run(struct peft_pool *p, size_t ntasks,
    void (*fn)(void *ctx, size_t task, int thread), void *ctx)
{
	double t;
	size_t task;

	if (p->started == 0 || ntasks <= 1 || ntasks > UINT32_MAX) {
		for (task = 0; task < ntasks; task++)
			fn(ctx, task, 0);
		return;
	}
	p->fn = fn;
	p->ctx = ctx;
	atomic_store(&p->undone, ntasks);
	share(p, ntasks);
	atomic_store(&p->core, sched_getcpu());
	atomic_fetch_add(&p->runs, 1);
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
