/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_NEAR_H
#define PEFT_DATA_NEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/seen.h"

/*
 * Texts that are nearly the same.
 *
 * A text is its runs of three words (letter case and punctuation do not
 * count; a character that is not ASCII is a word of its own).  Of two texts
 * the share of runs that are in both among those that are in either is
 * estimated from 64 minima (Broder 1997), and texts are compared only if four
 * of those agree in one of eight bands.
 */
enum { PEFT_NEAR = 64, PEFT_NEAR_BANDS = 8 };

struct peft_sketch {
	uint16_t	least[PEFT_NEAR];
	size_t		words;
};

/* Words that are taken one by one; start from { 0 }. */
struct peft_words {
	uint64_t	minima[PEFT_NEAR];
	uint64_t	last[2];	/* hashes of the two words before */
	uint64_t	all;		/* hash of all of them, in order */
	size_t		n;
};
void	peft_words_add(struct peft_words *, const char *text);
void	peft_words_sketch(const struct peft_words *, struct peft_sketch *);

/* Sketches that were seen. */
struct peft_near {
	struct peft_sketch	*at;
	size_t			 n, cap;
	struct peft_seen	 bands;
};

/* Is it like one that was seen, by a share of at least `share'?  1 like
 * *which (counted from 0), 0 not; remembered either way; -1. */
int	peft_near_add(struct peft_near *, const struct peft_sketch *,
	    double share, size_t *which, struct peft_err *) PEFT_MUSTCHECK;
/* The same, and nothing is remembered. */
int	peft_near_find(const struct peft_near *, const struct peft_sketch *,
	    double share, size_t *which);
void	peft_near_free(struct peft_near *);

#endif
