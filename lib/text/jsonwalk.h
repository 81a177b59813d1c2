/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_JSONWALK_H
#define PEFT_TEXT_JSONWALK_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/err.h"

/*
 * A walk through JSON too large to be held as a tree: the caller knows what
 * comes next and asks for it.  Strings are read strictly; what is skipped is
 * only delimited, and must be judged by peft_json().
 */
struct peft_walk {
	const char	*begin, *p, *end;
	struct peft_err	*err;
};

/* -1 with "byte N: why". */
int	peft_walk_fail(struct peft_walk *, const char *why);
/* The next character that is not white space, -1 at the end. */
int	peft_walk_space(struct peft_walk *);
static inline int
peft_walk_peek(struct peft_walk *w)
{
	return w->p < w->end && *w->p > ' ' ? *w->p : peft_walk_space(w);
}
/*
 * What stands between two strings of a long list is mostly what stood there
 * before, and then stands for the same: it is compared, and read only if it
 * differs.  Start from { 0 }.
 */
struct peft_gap {
	const char	*s;		/* in the file, n bytes */
	size_t		 n;
};

/* Passes the gap, if it comes next. */
static inline bool
peft_walk_again(struct peft_walk *w, const struct peft_gap *g)
{
	if (g->n == 0 || (size_t)(w->end - w->p) < g->n ||
	    memcmp(w->p, g->s, g->n) != 0)
		return false;
	w->p += g->n;
	return true;
}
/* What was passed since `from' is one. */
static inline void
peft_walk_gap(const struct peft_walk *w, const char *from, struct peft_gap *g)
{
	*g = (struct peft_gap){ from, (size_t)(w->p - from) };
}
/* That character must be c, and is passed. */
int	peft_walk_expect(struct peft_walk *, char c) PEFT_MUSTCHECK;
/* The string that comes next to dst, which has room for all that is left
 * and a NUL; it may hold others (\u0000). */
int	peft_walk_string(struct peft_walk *, char *dst, size_t *n)
	    PEFT_MUSTCHECK;
/* Pass over a string; over any value. */
int	peft_walk_skip_string(struct peft_walk *) PEFT_MUSTCHECK;
int	peft_walk_skip(struct peft_walk *) PEFT_MUSTCHECK;

#endif
