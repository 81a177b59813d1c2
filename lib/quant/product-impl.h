/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_PRODUCT_IMPL_H
#define PEFT_QUANT_PRODUCT_IMPL_H

/* For product*.c only. */

#include "math/vec.h"
#include "quant/expand.h"
#include "quant/product.h"

enum {
	PEFT_LEFTROWS = 32,	/* of the left-hand side to round at a time */
	PEFT_MOSTNP = 8,	/* products at once */
	PEFT_AT_ONCE = 2048	/* tokens that are rounded, and multiplied */
};

/*
 * What is summed over is a row of segments: forward one (the columns of the
 * weights, which all products have) and behind it one for each product, of
 * the adapter of low rank beside it; backward the rows of each weight in
 * turn.  A segment is cut into chunks, as deep as panels are.  (Panels have
 * the forward segments of adapters in one place: a panel is of one product.)
 */
struct peft_chunk {
	size_t	seg, at, deep;	/* deep 0: there is none */
	size_t	pos;		/* in the panels of the slab */
};

/* How large products are cut. */
struct peft_cut {
	size_t	slab;		/* elements of a slab at most, */
	size_t	many;		/* and where tokens are many */
	size_t	deepest;	/* rows of its panels; 0: a chunk's */
	size_t	lowest;		/* rows of a tile */
	size_t	tiles;		/* at least, if it goes */
};

struct peft_products {
	struct peft_cpu			*cpu;
	struct peft_expander		 e;
	struct peft_expander		 dense;	/* of adapters beside: e, unless
						 * that is int8 */
	const struct peft_product	*p;
	const struct peft_low		*lows;	/* [np] or NULL */
	const uint16_t	*halves[2 * PEFT_MOSTNP]; /* left-hand segments that
						 * came rounded, or NULL */
	const struct peft_along		*along;	/* whose made() is called, or
						 * NULL */
	size_t				 behind; /* rows of earlier parts */
	size_t				 np, T, ldx, lddx;
	size_t				 nw;	/* products of weights; those
						 * behind them are adapters' */
	bool				 back, add;
	bool				 over;	/* backward: left-hand sides
						 * may be rounded in place */
	bool				 made;	/* weights have their panels */
	size_t				 low;	/* the largest rank beside
						 * products forward, or 0 */
	size_t				 ldw;	/* of f32 weights; 0: cols */
	const float			*x;
	float				*dx;
	float		*room;		/* per thread */
	float		*tiles;		/* the same, peft_product_tile() */
	void		*slab;		/* panels */
	void		*left;		/* the left-hand side rounded, one
					 * segment behind the other; NULL:
					 * used where it is, in f32 */
	void		*thin;		/* int8: the same as adapters take it */
	/* the slab at hand: panels first .. first+n, chunks from .. on */
	size_t		 first, n, depth, nchunks;
	size_t		 nmade;		/* chunks that are there already */
	struct peft_chunk from;
	bool		 begins, ends;	/* it has the first, the last chunk */
	size_t		 m, down;	/* rows of a task; tasks down */
	unsigned	 fresh;		/* bits: segments to be rounded still */
};

/* product-room.c: products of T tokens, with what is where in scratch. */
struct peft_products peft_product_begin(struct peft_cpu *, enum peft_compute,
	    size_t T, const struct peft_product *, size_t np, float *scratch);

/* product-slab.c: all of it, slab by slab. */
void	peft_product_slabs(struct peft_products *);
/* Floats of the slab. */
size_t	peft_product_slab(const struct peft_expander *);
/* By what panels are made of: f32, or less. */
const struct peft_cut *peft_cut_of(const struct peft_expander *);

/* product-tile.c: the products of the slab at hand; floats of a thread's tile
 * of up to T tokens, if what is dense is made of such panels. */
void	peft_product_tiles(struct peft_products *);
size_t	peft_product_tile(const struct peft_expander *dense, size_t T);
/* Where a panel of the slab is: of which product, which of its panels. */
size_t	peft_locate(const struct peft_products *, size_t *panel);

/* product-low.c: the same, and peft_product_few(), with adapters of low rank
 * beside; B [rows, r] of one as a weight. */
void	peft_product_lows(struct peft_products *);
void	peft_product_lows_few(struct peft_products *);
struct peft_weight peft_low_b(const struct peft_products *, size_t of);
/* The chunk behind one. */
struct peft_chunk peft_chunk_next(const struct peft_products *,
	    struct peft_chunk);

/* product-panels.c: have all weights theirs?  And panel i of one, as deep as
 * the weight is, from k on, which is a multiple of a part; ld: elements from
 * a panel to the next. */
bool	peft_panels_are_made(const struct peft_products *);
const void *peft_panel_made(const struct peft_products *,
	    const struct peft_weight *, size_t i, size_t k, size_t *ld);

/* product-left.c: segments of the left-hand side, and what they are as deep
 * as; elements from row to row of k, and scales of a row. */
size_t	peft_left_segments(const struct peft_products *);
size_t	peft_left_size(const struct peft_products *, size_t seg);
size_t	peft_left_stride(const struct peft_expander *, size_t k);
size_t	peft_product_scales(const struct peft_expander *, size_t k);
/* Rows that there is room for; where a segment begins, in bytes. */
size_t	peft_left_rows(const struct peft_products *);
size_t	peft_left_at(const struct peft_products *, size_t seg);
/* Round PEFT_LEFTROWS rows of a segment: task row * segments + segment; and
 * how many tasks that is. */
void	peft_left_round(const struct peft_products *, size_t task);
size_t	peft_left_tasks(const struct peft_products *);
/* A segment's from `at' on, from row t on; int8: the scales of all T rows,
 * from the part of a segment at `at' on. */
const void *peft_left_of(const struct peft_products *, size_t seg, size_t at,
	    size_t t, size_t *ld);
float	*peft_left_scales(const struct peft_products *, size_t seg, size_t at);
/* What is behind all of it. */
void	*peft_left_end(const struct peft_products *);

/* y_i = x W_i^T for a few tokens; floats of room a thread needs, and that
 * all share, where the slab would be.  is_fixed: whole numbers do for all of
 * it, for any number of tokens, sooner than panels in f32. */
void	peft_product_few(const struct peft_products *);
size_t	peft_product_few_room(void);
size_t	peft_product_few_shared(const struct peft_cpu *, size_t cols,
	    size_t T);
bool	peft_product_is_fixed(const struct peft_products *);

static inline size_t
peft_pieces(size_t n, size_t of)
{
	return (n + of - 1) / of;
}

static inline size_t
peft_panels_of(const struct peft_products *j, size_t i)
{
	const struct peft_weight *w = j->p[i].w;

	return peft_pieces(j->back ? w->cols : w->rows, PEFT_PANEL);
}

/* Is a segment that of an adapter beside; and of all of them, forward? */
static inline bool
peft_is_beside(const struct peft_products *j, size_t seg)
{
	return seg >= (j->back ? j->nw : 1);
}

static inline bool
peft_is_low(const struct peft_products *j, const struct peft_chunk *c)
{
	return !j->back && c->seg > 0;
}

/* What a segment's panels are, and its left-hand side. */
static inline const struct peft_expander *
peft_expander_at(const struct peft_products *j, size_t seg)
{
	return peft_is_beside(j, seg) ? &j->dense : &j->e;
}

/* Is the left-hand side used in another form than it has? */
static inline bool
peft_is_rounded(const struct peft_expander *e)
{
	return e->trim || e->bf16 != NULL || e->int8 != NULL;
}

static inline size_t
peft_padded(const struct peft_expander *e, size_t deep)
{
	return peft_pieces(deep, e->step) * e->step;
}

/* How many products' panels lie in turns: what is made of the same columns of
 * all is a task's then. */
static inline size_t
peft_turns(const struct peft_products *j)
{
	return j->along != NULL && !j->back ? j->np : 1;
}

#endif
