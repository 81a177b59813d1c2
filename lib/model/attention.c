/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causal attention with grouped heads, forward.
 *
 * One task is a head of a node of the tree of sequences, or of some small ones
 * that lie side by side there.  Its queries meet tiles of keys, whose weights
 * are made relative to the largest score so far (Milakov & Gimelshein 2018;
 * Dao et al. 2022): what was summed before is scaled when a larger one comes.
 * With the compute type bf16 both products are of bf16; scores, weights' sums
 * and what comes out are f32.  Sequences with a cache: attention-kv.c.  A sink
 * (Xiao et al. 2024; here a learnt score a head) takes its share of the
 * softmax and gives nothing.
 */

#include <math.h>
#include <string.h>

#include "model/attention-impl.h"

struct job {
	struct peft_run	*run;
	const float	*qkv;
	float		*out, *lse;
	size_t		 layer, window;
	struct peft_packer packer;
	const float	*sinks;			/* [heads] or NULL */
	size_t		 together;		/* heads of a task */
};

/* Scratch of a task. */
struct room {
	void	*k, *v;			/* packed: as columns, as rows */
	size_t	 ldv, ldo;
	float	*copy;			/* tokens, queries that lie apart */
	void	*q, *p;			/* left-hand sides */
	float	*s;			/* [PEFT_BLOCK, PEFT_SCORES] */
	float	*max, *sum;		/* [PEFT_BLOCK] */
	float	*out;			/* [PEFT_BLOCK, v_dim], of bf16 */
};

static struct room
room_of(const struct peft_run *run, struct peft_arena *a)
{
	const struct peft_config *c = &run->net->config;
	struct peft_packer e = peft_packer_of(run->net->cpu);
	size_t hd = peft_pack_up(c->head_dim), vd = peft_pack_up(c->v_dim);
	size_t seq = peft_pack_up(run->caps.seq);

	return (struct room){ .k = peft_arena_get(a, seq * hd, e.size),
		.v = peft_arena_get(a, seq * vd, e.size),
		.ldv = seq * PEFT_PANEL,
		.copy = peft_arena_get(a, PEFT_BLOCK * (hd > vd ? hd : vd),
		    sizeof(float)),
		.q = peft_arena_get(a, PEFT_BLOCK * hd, e.size),
		.p = peft_arena_get(a, PEFT_BLOCK * PEFT_KEYS, e.size),
		.s = peft_arena_get(a, PEFT_BLOCK * PEFT_SCORES,
		    sizeof(float)),
		.max = peft_arena_get(a, PEFT_BLOCK, sizeof(float)),
		.sum = peft_arena_get(a, PEFT_BLOCK, sizeof(float)),
		.out = peft_arena_get(a, PEFT_BLOCK * c->v_dim, sizeof(float)),
		.ldo = e.bf16 != NULL ? c->v_dim : c->heads * c->v_dim,
	};
}

/* One query head of a node: q of its first token; out and lse of the first
 * that is asked for. */
struct view {
	const float	*q;
	float		*out, *lse;
	size_t		 ldo, ldl, head;
};

/* The scores of a half become weights; what was summed before is scaled. */
static void
weigh(const struct job *job, const struct view *w,
    const struct peft_bunch *q, const struct peft_tile_of_keys *t,
    const struct peft_half *h, const struct room *r)
{
	const struct peft_run *run = job->run;
	float *s = r->s + h->first * PEFT_SCORES, scale = 1, f[PEFT_BLOCK];
	struct peft_seen seen;
	size_t i, j;

	for (i = 0; i < h->m; i++) {
		float *row = s + i * PEFT_SCORES;

		if (peft_tile_seen(q, t, h->first + i, &seen))
			scale = peft_tile_mask(run, w->head, row, h->n, &seen);
		else
			for (j = 0; j < h->n; j++)
				row[j] = -INFINITY;
	}
	run->vec->softmax_part(s, PEFT_SCORES, h->m, h->n, scale, r->max +
	    h->first, r->sum + h->first, f);
	for (i = 0; i < h->m && !t->begins; i++)
		if (f[i] != 1)
			run->vec->scale(r->out + (h->first + i) * r->ldo,
			    f[i], run->net->config.v_dim);
}

/* Rows of a half with a tile of keys. */
static void
meet(const struct job *job, const struct view *w, const struct peft_bunch *q,
    const struct peft_tile_of_keys *t, const struct peft_half *h,
    const void *left, size_t ldq, const struct room *r)
{
	const struct peft_config *c = &job->run->net->config;
	const struct peft_packer *e = &job->packer;
	float *s = r->s + h->first * PEFT_SCORES;
	struct peft_block scores = { .m = h->m, .n = h->n, .k = c->head_dim,
	    .a = peft_pack_at(e, left, h->first * ldq), .lda = ldq,
	    .b = peft_pack_at(e, r->k, t->k0 * peft_pack_up(c->head_dim)),
	    .ldb = PEFT_PANEL * peft_pack_up(c->head_dim), .c = s,
	    .ldc = PEFT_SCORES, .slack = true };
	struct peft_block values = { .m = h->m, .n = c->v_dim, .k = h->n,
	    .lda = PEFT_SCORES, .b = peft_pack_at(e, r->v, t->k0 * PEFT_PANEL),
	    .ldb = r->ldv, .c = r->out + h->first * r->ldo,
	    .ldc = r->ldo, .add = !t->begins, .slack = r->ldo == c->v_dim };

	peft_pack_multiply(e, &scores);
	weigh(job, w, q, t, h, r);
	values.a = peft_pack_left(e, s, h->m, h->n, r->p, &values.lda);
	peft_pack_multiply(e, &values);
}

/* Sums of values, made where they are to be, or brought there. */
static void
finish(const struct job *job, const struct view *w,
    const struct peft_bunch *q, const struct room *r)
{
	size_t n = job->run->net->config.v_dim, i;

	for (i = 0; i < q->m; i++) {
		float *out = w->out + (q->i0 + i) * w->ldo;

		if (r->ldo == n)
			memcpy(out, r->out + i * n, n * sizeof(*out));
		job->run->vec->scale(out, 1 / r->sum[i], n);
		w->lse[(q->i0 + i) * w->ldl] = r->max[i] + logf(r->sum[i]);
	}
}

static void
block(const struct job *job, const struct view *w,
    const struct peft_bunch *q, struct room *r)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	struct peft_tile_of_keys t = { 0 };
	size_t ldq = run->net->at.ld, i;
	const float *rows = peft_bunch_rows(q, w->q, &ldq, r->copy,
	    c->head_dim);
	const void *left = peft_pack_left(&job->packer, rows, q->m,
	    c->head_dim, r->q, &ldq);

	for (i = 0; i < q->m; i++) {	/* a sink is there before all keys */
		r->max[i] = job->sinks == NULL ? -INFINITY :
		    job->sinks[w->head];
		r->sum[i] = job->sinks == NULL ? 0 : 1;
	}
	if (r->ldo != c->v_dim)
		r->out = w->out + q->i0 * w->ldo;
	while (peft_tile_next(q, &t))
		for (i = 0; i < t.halves; i++)
			meet(job, w, q, &t, &t.half[i], left, ldq, r);
	finish(job, w, q, r);
}

/* Pack a node's keys and values behind those that are there already. */
static void
pack(const struct job *job, size_t node, size_t head, size_t from,
    const struct room *r)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	size_t kvhead = head / (c->heads / c->kv_heads);
	struct peft_packing keys = { .n = c->head_dim, .lds = at->ld,
	    .src = job->qkv + at->k + kvhead * at->kstep, .rows = r->k,
	    .copy = r->copy, .from = from };
	struct peft_packing values = { .n = c->v_dim, .lds = at->ld,
	    .src = job->qkv + at->v + kvhead * at->vstep, .cols = r->v,
	    .ldc = r->ldv, .copy = r->copy, .from = from };

	peft_attention_pack(run, node, &job->packer, &keys);
	peft_attention_pack(run, node, &job->packer, &values);
}

/* A head's place in a node. */
static struct view
view_of(const struct job *job, size_t node, size_t head,
    const struct peft_asked *ask)
{
	const struct peft_config *c = &job->run->net->config;
	const struct peft_heads_at *at = &job->run->net->at;
	const struct peft_node *n = &job->run->tree.nodes[node];
	size_t rep = c->heads / c->kv_heads, o = c->heads * c->v_dim;

	return (struct view){ .ldo = o, .ldl = c->heads, .head = head,
	    .q = job->qkv + n->first * at->ld + head / rep * at->group +
	    head % rep * at->q,
	    .out = job->out + ask->first * o + head * c->v_dim,
	    .lse = job->lse + ask->first * c->heads + head };
}

/* All that are asked for of a node's queries, against the keys of it and of
 * what is above. */
static void
node_head(const struct job *job, size_t node, size_t head,
    const struct peft_asked *ask, struct room *r)
{
	struct view w = view_of(job, node, head, ask);
	struct peft_bunch q = { .asked = ask, .window = job->window,
	    .node = job->run->tree.nodes[node].first,
	    .past = job->run->tree.nodes[node].depth };

	for (; q.i0 < ask->n; q.i0 += PEFT_BLOCK) {
		q.m = ask->n - q.i0 < PEFT_BLOCK ? ask->n - q.i0 : PEFT_BLOCK;
		block(job, &w, &q, r);
	}
}

/* Nodes of a tree that begin within so many tokens are one task, which is
 * told by the first of them. */
static bool
begins(const struct peft_tree *tree, size_t i)
{
	enum { TOKENS = 2 * PEFT_BLOCK };
	const struct peft_node *n = &tree->nodes[i];

	return n->parent == SIZE_MAX || n->first / TOKENS != n[-1].first /
	    TOKENS;
}

/* Heads that share keys and values, from `head' on.  What is packed of those
 * above a node stays for the next. */
static void
nodes_heads(const struct job *job, size_t node, size_t head, int thread)
{
	const struct peft_run *run = job->run;
	const struct peft_tree *tree = &run->tree;
	struct peft_arena a = peft_attention_arena(run, thread);
	struct room r = room_of(run, &a);
	struct peft_asked ask;
	size_t from = 0, i;

	do {
		from = peft_least(from, tree->nodes[node].depth);
		ask = peft_asked(run, job->layer, node);
		if (ask.n == 0)
			continue;
		pack(job, node, head, from, &r);
		for (i = 0; i < job->together; i++)
			node_head(job, node, head + i, &ask, &r);
		from = SIZE_MAX;
	} while (++node < tree->n && !begins(tree, node));
}

static void
head_task(void *ctx, size_t task, int thread)
{
	const struct job *job = ctx;
	const struct peft_run *run = job->run;
	const struct peft_tree *tree = &run->tree;
	size_t tasks = run->net->config.heads / job->together, i;
	size_t node = task / tasks, head = task % tasks * job->together;
	struct peft_asked ask;

	if (!begins(tree, node))
		return;
	if (run->seqs[tree->order[tree->nodes[node].lo]].kv == NULL) {
		nodes_heads(job, node, head, thread);
		return;
	}
	ask = peft_asked(run, job->layer, node);
	for (i = 0; ask.n > 0 && i < job->together; i++)
		peft_attention_kv(run, &tree->nodes[node], job->layer,
		    head + i, &ask, job->qkv, job->out, job->lse,
		    run->attention + (size_t)thread * run->attention_stride);
}

/* Floats of one task, whichever it is. */
size_t
peft_attention_scratch(const struct peft_run *run)
{
	struct peft_arena a = { 0 };
	size_t most, cached = peft_attention_kv_scratch(run) * sizeof(float);

	(void)room_of(run, &a);
	most = a.used;
	if (run->caps.train) {
		a.used = 0;
		peft_attention_back_room(run, &a);
		most = most > a.used ? most : a.used;
	}
	return (most > cached ? most : cached) / sizeof(float);
}

struct peft_arena
peft_attention_arena(const struct peft_run *run, int thread)
{
	size_t n = run->attention_stride;

	return (struct peft_arena){ .base = (char *)(run->attention +
	    (size_t)thread * n), .size = n * sizeof(float) };
}

/* The keys and values of a node go to its cache. */
static void
fill_task(void *ctx, size_t node, int thread)
{
	const struct job *job = ctx;
	struct peft_run *run = job->run;

	peft_attention_fill(run, &run->tree.nodes[node], job->layer, job->qkv,
	    run->attention + (size_t)thread * run->attention_stride);
}

static bool
is_cached(const struct peft_run *run)
{
	size_t i;

	for (i = 0; i < run->tree.n; i++)
		if (run->seqs[run->tree.order[run->tree.nodes[i].lo]].kv !=
		    NULL)
			return true;
	return false;
}

void
peft_attention(struct peft_run *run, size_t layer, const float *qkv,
    float *out, float *lse)
{
	struct job job = { run, qkv, out, lse, layer,
	    peft_config_window(&run->net->config, layer),
	    peft_packer_of(run->net->cpu), run->net->layers[layer].sinks, 1 };
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	size_t begin, i;

	for (begin = i = 0; i < run->tree.n; i++)
		begin += begins(&run->tree, i);
	if (is_cached(run))
		peft_cpu_run(run->net->cpu, run->tree.n, fill_task, &job);
	else if (job.packer.bf16 == NULL)
		job.together = peft_heads_together(run, begin);
	peft_cpu_run(run->net->cpu, run->tree.n * run->net->config.heads /
	    job.together, head_task, &job);
	if (peft_is_kept(run, layer)) {	/* of padding come zeros */
		const struct peft_kept *k = &run->kept;
		size_t n = run->net->config.heads * run->net->config.v_dim;

		memset(out + k->n * n, 0, (k->padded - k->n) * n *
		    sizeof(*out));
	}
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ATTENTION, 0,
	    peft_attention_work(run, layer));
}
