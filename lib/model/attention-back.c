/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causal attention, backward: the queries of a node.
 *
 * The weights p are computed again from the scores and the saved log-sums (Dao
 * et al. 2022, section 3), tile by tile as forward did.
 */

#include <string.h>

#include "model/attention-back-impl.h"

/* A query head of a node; strides: ld for q and dq, lo for out and dout.
 * out, dout and lse begin with the first query that is asked for. */
struct view {
	const float	*q, *out, *dout, *lse;
	float		*dq;
	size_t		 ld, lo, heads, head;
};

/* A block of queries as the products of a tile have it. */
struct block {
	struct peft_bunch	 rows;
	const void		*q, *dout;
	size_t			 ldq, lddout;
};

struct peft_back_room
peft_back_room_of(const struct peft_run *run, struct peft_arena *a)
{
	const struct peft_config *c = &run->net->config;
	struct peft_packer e = peft_packer_of(run->net->cpu);
	size_t hd = peft_pack_up(c->head_dim), vd = peft_pack_up(c->v_dim);
	size_t seq = peft_pack_up(run->caps.seq), f = sizeof(float);
	size_t ld = seq + PEFT_ALIGN / f;	/* no power of two */
	bool turned = e.bf16 != NULL;

	return (struct peft_back_room){ .ldcols = seq * PEFT_PANEL,
	    .k = peft_arena_get(a, seq * hd, e.size),
	    .kcols = peft_arena_get(a, seq * hd, e.size),
	    .v = peft_arena_get(a, seq * vd, e.size),
	    .dk = { peft_arena_get(a, hd * ld, f), c->head_dim, ld, 0,
		turned },
	    .dv = { peft_arena_get(a, vd * ld, f), c->v_dim, ld, c->head_dim,
		turned },
	    .copy = peft_arena_get(a, PEFT_BLOCK * (hd > vd ? hd : vd), f),
	    .apart = peft_arena_get(a, PEFT_BLOCK * hd, f),
	    .dq = peft_arena_get(a, PEFT_BLOCK * hd, f),
	    .p = peft_arena_get(a, PEFT_BLOCK * PEFT_SCORES, f),
	    .dp = peft_arena_get(a, PEFT_BLOCK * PEFT_SCORES, f),
	    .left = peft_arena_get(a, PEFT_BLOCK * PEFT_KEYS, e.size),
	    .packed = peft_arena_get(a, PEFT_BLOCK * PEFT_KEYS, e.size),
	    .q = peft_arena_get(a, PEFT_BLOCK * hd, e.size),
	    .dout = peft_arena_get(a, PEFT_BLOCK * vd, e.size),
	    .qt = peft_arena_get(a, PEFT_BLOCK * hd, e.size),
	    .doutt = peft_arena_get(a, PEFT_BLOCK * vd, e.size),
	    .d = peft_arena_get(a, PEFT_BLOCK, f) };
}

void
peft_attention_back_room(const struct peft_run *run, struct peft_arena *a)
{
	(void)peft_back_room_of(run, a);
}

/* Scores of row i to weights p, and dp, the gradient of the weights, to that
 * of the products of queries and keys: ds = p (dp - sum(dout out)), and less
 * where the scores are capped. */
static void
row_back(const struct peft_back *job, const struct view *w,
    const struct peft_bunch *q, const struct peft_tile_of_keys *t, size_t i,
    size_t n, const struct peft_back_room *r)
{
	const struct peft_run *run = job->run;
	const struct peft_traits *c = &run->net->config.t;
	float *p = r->p + i * PEFT_SCORES, *dp = r->dp + i * PEFT_SCORES;
	float cap = (float)c->attn_cap, d = r->d[i], scale, x;
	struct peft_seen seen;
	size_t j;

	if (!peft_tile_seen(q, t, i, &seen)) {
		memset(p, 0, n * sizeof(*p));
		memset(dp, 0, n * sizeof(*dp));
		return;
	}
	scale = peft_tile_mask(run, w->head, p, n, &seen);
	for (j = seen.from; cap > 0 && j < seen.end; j++) {
		x = p[j] / cap;
		dp[j] = (dp[j] - d) * (1 - x * x);
	}
	run->vec->softmax_back(p, dp, n, scale,
	    w->lse[(q->i0 + i) * w->heads], (float)c->attn_scale,
	    cap > 0 ? 0 : d);
}

/* Rows of a half: p and dp, and what they give to the queries. */
static void
meet(const struct peft_back *job, const struct view *w, const struct block *b,
    const struct peft_tile_of_keys *t, const struct peft_half *h,
    const struct peft_back_room *r)
{
	const struct peft_config *c = &job->run->net->config;
	const struct peft_packer *e = &job->packer;
	size_t at = h->first * PEFT_SCORES, hd = peft_pack_up(c->head_dim);
	size_t vd = peft_pack_up(c->v_dim), i;
	struct peft_block p = { .m = h->m, .n = h->n, .k = c->head_dim,
	    .a = peft_pack_at(e, b->q, h->first * b->ldq), .lda = b->ldq,
	    .b = peft_pack_at(e, r->k, t->k0 * hd), .ldb = PEFT_PANEL * hd,
	    .c = r->p + at, .ldc = PEFT_SCORES, .slack = true };
	struct peft_block dp = { .m = h->m, .n = h->n, .k = c->v_dim,
	    .a = peft_pack_at(e, b->dout, h->first * b->lddout),
	    .lda = b->lddout, .b = peft_pack_at(e, r->v, t->k0 * vd),
	    .ldb = PEFT_PANEL * vd, .c = r->dp + at, .ldc = PEFT_SCORES,
	    .slack = true };
	struct peft_block dq = { .m = h->m, .n = c->head_dim, .k = h->n,
	    .lda = PEFT_SCORES, .b = peft_pack_at(e, r->kcols, t->k0 *
	    PEFT_PANEL), .ldb = r->ldcols, .c = r->dq + h->first * r->lddq,
	    .ldc = r->lddq, .add = !t->begins,
	    .slack = r->lddq == c->head_dim };

	peft_pack_multiply(e, &p);
	peft_pack_multiply(e, &dp);
	for (i = 0; i < h->m; i++)
		row_back(job, w, &b->rows, t, h->first + i, h->n, r);
	dq.a = peft_pack_left(e, r->dp + at, h->m, h->n, r->left, &dq.lda);
	peft_pack_multiply(e, &dq);
}

/* x^T y, from row `first' of y on, to the keys or the values. */
static void
give(const struct peft_back *job, struct peft_keys_part *part,
    const struct peft_keys_sum *sum, const float *x, size_t first,
    const void *y, size_t ldy, const void *turned)
{
	part->x = x;
	part->y = peft_pack_at(&job->packer, y, first * ldy);
	part->ldy = ldy;
	part->turned = peft_pack_at(&job->packer, turned, first);
	peft_keys_add(sum, &job->packer, part);
}

static void
tile(const struct peft_back *job, const struct view *w, const struct block *b,
    const struct peft_tile_of_keys *t, const struct peft_back_room *r)
{
	struct peft_keys_part part = { .packed = r->packed };
	size_t i, lo = 0, at;

	for (i = 0; i < t->halves; i++)
		meet(job, w, b, t, &t->half[i], r);
	for (i = 0; i < t->halves; lo = t->half[i++].n) {
		const struct peft_half *h = &t->half[i];

		part.key = t->k0 + lo;
		part.keys = h->n - lo;
		part.rows = b->rows.m - h->first;
		at = h->first * PEFT_SCORES + lo;
		give(job, &part, &r->dk, r->dp + at, h->first, b->q, b->ldq,
		    r->qt);
		give(job, &part, &r->dv, r->p + at, h->first, b->dout,
		    b->lddout, r->doutt);
	}
}

/* What the tiles read of a block, side by side and turned. */
static struct block
begin(const struct peft_back *job, const struct view *w,
    const struct peft_bunch *q, const struct peft_back_room *r)
{
	const struct peft_config *c = &job->run->net->config;
	const struct peft_packer *e = &job->packer;
	const float *dout = w->dout + q->i0 * w->lo, *rows;
	struct block b = { .rows = *q, .ldq = w->ld, .lddout = w->lo };

	if (r->dv.turned)
		peft_pack_turned(e, dout, w->lo, q->m, c->v_dim, r->doutt,
		    PEFT_BLOCK, r->copy);
	b.dout = peft_pack_left(e, dout, q->m, c->v_dim, r->dout, &b.lddout);
	rows = peft_bunch_rows(q, w->q, &b.ldq, r->apart, c->head_dim);
	if (r->dk.turned)
		peft_pack_turned(e, rows, b.ldq, q->m, c->head_dim, r->qt,
		    PEFT_BLOCK, r->copy);
	b.q = peft_pack_left(e, rows, q->m, c->head_dim, r->q, &b.ldq);
	return b;
}

static void
block(const struct peft_back *job, const struct view *w,
    const struct peft_bunch *q, const struct peft_back_room *scratch)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	bool there = job->packer.bf16 == NULL && q->asked->token == NULL;
	struct peft_back_room own = *scratch, *r = &own;
	struct block b = begin(job, w, q, r);
	struct peft_tile_of_keys t = { 0 };
	size_t i;

	r->lddq = there ? w->ld : c->head_dim;
	if (there)			/* where they are to be */
		r->dq = w->dq + q->i0 * w->ld;
	for (i = 0; i < q->m; i++)
		r->d[i] = run->vec->dot(w->dout + (q->i0 + i) * w->lo,
		    w->out + (q->i0 + i) * w->lo, c->v_dim);
	while (peft_tile_next(q, &t))
		tile(job, w, &b, &t, r);
	for (i = 0; !there && i < q->m; i++)
		memcpy(w->dq + peft_asked_at(q->asked, q->node, q->i0 + i) *
		    w->ld, r->dq + i * c->head_dim, c->head_dim *
		    sizeof(*r->dq));
}

/* The head's place in a node. */
static struct view
view_of(const struct peft_back *job, size_t node, size_t head,
    const struct peft_asked *ask)
{
	const struct peft_node *n = &job->run->tree.nodes[node];
	const struct peft_config *c = &job->run->net->config;
	const struct peft_heads_at *at = &job->run->net->at;
	size_t o = c->heads * c->v_dim, oo = ask->first * o + head * c->v_dim;
	size_t rep = c->heads / c->kv_heads;
	size_t qo = n->first * at->ld + head / rep * at->group +
	    head % rep * at->q;

	return (struct view){ .ld = at->ld, .lo = o, .heads = c->heads,
	    .head = head, .q = job->s->qkv + qo, .out = job->s->attn + oo,
	    .dout = job->dout + oo, .dq = job->dqkv + qo,
	    .lse = job->s->lse + ask->first * c->heads + head };
}

/* The queries of a node. */
void
peft_back_node(const struct peft_back *job, size_t node, size_t head,
    const struct peft_back_room *r)
{
	const struct peft_run *run = job->run;
	const struct peft_node *n = &run->tree.nodes[node];
	struct peft_asked ask = peft_asked(run, job->layer, node);
	struct view w = view_of(job, node, head, &ask);
	struct peft_bunch q = { .asked = &ask, .window = job->window,
	    .node = n->first, .past = n->depth };

	for (; q.i0 < ask.n; q.i0 += PEFT_BLOCK) {
		q.m = ask.n - q.i0 < PEFT_BLOCK ? ask.n - q.i0 : PEFT_BLOCK;
		block(job, &w, &q, r);
	}
}
