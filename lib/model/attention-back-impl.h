/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_ATTENTION_BACK_IMPL_H
#define PEFT_MODEL_ATTENTION_BACK_IMPL_H

/* For attention-back.c, a node's queries, and attention-tree.c, which goes
 * through the trees. */

#include "model/attention-impl.h"

struct peft_back {
	struct peft_run		*run;
	const struct peft_saved	*s;
	const float		*dout;
	float			*dqkv;
	size_t			 layer, window;
	struct peft_packer	 packer;
	size_t			 together;	/* heads of a task */
};

/* Scratch of a task. */
struct peft_back_room {
	void	*k, *kcols, *v;		/* packed */
	struct peft_keys_sum dk, dv;
	size_t	 ldcols;
	float	*copy;			/* tokens, what is turned */
	float	*apart;			/* queries that lie apart */
	float	*dq;			/* [PEFT_BLOCK, lddq] */
	size_t	 lddq;
	float	*p, *dp;		/* [PEFT_BLOCK, PEFT_SCORES] */
	void	*left, *packed;		/* of them */
	void	*q, *dout;		/* left-hand sides [PEFT_BLOCK, ..] */
	void	*qt, *doutt;		/* [.., PEFT_BLOCK] */
	float	*d;			/* [PEFT_BLOCK] */
};

struct peft_back_room peft_back_room_of(const struct peft_run *,
	    struct peft_arena *);
/* The queries of a node: their gradients, and what they give to keys and
 * values. */
void	peft_back_node(const struct peft_back *, size_t node, size_t head,
	    const struct peft_back_room *);

#endif
