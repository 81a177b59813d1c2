/* SPDX-License-Identifier: Apache-2.0 */
/* The ends of a layer's branches: their last product, and joining the stream.
 * With bf16, and if nobody else looks at it, what a branch adds is added while
 * a tile of it is in the cache. */

#include "model/bare-impl.h"
#include "model/branch-impl.h"

struct join {
	const struct peft_run	*run;
	const float		*x;		/* [T, n] the stream before, */
	float			*y;		/* and behind; */
	uint16_t		*keep;		/* that rounded, or NULL */
	size_t			 n;
	float			 scale;		/* of what is added */
};

static struct join
join_of(const struct peft_run *run, size_t layer, int which, float *y,
    const float *x)
{
	const struct peft_config *c = &run->net->config;

	return (struct join){ .run = run, .x = x, .y = y, .n = c->hidden,
	    .keep = which == PEFT_JOIN_ATTN ? peft_stash_of_mid(run, layer) :
	    peft_stash_of_x(run, layer + 1),
	    .scale = (float)c->t.residual_scale };
}

static const struct peft_normal *
post_of(const struct peft_run *run, size_t layer, int which)
{
	return &run->net->layers[layer].norm[which == PEFT_JOIN_ATTN ?
	    PEFT_ATTN_POST : PEFT_MLP_POST];
}

float *
peft_branch_end(const struct peft_run *run, size_t layer, int which,
    const struct peft_saved *s)
{
	if (post_of(run, layer, which)->n == 0)
		return run->tmp;
	return which == PEFT_JOIN_ATTN ? s->o : s->down;
}

void
peft_branch_join(struct peft_run *run, size_t layer, int which,
    struct peft_saved *s, float *y, const float *x)
{
	const struct peft_normal *post = post_of(run, layer, which);
	struct join j = join_of(run, layer, which, y, x);

	if (post->n > 0)
		peft_op_norm(run, post, run->tmp, peft_branch_end(run, layer,
		    which, s), run->T);
	peft_join(run, layer, which, s, x, run->tmp);
	peft_op_add(run, y, j.keep, x, run->tmp, j.scale);
}

static void
join_tile(const void *ctx, const struct peft_made *m)
{
	const struct join *j = ctx;
	size_t i, at;

	for (i = 0; i < m->m; i++) {
		at = (m->t + i) * j->n + m->col;
		j->run->vec->sum(j->y + at, j->x + at, j->scale, m->c[0] +
		    i * m->ldc, m->n);
		if (j->keep != NULL)
			peft_stash_keep(j->run, j->keep + at, j->y + at,
			    m->n);
	}
}

void
peft_branch(struct peft_run *run, size_t layer, int which,
    struct peft_saved *s, const struct peft_branch_in *in, float *y,
    const float *x)
{
	int slot = which == PEFT_JOIN_ATTN ? PEFT_O : PEFT_DOWN;
	const struct peft_linear *l = &run->net->layers[layer].lin[slot];
	struct join j = join_of(run, layer, which, y, x);
	struct peft_along along = { .halves = { in->halves }, .ctx = &j };
	struct peft_product p = { &l->w, peft_branch_end(run, layer, which, s),
	    run->net->config.hidden };
	bool bare = in->halves != NULL ||
	    (peft_halves_fit(run, l->site->in) > 0 &&
	    peft_are_bare(run, l, 1));

	if (bare && post_of(run, layer, which)->n == 0 &&
	    !peft_join_hooked(run, layer, which))
		along.made = join_tile;
	if (bare)
		peft_linears_along(run, l, &s->hook[slot], in->x, in->ldx,
		    &along, &p, 1);
	else
		peft_linears(run, l, &s->hook[slot], in->x, in->ldx, &p, 1);
	if (along.made == NULL)
		peft_branch_join(run, layer, which, s, y, x);
}
