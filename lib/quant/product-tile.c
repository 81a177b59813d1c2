/* SPDX-License-Identifier: Apache-2.0 */
/* A slab's tiles, and what goes along with them. */

#include "quant/product-impl.h"

enum {
	ABREAST = 8,		/* panels of a tile, or some more */
	TALLEST = 256		/* rows of a tile */
};

/* Of what goes along: panels of a tile, all that are side by side, and a row
 * in the room of its own that it may have: no power of two. */
enum { TILEPANELS = 8, TILEROW = TILEPANELS * PEFT_PANEL + 16 };

size_t
peft_product_tile(const struct peft_expander *dense, size_t T)
{
	return dense->bf16 == NULL ? 0 : peft_least(T, TALLEST) * TILEROW;
}

/* Where a panel of the slab is: of which product, which of its panels. */
size_t
peft_locate(const struct peft_products *j, size_t *panel)
{
	size_t i = 0, np = peft_turns(j);

	if (np > 1) {
		i = *panel % np;
		*panel /= np;
		return i;
	}
	for (; !j->back && *panel >= peft_panels_of(j, i); i++)
		*panel -= peft_panels_of(j, i);
	return i;
}

/* A chunk of panel i of the slab, which is a panel of product `of'. */
static const void *
panel_of(const struct peft_products *j, size_t i, size_t of, size_t panel,
    const struct peft_chunk *c, size_t *ld)
{
	const struct peft_expander *e = peft_expander_at(j, c->seg);

	if (j->made && e->int8 != NULL)
		return peft_panel_made(j, j->p[j->back ? c->seg : of].w,
		    panel, c->at, ld);
	*ld = j->depth * PEFT_PANEL * peft_turns(j) * j->e.size / e->size;
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
	const struct peft_expander *e;

	b->m = peft_least(j->m, j->T - t);
	b->add = b->add || c.seg > 0 || c.at > 0;
	for (k = 0; k < j->nchunks; k++, c = peft_chunk_next(j, c)) {
		e = peft_expander_at(j, c.seg);
		seg = peft_is_low(j, &c) ? 1 + of : c.seg;
		b->k = peft_is_low(j, &c) ? peft_left_size(j, seg) : c.deep;
		if (b->k == 0)		/* there is none beside this one */
			continue;
		b->a = peft_left_of(j, seg, c.at, t, &b->lda);
		b->b = panel_of(j, i, of, panel, &c, &b->ldb);
		b->k = e->size < sizeof(float) ? peft_padded(e, b->k) : b->k;
		b->scale = e->int8 == NULL ? NULL :
		    peft_left_scales(j, c.seg, c.at) + t;
		b->lds = j->T;
		(e->int8 != NULL ? e->int8->block : e->bf16 != NULL ?
		    e->bf16->block : e->f32->block)(b);
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
		return peft_pieces(j->n, TILEPANELS / peft_turns(j) *
		    peft_turns(j));
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
	size_t np = peft_turns(j), n = (end - i) / np, k, of, panel = 0;
	struct peft_made made = { .t = j->behind + t,
	    .m = peft_least(j->m, j->T - t) };
	struct peft_block b;

	for (k = 0; k < np; k++, room += TILEPANELS / np * PEFT_PANEL) {
		panel = j->first + i + k;
		of = peft_locate(j, &panel);
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
	size_t np = peft_turns(j), all = j->n / np, t = task / groups * j->m;
	size_t i = all * group / groups * np;
	size_t end = all * (group + 1) / groups * np;
	struct peft_block b;

	if (j->along != NULL) {
		tile_along(j, i, end, t, j->tiles + (size_t)thread *
		    peft_product_tile(&j->dense, j->T));
		return;
	}
	for (; i < end; i += n) {
		panel = j->first + i;
		of = peft_locate(j, &panel);
		n = peft_least(end - i, peft_panels_of(j, of) - panel);
		b = block_of(j, of, panel, n, t);
		multiply(j, &b, i, of, panel, t);
	}
}

void
peft_product_tiles(struct peft_products *j)
{
	const struct peft_cut *cut = peft_cut_of(&j->e);
	size_t groups = groups_of(j);

	for (j->m = TALLEST; j->m > cut->lowest; j->m /= 2)
		if (groups * peft_pieces(j->T, j->m) >= cut->tiles)
			break;
	j->down = peft_pieces(j->T, j->m);
	peft_cpu_run(j->cpu, groups * j->down, tile_task, j);
}
