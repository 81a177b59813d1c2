/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_ADDED_H
#define PEFT_TEXT_ADDED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Added tokens: strings that are cut out of the text before all else. */
struct peft_added {
	const char	*text;
	size_t		 len;
	int32_t		 id;
	bool		 lstrip, rstrip;	/* swallows white space there */
	bool		 special, single_word, normalized;
	char		*owned;		/* text, if it is freed with it */
};

struct peft_added_set {			/* start from { 0 } */
	struct peft_added	*at;	/* in the order of their texts */
	size_t			 n, cap;
	uint32_t		 first[257];	/* by first byte: first[c] on */
};

void	peft_added_free(struct peft_added_set *);
/* Also takes over what it owns. */
int	peft_added_put(struct peft_added_set *, const struct peft_added *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* All are there: put them in order.  The same text twice is an error. */
int	peft_added_sort(struct peft_added_set *, struct peft_err *)
	    PEFT_MUSTCHECK;

/* The leftmost token in s[*at .. n), the longest of those that begin there,
 * and its place; NULL if there is none. */
const struct peft_added *peft_added_next(const struct peft_added_set *,
	    const char *s, size_t n, size_t *at);
/* The id of the token with just this text, or -1. */
int32_t	peft_added_find(const struct peft_added_set *, const char *s,
	    size_t n);

#endif
