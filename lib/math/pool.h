/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_POOL_H
#define PEFT_MATH_POOL_H

#include <stddef.h>

#include "base/err.h"

/*
 * Threads that wait for work.  Each has a stretch of a run's tasks, and takes
 * others' when it is done with them; since every task writes its own part,
 * who does which does not show in the result.
 */
struct peft_pool;

/* threads >= 1, the caller's counted. */
struct peft_pool *peft_pool_open(int threads, struct peft_err *)
		    PEFT_MUSTCHECK;
void		 peft_pool_close(struct peft_pool *);
int		 peft_pool_threads(const struct peft_pool *);
void		 peft_pool_run(struct peft_pool *, size_t ntasks,
		    void (*fn)(void *ctx, size_t task, int thread), void *ctx);
/* Measure, from now on or no more, how long threads have tasks; of `seconds'
 * that went by since then, how many had none, all threads together. */
void		 peft_pool_watch(struct peft_pool *, int on);
double		 peft_pool_idle(const struct peft_pool *, double seconds);

#endif
