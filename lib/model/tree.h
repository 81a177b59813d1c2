/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_TREE_H
#define PEFT_MODEL_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include "model/net.h"

/*
 * The sequences of a micro-batch as a forest of prefixes: tokens that several
 * sequences begin with alike (a system prompt, the turns before) are in the
 * micro-batch once.  What a token computes depends on the tokens before it
 * alone, so the forward pass is the same as without sharing, and the gradient
 * of a shared token is the sum of the gradients of all that use it.
 */
struct peft_node {
	size_t	first, n;	/* its tokens in the micro-batch */
	size_t	depth;		/* tokens of its sequences before it */
	size_t	parent;		/* index; SIZE_MAX: it begins sequences */
	size_t	lo, hi;		/* whose: order[lo..hi) */
};

struct peft_tree {
	size_t			*order;	/* [seqs] as the nodes count them */
	size_t			*common; /* [seqs] tokens shared with the
					  * sequence before in that order */
	struct peft_node	*nodes;	/* [2 seqs]; a parent is before its
					 * children, tokens ascend */
	size_t			 n, tokens;
};

/* Fewer tokens than these are not worth a node of their own. */
enum { PEFT_SHARED_MIN = 16 };

/*
 * Lay out nseqs sequences; the arrays have room (2 nseqs nodes).  Without
 * `share' each is a node, in the order given; with it, nodes of one adapter
 * lie side by side.  Sequences with a cache, or with labels that are not
 * their ids, share nothing.
 */
void	peft_tree_build(struct peft_tree *, const struct peft_seq *,
	    size_t nseqs, bool share);
/* Of these sequences, how many from the first on are so many tokens at most,
 * with those that extra() says each brings besides?  The tree is what was
 * tried last. */
size_t	peft_tree_fit(struct peft_tree *, const struct peft_seq *,
	    size_t nseqs, bool share, size_t (*extra)(const void *ctx,
	    const struct peft_seq *), const void *ctx, size_t most);

#endif
