/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large products, slab by slab: first all threads expand panels of the
 * weights (and round the left-hand side) into memory they share, then they
 * multiply tiles of it (product-tile.c).  So each weight is expanded once for
 * a micro-batch, and tiles can be as small as an even share of the work asks
 * for.  Both are cut by shape alone, and each task writes its own part.
 */

#include <stdint.h>

#include "math/profile.h"
#include "quant/product-impl.h"

enum {
	MADE = 128,		/* panels in its place, if they are there */
	MANY = 1024,		/* tokens */
	ROWS = 128		/* of a weight that a task expands backward: a
				 * multiple of what panels are made of */
};

/* A slab stays in the third cache.  Of f32 some of it in the second, if tokens
 * are many: with fewer, threads would wait for each other too often. */
static const struct peft_cut narrow = { .slab = 1 << 20, .many = 1 << 20,
    .deepest = 2048, .lowest = 64, .tiles = 16 };
static const struct peft_cut wide = { .slab = 1 << 19, .many = 21 << 14,
    .deepest = 0, .lowest = 32, .tiles = 32 };

const struct peft_cut *
peft_cut_of(const struct peft_expander *e)
{
	return e->size == sizeof(float) ? &wide : &narrow;
}

size_t
peft_product_slab(const struct peft_expander *e)
{
	return peft_cut_of(e)->slab * e->size / sizeof(float);
}

/* What panels are made of, and how deep each is. */
static size_t
segments(const struct peft_products *j)
{
	return j->back ? j->np : j->low == 0 ? 1 : 2;
}

static size_t
segment_size(const struct peft_products *j, size_t seg)
{
	return j->back ? j->p[seg].w->rows : seg == 0 ? j->p[0].w->cols :
	    j->low;
}

/* Rows of a chunk's panels, of elements as j->e has them, with what stands
 * behind each part; of what is made there are none. */
static size_t
rows_of(const struct peft_products *j, const struct peft_chunk *c)
{
	const struct peft_expander *e = peft_expander_at(j, c->seg);

	if (j->made && e->int8 != NULL)
		return 0;
	return (peft_padded(e, c->deep) + peft_pieces(c->deep, e->part) *
	    e->tail) * e->size / j->e.size;
}

static bool
is_whole(const struct peft_products *j, size_t seg)
{
	return segment_size(j, seg) <= peft_expander_at(j, seg)->whole;
}

/* The chunk that begins at c.at of c.seg, or the next segment's first. */
static struct peft_chunk
settle(const struct peft_products *j, struct peft_chunk c)
{
	size_t size, left;

	c.deep = 0;
	for (; c.seg < segments(j); c.seg++, c.at = 0) {
		size = segment_size(j, c.seg);
		left = size - c.at;
		if (left > 0) {
			c.deep = is_whole(j, c.seg) ? left :
			    peft_least(left, peft_expander_at(j,
			    c.seg)->chunk);
			break;
		}
	}
	return c;
}

struct peft_chunk
peft_chunk_next(const struct peft_products *j, struct peft_chunk c)
{
	c.pos += rows_of(j, &c);
	c.at += c.deep;
	return settle(j, c);
}

static struct peft_chunk
chunk_of(const struct peft_products *j, size_t i)
{
	struct peft_chunk c = j->from;

	for (; i > 0; i--)
		c = peft_chunk_next(j, c);
	return c;
}

/* Panels that are expanded together: blocks of 64 and 256 are whole then. */
static size_t
together(const struct peft_products *j)
{
	return j->back ? PEFT_ABREAST : 1;
}

/* A panel of the adapter beside a product. */
static void
expand_low(const struct peft_products *j, size_t of, size_t panel, void *to,
    float *room)
{
	struct peft_weight b = peft_low_b(j, of);
	size_t at = panel * PEFT_PANEL;

	if (b.cols > 0)
		peft_expand_rows(&j->dense, &b, b.cols, at,
		    peft_least(PEFT_PANEL, b.rows - at), 0, b.cols, to, room);
}

/* Tasks that expand a chunk of panels of one place; some may be empty. */
static size_t
pieces(const struct peft_products *j)
{
	return j->back ? peft_pieces(j->e.whole, ROWS) : 1;
}

/* Part of a chunk of some panels, all as deep as that part. */
static void
expand_back(const struct peft_products *j, const struct peft_chunk *c,
    size_t i, size_t part, char *to, float *room)
{
	const struct peft_expander *e = peft_expander_at(j, c->seg);
	const struct peft_weight *w = j->p[c->seg].w;
	size_t ldw = j->ldw > 0 ? j->ldw : w->cols, at = part * ROWS, n;
	size_t col = (j->first + i) * PEFT_PANEL;

	if (at >= c->deep)
		return;
	n = peft_least(together(j), j->n - i) * PEFT_PANEL;
	to += (at + at / e->part * e->tail) * PEFT_PANEL * e->size;
	peft_expand_cols(e, w, ldw, c->at + at, peft_least(ROWS, c->deep - at),
	    col, peft_least(n, w->cols - col), to, j->depth * PEFT_PANEL *
	    j->e.size / e->size, room);
}

static void
expand(const struct peft_products *j, size_t task, float *room)
{
	size_t of = together(j), n = peft_pieces(j->n, of) * pieces(j);
	struct peft_chunk c = chunk_of(j, j->nmade + task / n);
	size_t i = task % n / pieces(j) * of, panel = j->first + i, p;
	char *to = (char *)j->slab + (i * j->depth + c.pos) * PEFT_PANEL *
	    j->e.size;
	const struct peft_weight *w;

	if (j->back) {
		expand_back(j, &c, i, task % pieces(j), to, room);
		return;
	}
	p = peft_locate(j, &panel);
	w = j->p[p].w;
	if (peft_is_low(j, &c))
		expand_low(j, p, panel, to, room);
	else
		peft_expand_rows(&j->e, w, j->ldw > 0 ? j->ldw : w->cols,
		    panel * PEFT_PANEL, peft_least(PEFT_PANEL, w->rows -
		    panel * PEFT_PANEL), c.at, c.deep, to, room);
}

static void
pack_task(void *ctx, size_t task, int thread)
{
	const struct peft_products *j = ctx;
	size_t left = peft_left_tasks(j);

	if (task < left)
		peft_left_round(j, task);
	else
		expand(j, task - left, j->room + (size_t)thread * j->e.room);
}

/* The panels and chunks of the slab that begins at j->first and j->from; all
 * chunks, if they are there already.  What adapters add comes with the last of
 * the weight's. */
static void
shape(struct peft_products *j, size_t panels, struct peft_chunk *behind)
{
	size_t of = j->back ? together(j) : peft_turns(j), most = MADE;
	const struct peft_cut *cut = peft_cut_of(&j->e);
	size_t deepest = cut->deepest > 0 ? cut->deepest : j->e.whole;
	struct peft_chunk c = j->from;
	size_t left, n;

	j->nchunks = j->nmade = j->depth = 0;
	for (; c.deep > 0; j->nchunks++) {
		if (!j->made && !peft_is_low(j, &c) &&
		    c.pos + rows_of(j, &c) > deepest)
			break;
		j->depth = c.pos + rows_of(j, &c);
		j->nmade += rows_of(j, &c) == 0;
		c = peft_chunk_next(j, c);
	}
	*behind = c;
	behind->pos = 0;
	j->begins = j->from.seg == 0 && j->from.at == 0;
	j->ends = c.deep == 0;
	if (j->depth > 0)
		most = (j->T < MANY ? cut->slab : cut->many) /
		    (j->depth * PEFT_PANEL);
	if (j->made)
		most = peft_least(most, MADE);
	/* the next slab begins with a block, too; slabs are alike */
	left = panels - j->first;
	n = peft_pieces(left, peft_pieces(left, most / of * of));
	j->n = peft_least(peft_pieces(n, of) * of, left);
}

static void
run(struct peft_products *j)
{
	struct peft_lap lap = peft_lap_begin(j->cpu);
	size_t n = (j->nchunks - j->nmade) * peft_pieces(j->n, together(j)) *
	    pieces(j);

	peft_cpu_run(j->cpu, peft_left_tasks(j) + n, pack_task, j);
	peft_lap_end(j->cpu, &lap, PEFT_WORK_PACK, 0,
	    (double)(j->n * j->depth * PEFT_PANEL * j->e.size));
	peft_product_tiles(j);
	j->fresh = 0;			/* once for all slabs */
}

void
peft_product_slabs(struct peft_products *j)
{
	size_t i, panels = j->back ? peft_panels_of(j, 0) : 0;
	struct peft_chunk behind;

	for (i = 0; !j->back && i < j->np; i++)
		panels += peft_panels_of(j, i);
	j->made = peft_panels_are_made(j);
	for (j->from = settle(j, (struct peft_chunk){ 0 });
	    j->from.deep > 0; j->from = behind)
		for (j->first = 0; j->first < panels; j->first += j->n) {
			shape(j, panels, &behind);
			run(j);
		}
}
