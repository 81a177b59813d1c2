/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_SEEN_H
#define PEFT_DATA_SEEN_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * From hashes to numbers, some 30 bytes each: what a lint remembers of a
 * record it saw.  Start from { 0 }.
 */
struct peft_seen {
	struct peft_seen_slot	*slots;
	size_t			 n, nslots;	/* nslots is a power of two */
};

struct peft_seen_slot {
	uint64_t	hash;
	size_t		value;			/* from 1; 0: free */
};

/* The value that the hash has, *out; else it gets `value'.  1 new, 0 it was
 * there, -1. */
int	peft_seen_add(struct peft_seen *, uint64_t hash, size_t value,
	    size_t *out, struct peft_err *) PEFT_MUSTCHECK;
/* 1 it is there, 0. */
int	peft_seen_find(const struct peft_seen *, uint64_t hash, size_t *out);
void	peft_seen_free(struct peft_seen *);

#endif
