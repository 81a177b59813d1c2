/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large products, slab by slab: first all threads expand panels of the
 * weights (and round the left-hand side) into memory they share, then they
 * multiply tiles of it.  So each weight is expanded once for a micro-batch,
 * and tiles can be as small as an even share of the work asks for.  Both are
 * cut by shape alone, and each task writes its own part.
 */

#include <stdint.h>

#include "math/profile.h"
#include "quant/product-impl.h"

enum {
	DEPTH = 2048,		/* most of a slab's panels */
	SLAB = 1 << 20,		/* elements of a slab: third cache */
	MADE = 128,		/* panels in its place, if they are there */
	ABREAST = 8,		/* panels of a tile, or some more */
	LOWEST = 64,		/* rows of a tile */
	TILES = 16		/* at least, if it goes */
};

/* A row of a tile that has room of its own: no power of two. */
enum { TILEROW = PEFT_TILEPANELS * PEFT_PANEL + 16 };

size_t
peft_product_slab(const struct peft_expander *e)
{
	return SLAB * e->size / sizeof(float);
}

size_t
peft_product_tile(const struct peft_expander *e, size_t T)
{
	return e->bf16 == NULL ? 0 : peft_least(T, PEFT_TALLEST) * TILEROW;
}

static size_t
panels_of(const struct peft_products *j, size_t i)
{
	const struct peft_weight *w = j->p[i].w;

	return peft_pieces(j->back ? w->cols : w->rows, PEFT_PANEL);
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

/* Is a chunk that of the adapters beside? */
static bool
is_low(const struct peft_products *j, const struct peft_chunk *c)
{
	return !j->back && c->seg > 0;
}

static size_t
padded(const struct peft_products *j, size_t deep)
{
	return peft_pieces(deep, j->e.step) * j->e.step;
}

/* Rows of a chunk's panels, with what stands behind each part. */
static size_t
rows_of(const struct peft_products *j, const struct peft_chunk *c)
{
	return padded(j, c->deep) + peft_pieces(c->deep, j->e.part) *
	    j->e.tail;
}

static bool
is_whole(const struct peft_products *j, size_t seg)
{
	return segment_size(j, seg) <= j->e.whole;
}

/* The chunk that begins at c->at of c->seg, or the next segment's first. */
struct peft_chunk
peft_chunk_settle(const struct peft_products *j, struct peft_chunk c)
{
	size_t size, left;

	c.deep = 0;
	for (; c.seg < segments(j); c.seg++, c.at = 0) {
		size = segment_size(j, c.seg);
		left = size - c.at;
		if (left > 0) {
			c.deep = is_whole(j, c.seg) ? left :
			    peft_least(left, j->e.chunk);
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
	return peft_chunk_settle(j, c);
}

static struct peft_chunk
chunk_of(const struct peft_products *j, size_t i)
{
	struct peft_chunk c = j->from;

	for (; i > 0; i--)
		c = peft_chunk_next(j, c);
	return c;
}

/* How many products' panels lie in turns: what is made of the same columns of
 * all is a task's then. */
static size_t
turns(const struct peft_products *j)
{
	return j->along != NULL && !j->back ? j->np : 1;
}

/* Where a panel of the slab is: of which product, which of its panels. */
static size_t
locate(const struct peft_products *j, size_t *panel)
{
	size_t i = 0, np = turns(j);

	if (np > 1) {
		i = *panel % np;
		*panel /= np;
		return i;
	}
	for (; !j->back && *panel >= panels_of(j, i); i++)
		*panel -= panels_of(j, i);
	return i;
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
		peft_expand_rows(&j->e, &b, b.cols, at, peft_least(PEFT_PANEL,
		    b.rows - at), 0, b.cols, to, room);
}

static void
expand(const struct peft_products *j, size_t task, float *room)
{
	size_t of = together(j), n = peft_pieces(j->n, of);
	struct peft_chunk c = chunk_of(j, task / n);
	size_t i = task % n * of, panel = j->first + i, m;
	size_t ld = j->depth * PEFT_PANEL, p = j->back ? c.seg : locate(j,
	    &panel);
	const struct peft_weight *w = j->p[p].w;
	size_t ldw = j->ldw > 0 ? j->ldw : w->cols;
	void *to = (char *)j->slab + (i * ld + c.pos * PEFT_PANEL) *
	    j->e.size;

	if (is_low(j, &c)) {
		expand_low(j, p, panel, to, room);
		return;
	}
	if (j->back) {
		m = peft_least(of, j->n - i) * PEFT_PANEL;
		m = peft_least(m, w->cols - panel * PEFT_PANEL);
		peft_expand_cols(&j->e, w, ldw, c.at, c.deep,
		    panel * PEFT_PANEL, m, to, ld, room);
	} else {
		m = peft_least(PEFT_PANEL, w->rows - panel * PEFT_PANEL);
		peft_expand_rows(&j->e, w, ldw, panel * PEFT_PANEL, m, c.at,
		    c.deep, to, room);
	}
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

/* A chunk of panel i of the slab, which is a panel of product `of'. */
static const void *
panel_of(const struct peft_products *j, size_t i, size_t of, size_t panel,
    const struct peft_chunk *c, size_t *ld)
{
	if (j->made)
		return peft_panel_made(j, j->p[j->back ? c->seg : of].w,
		    panel, c->at, ld);
	*ld = j->depth * PEFT_PANEL * turns(j);
	return (const char *)j->slab + (i * j->depth + c->pos) * PEFT_PANEL *
	    j->e.size;
}

/* b->n columns of the output from panel i of the slab on, over all chunks. */
static void
multiply(const struct peft_products *j, struct peft_block *b, size_t i,
    size_t of, size_t panel, size_t t)
{
	size_t k, seg;
	struct peft_chunk c = j->from;

	b->m = peft_least(j->m, j->T - t);
	b->add = b->add || c.seg > 0 || c.at > 0;
	for (k = 0; k < j->nchunks; k++, c = peft_chunk_next(j, c)) {
		seg = is_low(j, &c) ? 1 + of : c.seg;
		b->k = is_low(j, &c) ? peft_left_size(j, seg) : c.deep;
		if (b->k == 0)		/* there is none beside this one */
			continue;
		b->a = peft_left_of(j, seg, c.at, t, &b->lda);
		b->b = panel_of(j, i, of, panel, &c, &b->ldb);
		b->k = j->e.size < sizeof(float) ? padded(j, b->k) : b->k;
		b->scale = j->e.int8 == NULL ? NULL :
		    peft_left_scales(j, c.seg, c.at) + t;
		b->lds = j->T;
		(j->e.int8 != NULL ? j->e.int8->block : j->e.bf16 != NULL ?
		    j->e.bf16->block : j->e.f32->block)(b);
		b->add = true;
	}
}

/* Groups of panels that tiles take are alike, whose they are: what has one
 * panel alone is multiplied beside others, while the rows of the left-hand
 * side are at hand. */
static size_t
groups_of(const struct peft_products *j)
{
	if (j->along != NULL)
		return peft_pieces(j->n, PEFT_TILEPANELS / turns(j) *
		    turns(j));
	return j->n < ABREAST ? 1 : j->n / ABREAST;
}

/* n panels of one product, from panel i of the slab on; rows from t on. */
static struct peft_block
block_of(const struct peft_products *j, size_t of, size_t panel, size_t n,
    size_t t)
{
	const struct peft_product *p = &j->p[of];
	struct peft_block b = { .ldc = j->back ? j->lddx : p->ldy,
	    .add = j->add };

	b.n = peft_least(n * PEFT_PANEL, (j->back ? p->w->cols : p->w->rows) -
	    panel * PEFT_PANEL);
	b.c = (j->back ? j->dx : p->y) + t * b.ldc + panel * PEFT_PANEL;
	return b;
}

/* The panels i .. end in the same rows, and what is made of them: if the slab
 * has all that is summed, they are nowhere else. */
static void
tile_along(const struct peft_products *j, size_t i, size_t end, size_t t,
    float *room)
{
	size_t np = turns(j), n = (end - i) / np, k, of, panel = 0;
	struct peft_made made = { .t = j->behind + t,
	    .m = peft_least(j->m, j->T - t) };
	struct peft_block b;

	for (k = 0; k < np; k++, room += PEFT_TILEPANELS / np * PEFT_PANEL) {
		panel = j->first + i + k;
		of = locate(j, &panel);
		b = block_of(j, of, panel, n, t);
		if (j->begins && j->ends) {
			b.c = room;
			b.ldc = TILEROW;
		}
		made.c[k] = b.c;
		multiply(j, &b, i + k, of, panel, t);
	}
	made.col = panel * PEFT_PANEL;
	made.n = b.n;
	made.ldc = b.ldc;
	if (j->ends)
		j->along->made(j->along->ctx, &made);
}

/* The rows of a tile stay in the second cache while groups pass. */
static void
tile_task(void *ctx, size_t task, int thread)
{
	const struct peft_products *j = ctx;
	size_t groups = groups_of(j), group = task % groups, n, of, panel;
	size_t np = turns(j), all = j->n / np, t = task / groups * j->m;
	size_t i = all * group / groups * np;
	size_t end = all * (group + 1) / groups * np;
	struct peft_block b;

	if (j->along != NULL) {
		tile_along(j, i, end, t, j->tiles + (size_t)thread *
		    peft_product_tile(&j->e, j->T));
		return;
	}
	for (; i < end; i += n) {
		panel = j->first + i;
		of = locate(j, &panel);
		n = peft_least(end - i, panels_of(j, of) - panel);
		b = block_of(j, of, panel, n, t);
		multiply(j, &b, i, of, panel, t);
	}
}

/* The panels and chunks of the slab that begins at j->first and j->from; all
 * chunks, if they are there already.  What adapters add comes with the last of
 * the weight's. */
static void
shape(struct peft_products *j, size_t panels, struct peft_chunk *behind)
{
	size_t of = j->back ? together(j) : turns(j), most = MADE;
	struct peft_chunk c = j->from;

	for (j->nchunks = 0, j->depth = 0; c.deep > 0; j->nchunks++) {
		if (!j->made && !is_low(j, &c) &&
		    c.pos + rows_of(j, &c) > DEPTH)
			break;
		j->depth = c.pos + rows_of(j, &c);
		c = peft_chunk_next(j, c);
	}
	*behind = c;
	behind->pos = 0;
	j->begins = j->from.seg == 0 && j->from.at == 0;
	j->ends = c.deep == 0;
	if (!j->made)		/* the next slab begins with a block, too */
		most = SLAB / (j->depth * PEFT_PANEL) / of * of;
	j->n = peft_least(most, panels - j->first);
}

static void
run(struct peft_products *j)
{
	struct peft_lap lap = peft_lap_begin(j->cpu);
	size_t groups = groups_of(j), n = j->made ? 0 : j->nchunks *
	    peft_pieces(j->n, together(j));

	peft_cpu_run(j->cpu, peft_left_tasks(j) + n, pack_task, j);
	peft_lap_end(j->cpu, &lap, PEFT_WORK_PACK, 0, j->made ? 0 :
	    (double)(j->n * j->depth * PEFT_PANEL * j->e.size));
	for (j->m = PEFT_TALLEST; j->m > LOWEST; j->m /= 2)
		if (groups * peft_pieces(j->T, j->m) >= TILES)
			break;
	j->down = peft_pieces(j->T, j->m);
	peft_cpu_run(j->cpu, groups * j->down, tile_task, j);
	j->fresh = 0;			/* once for all slabs */
}

void
peft_product_slabs(struct peft_products *j)
{
	size_t i, panels = j->back ? panels_of(j, 0) : 0;
	struct peft_chunk behind;

	for (i = 0; !j->back && i < j->np; i++)
		panels += panels_of(j, i);
	j->made = peft_panels_are_made(j);
	for (j->from = peft_chunk_settle(j, (struct peft_chunk){ 0 });
	    j->from.deep > 0; j->from = behind)
		for (j->first = 0; j->first < panels; j->first += j->n) {
			shape(j, panels, &behind);
			run(j);
		}
}
