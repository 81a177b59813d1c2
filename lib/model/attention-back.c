/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causal attention, backward.
 *
 * One task is a query head of a tree of sequences, node by node: it alone
 * writes the gradients of its queries, and those of its keys and values into
 * an array of its own, which is summed over the heads that share them
 * afterwards.  Where there are many trees, it is all heads that share keys and
 * values, one after the other, whose gradients are summed as they come, in the
 * same order.  The weights p are computed again from the scores and the saved
 * log-sums (Dao et al. 2022, section 3), tile by tile as forward did.
 */

#include <string.h>

#include "model/attention-impl.h"

struct job {
	struct peft_run		*run;
	const struct peft_saved	*s;
	const float		*dout;
	float			*dqkv;
	size_t			 layer, window;
	struct peft_packer	 packer;
	size_t			 together;	/* heads of a task */
};

/* A query head of a node; strides: ld for q and dq, lo for out and dout.
 * out, dout and lse begin with the first query that is asked for. */
struct view {
	const float	*q, *out, *dout, *lse;
	float		*dq;
	size_t		 ld, lo, heads, head;
};

/* Scratch of a task. */
struct room {
	void	*k, *kcols, *v;		/* packed */
	struct peft_keys_sum dk, dv;
	size_t	 ldcols;
	float	*copy;			/* tokens, what is turned */
	float	*apart;			/* queries that lie apart */
	float	*dq;			/* [PEFT_BLOCK, head_dim], of bf16 or
					 * if they lie apart */
	size_t	 lddq;
	float	*p, *dp;		/* [PEFT_BLOCK, PEFT_SCORES] */
	void	*left, *packed;		/* of them */
	void	*q, *dout;		/* left-hand sides [PEFT_BLOCK, ..] */
	void	*qt, *doutt;		/* [.., PEFT_BLOCK] */
	float	*d;			/* [PEFT_BLOCK] */
};

/* A block of queries as the products of a tile have it. */
struct block {
	struct peft_bunch	 rows;
	const void		*q, *dout;
	size_t			 ldq, lddout;
};

static struct room
room_of(const struct peft_run *run, struct peft_arena *a)
{
	const struct peft_config *c = &run->net->config;
	struct peft_packer e = peft_packer_of(run->net->cpu);
	size_t hd = peft_pack_up(c->head_dim), vd = peft_pack_up(c->v_dim);
	size_t seq = peft_pack_up(run->caps.seq), f = sizeof(float);
	size_t ld = seq + PEFT_ALIGN / f;	/* no power of two */
	bool turned = e.bf16 != NULL;

	return (struct room){ .ldcols = seq * PEFT_PANEL,
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
	(void)room_of(run, a);
}

/* Scores of row i to weights p, and dp, the gradient of the weights, to that
 * of the products of queries and keys: ds = p (dp - sum(dout out)), and less
 * where the scores are capped. */
static void
row_back(const struct job *job, const struct view *w,
    const struct peft_bunch *q, const struct peft_tile_of_keys *t, size_t i,
    size_t n, const struct room *r)
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
meet(const struct job *job, const struct view *w, const struct block *b,
    const struct peft_tile_of_keys *t, const struct peft_half *h,
    const struct room *r)
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
give(const struct job *job, struct peft_keys_part *part,
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
tile(const struct job *job, const struct view *w, const struct block *b,
    const struct peft_tile_of_keys *t, const struct room *r)
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
begin(const struct job *job, const struct view *w,
    const struct peft_bunch *q, const struct room *r)
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
block(const struct job *job, const struct view *w,
    const struct peft_bunch *q, const struct room *scratch)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	bool there = job->packer.bf16 == NULL && q->asked->token == NULL;
	struct room own = *scratch, *r = &own;
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
view_of(const struct job *job, size_t node, size_t head,
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

/* Pack a node's keys and values behind those above it, which are there, and
 * clear their gradients.  A root's stay for the next head. */
static void
enter(const struct job *job, size_t node, size_t head, bool again,
    const struct room *r)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	const struct peft_node *n = &run->tree.nodes[node];
	size_t g = head / (c->heads / c->kv_heads);
	size_t end = peft_pack_up(n->depth + n->n);
	struct peft_packing keys = { .n = c->head_dim, .lds = at->ld,
	    .src = job->s->qkv + at->k + g * at->kstep, .rows = r->k,
	    .cols = r->kcols, .ldc = r->ldcols, .copy = r->copy,
	    .from = n->depth };
	struct peft_packing values = { .n = c->v_dim, .lds = at->ld,
	    .src = job->s->qkv + at->v + g * at->vstep, .rows = r->v,
	    .copy = r->copy, .from = n->depth };

	if (!again || n->depth > 0) {
		peft_attention_pack(run, node, &job->packer, &keys);
		peft_attention_pack(run, node, &job->packer, &values);
	}
	peft_keys_clear(&r->dk, n->depth, end);
	peft_keys_clear(&r->dv, n->depth, end);
}

/* The queries of a node. */
static void
node_back(const struct job *job, size_t node, size_t head,
    const struct room *r)
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

/* Gradients of a node's keys and values, when all below it have theirs. */
static void
leave(const struct job *job, size_t node, size_t head, const struct room *r)
{
	if (job->together > 1) {
		peft_keys_sum_up(job->run, node, head, &r->dk, job->dqkv);
		peft_keys_sum_up(job->run, node, head, &r->dv, job->dqkv);
		return;
	}
	peft_keys_back(job->run, node, head, &r->dk, r->copy);
	peft_keys_back(job->run, node, head, &r->dv, r->copy);
}

/* A head of a tree from its root on, depth first, as its nodes lie: what is
 * packed and summed of a node stays while those below it pass. */
static void
tree_back(const struct job *job, size_t node, size_t head, bool again,
    const struct room *r)
{
	const struct peft_tree *tree = &job->run->tree;
	size_t next, left;

	do {
		enter(job, node, head, again, r);
		node_back(job, node, head, r);
		next = node + 1 < tree->n ? tree->nodes[node + 1].parent :
		    SIZE_MAX;
		for (left = node++; left != next;
		    left = tree->nodes[left].parent)
			leave(job, left, head, r);
	} while (next != SIZE_MAX);
}

static void
task(void *ctx, size_t i, int thread)
{
	const struct job *job = ctx;
	const struct peft_run *run = job->run;
	size_t tasks = run->net->config.heads / job->together, k;
	size_t node = i / tasks, head = i % tasks * job->together;
	struct peft_arena a = peft_attention_arena(run, thread);
	struct room r = room_of(run, &a);

	if (run->tree.nodes[node].parent != SIZE_MAX)
		return;
	for (k = 0; k < job->together; k++)
		tree_back(job, node, head + k, k > 0, &r);
}

void
peft_attention_back(struct peft_run *run, size_t layer,
    const struct peft_saved *s, const float *dout, float *dqkv)
{
	struct job job = { run, s, dout, dqkv, layer,
	    peft_config_window(&run->net->config, layer),
	    peft_packer_of(run->net->cpu), 1 };
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	size_t roots, i;

	for (roots = i = 0; i < run->tree.n; i++)
		roots += run->tree.nodes[i].parent == SIZE_MAX;
	if (job.packer.bf16 == NULL)
		job.together = peft_heads_together(run, roots);

	if (peft_is_kept(run, layer))	/* of other queries there are none */
		memset(dqkv, 0, run->T * run->net->at.ld * sizeof(*dqkv));
	peft_cpu_run(run->net->cpu, run->tree.n * run->net->config.heads /
	    job.together, task, &job);
	if (job.together == 1)
		peft_keys_back_sum(run, dqkv);
	/* five products for the two of forward */
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ATTENTION_BACK, 0,
	    2.5 * peft_attention_work(run, layer));
}
