/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_ARENA_H
#define PEFT_BASE_ARENA_H

#include <stddef.h>

#include "base/err.h"

/*
 * One allocation from which all else is cut, and the plan of it.
 *
 * Code that lays out memory is run twice: first over an arena without
 * memory, which only counts (a dry run, the table that --dry-run prints),
 * then over one of exactly that size.  The plan cannot disagree with what is
 * allocated, because it is the same code.
 *
 *	struct peft_arena a = { 0 };
 *	layout(&a, net);			counts
 *	if (peft_arena_reserve(&a, &err) == -1) ...
 *	layout(&a, net);			hands out memory
 */
struct peft_arena {
	char	*base;		/* NULL while counting */
	size_t	 used, size;	/* bytes */
	size_t	 peak;		/* most that was used at one time */
};

enum { PEFT_ALIGN = 64 };	/* of every piece: a cache line, a vector */

/* n elements of `size' bytes, aligned; NULL while counting.  While counting
 * nothing can fail (overflow saturates `used', and reserve refuses). */
void	*peft_arena_get(struct peft_arena *, size_t n, size_t size);
/* A mark to go back to: what was got since is given up, for scratch memory
 * that parts of the work use in turn. */
size_t	peft_arena_mark(const struct peft_arena *);
void	peft_arena_release(struct peft_arena *, size_t mark);
/* Allocate `peak' bytes, in large pages if the system has them (untouched ones
 * cost nothing), and start again. */
int	peft_arena_reserve(struct peft_arena *, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_arena_free(struct peft_arena *);

#endif
