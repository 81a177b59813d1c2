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
	PEFT_KEYS = 256,	/* of a tile */
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
 * attention-keys.c: gradients of a head's keys (at 0) or values (at
 * head_dim) of a node, from src[width, ld] by tokens of the sequence to their
 * places in run->dkv.  Then all heads' are summed into dqkv's keys and values.
 * copy: 32 x 32 floats.
 */
void	peft_keys_back(const struct peft_run *, size_t node, size_t head,
	    size_t at, const float *src, size_t ld, size_t width,
	    float *copy);
void	peft_keys_back_sum(const struct peft_run *, float *dqkv);

/* Scratch of a thread; attention-back.c: get what is needed from it. */
struct peft_arena peft_attention_arena(const struct peft_run *, int thread);
void	peft_attention_back_room(const struct peft_run *,
	    struct peft_arena *);

#endif
