/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_SPLIT_H
#define PEFT_TEXT_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Pre-tokenizers that search: something is found in a text again and again,
 * and what becomes of the finds and of what is between them is the same for
 * all.
 */
struct peft_part {
	uint32_t	begin, end;	/* bytes */
	bool		found, drop;
};

struct peft_parts {			/* start from { 0 } */
	struct peft_part	*at;
	size_t			 n, cap;
};

enum peft_behavior {
	PEFT_S_ISOLATED,	/* finds are pieces of their own */
	PEFT_S_REMOVED,		/* finds are left out */
	PEFT_S_PREVIOUS,	/* a find joins what is before it, */
	PEFT_S_NEXT,		/* behind it: of a run of them one */
	PEFT_S_CONTIGUOUS	/* finds side by side are one piece */
};

struct peft_finder {
	/* The next find in s[at..n): 1, 0 none, -1 with *err set. */
	int		(*find)(const struct peft_finder *, const char *s,
			    size_t n, size_t at, size_t *begin, size_t *end,
			    struct peft_err *);
	enum peft_behavior	 behavior;
	bool			 invert;	/* what is between is found */
	struct peft_pattern	*pattern;
	unsigned		 cp;
	size_t			 length;
};

typedef int peft_find(const struct peft_finder *, const char *, size_t,
		    size_t, size_t *, size_t *, struct peft_err *);
/* A pattern; the character cp; white space; punctuation; what is neither
 * word nor white space (two finds: of either kind); length characters;
 * characters of one script. */
peft_find	peft_find_pattern, peft_find_char, peft_find_space;
peft_find	peft_find_punctuation, peft_find_word, peft_find_length;
peft_find	peft_find_script;

/* Cut s[0..n): to pieces in order, those with drop set left out. */
int	peft_split(const struct peft_finder *, const char *s, size_t n,
	    struct peft_parts *, struct peft_err *) PEFT_MUSTCHECK;
/* The behaviour of that name, or -1. */
int	peft_behavior_of(const char *name);

#endif
