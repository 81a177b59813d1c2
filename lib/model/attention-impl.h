/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_ATTENTION_IMPL_H
#define PEFT_MODEL_ATTENTION_IMPL_H

/*
 * For attention*.c only.
 *
 * A head's keys and values are packed once a node, and PEFT_BLOCK queries
 * meet them PEFT_KEYS at a time, so that scores are a tile and never a strip
 * as long as the sequence.  Tiles begin at multiples of PEFT_KEYS in the
 * sequence, and what is summed over is in an order that goes by places
 * there: a query's sums do not depend on which others are in its block.
 */

#include "math/pack.h"
#include "model/net-impl.h"

enum {
	PEFT_BLOCK = 64,	/* queries at a time, */
	PEFT_HALF = 32,		/* in halves that see fewer keys each */
	PEFT_KEYS = 256,	/* of a tile, whose rows lie */
	PEFT_SCORES = PEFT_KEYS + 16,	/* apart: no power of two */
	PEFT_TOGETHER = 16	/* queries that meet a cache's page while it is
				 * in the first cache */
};

/* What a block of a head's queries is: the i0'th asked for and m - 1 behind
 * it, and how the first of the node lies in its sequence. */
struct peft_bunch {
	const struct peft_asked	*asked;
	size_t			 node, past;	/* its first token; tokens
						 * of the sequence before */
	size_t			 window;
	size_t			 i0, m;
};

/* A tile of keys k0 .. k1 of the sequence, and the rows of the block that
 * see some: rows first .. first+m see n of them, a multiple of 32. */
struct peft_half {
	size_t	first, m, n;
};

struct peft_tile_of_keys {
	size_t			 k0, k1;
	bool			 begins;	/* the first of the block */
	struct peft_half	 half[2];	/* one where they are alike */
	size_t			 halves;
};

/* The first tile of a block (k1 0 before), and those after; false: none. */
bool	peft_tile_next(const struct peft_bunch *,
	    struct peft_tile_of_keys *);

/* Which keys of a tile row i of the block sees: from .. end of them, the
 * place of the first of these, and how far the row is ahead of it; false:
 * none. */
struct peft_seen {
	size_t	from, end, first, ahead;
};

bool	peft_tile_seen(const struct peft_bunch *,
	    const struct peft_tile_of_keys *, size_t i, struct peft_seen *);
/* The row's scores s[n] as they are before softmax, -Inf where it sees none;
 * returns what they are to be multiplied by still. */
float	peft_tile_mask(const struct peft_run *, size_t head, float *s,
	    size_t n, const struct peft_seen *);

/* Rows i0 .. i0+m of those asked for, which lie at src in the node's rows of
 * *ld: where they are, or copied together. */
const float *peft_bunch_rows(const struct peft_bunch *, const float *src,
	    size_t *ld, float *copy, size_t n);

/* How many heads a task has, of so many stretches of tokens that are tasks:
 * those that share keys and values, or 1.  Results have the same bits. */
size_t	peft_heads_together(const struct peft_run *, size_t stretches);

/* Pack n floats of each token of a node and of all above it, which lie at
 * src in rows of lds: `rows' (or NULL) as columns, ld n elements from 32 to
 * the next 32 tokens; `cols' (or NULL) as rows, ldc from 32 features to the
 * next.  Those before token `from' of the sequence are there already. */
struct peft_packing {
	const float	*src;
	size_t		 lds, n, from;
	void		*rows, *cols;
	size_t		 ldc;
	float		*copy;			/* [32, n] */
};

void	peft_attention_pack(const struct peft_run *, size_t node,
	    const struct peft_packer *, const struct peft_packing *);

/*
 * attention-keys.c: gradients of a head's keys (at 0) or values (at head_dim
 * of run->dkv) by tokens of the sequence.  Of f32 they are summed as they
 * lie, sum[tokens, n], by the kernel for thin gradients, which wants nothing
 * packed; of bf16 turned, sum[n, ld], so that the tile of weights is packed as
 * it lies, and what is turned is the block of queries, once for all tiles.
 */
struct peft_keys_sum {
	float	*sum;
	size_t	 n, ld, at;
	bool	 turned;
};

/* What a block of queries gives to a tile of keys: x^T y. */
struct peft_keys_part {
	size_t		 key, keys, rows;	/* places; of x and y */
	const float	*x;			/* [rows, keys], PEFT_SCORES
						 * apart */
	const float	*y;			/* [rows, n], ldy apart, or */
	size_t		 ldy;
	const void	*turned;		/* [n, rows], PEFT_BLOCK */
	void		*packed;		/* room for x */
};

void	peft_keys_clear(const struct peft_keys_sum *, size_t from,
	    size_t to);
void	peft_keys_add(const struct peft_keys_sum *,
	    const struct peft_packer *, const struct peft_keys_part *);
/* A node's to their places in run->dkv, copy: 32 x 32 floats; then all heads'
 * are summed into dqkv's keys and values.  Or both at once, if they come one
 * after the other, and are not turned: dqkv, or NULL. */
void	peft_keys_back(const struct peft_run *, size_t node, size_t head,
	    const struct peft_keys_sum *, float *copy, float *dqkv);
void	peft_keys_back_sum(const struct peft_run *, float *dqkv);

/* Scratch of a thread; attention-back.c: get what is needed from it. */
struct peft_arena peft_attention_arena(const struct peft_run *, int thread);
void	peft_attention_back_room(const struct peft_run *,
	    struct peft_arena *);

#endif
