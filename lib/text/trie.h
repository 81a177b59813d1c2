/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_TRIE_H
#define PEFT_TEXT_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/lookup.h"

/*
 * Strings as a tree of bytes, kept as a double array (Aoe 1989): the child of
 * a node by byte c is the unit at its base + c, if that unit's parent is the
 * node.  Finds all tokens that a text begins with in one walk.
 */
struct peft_trie_unit {
	uint32_t	base, parent;	/* parent PEFT_NOWHERE: free */
	int32_t		id;		/* of the string that ends here, or
					 * -1 */
};

struct peft_trie {
	struct peft_trie_unit	*at;	/* at[0]: the root */
	uint32_t		 n;
};
#define PEFT_NOWHERE	UINT32_MAX

/* Of strs[id] for all ids below n; those that are empty are left out, and of
 * equal ones the last counts. */
int	peft_trie_open(struct peft_trie *, const struct peft_str *strs,
	    size_t n, struct peft_err *) PEFT_MUSTCHECK;
void	peft_trie_close(struct peft_trie *);

/* The child of a node by a byte, or PEFT_NOWHERE. */
static inline uint32_t
peft_trie_step(const struct peft_trie *t, uint32_t node, unsigned char c)
{
	uint32_t to = t->at[node].base + c;

	return t->at[to].parent == node ? to : PEFT_NOWHERE;
}

#endif
