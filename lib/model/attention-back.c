/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causal attention, backward.
 *
 * One task is a query head of a tree of sequences, node by node: it alone
 * writes the gradients of its queries, and those of its keys and values into
 * an array of its own, which is summed over the heads that share them
 * afterwards.  The weights p are computed again from the scores and the saved
 * log-sums (Dao et al. 2022, section 3), strip by strip as forward did.
 */

#include <string.h>

#include "model/net-impl.h"

struct job {
	struct peft_run		*run;
	const struct peft_saved	*s;
	const float		*dout;
	float			*dqkv;
	size_t			 layer, window;
};

/* A query head of a node; strides: ld for q and dq, lo for out and dout;
 * keys, values and their gradients have none between rows.  out, dout and
 * lse begin with the first query that is asked for. */
struct view {
	const float	*q, *k, *v, *out, *dout, *lse;
	float		*dq, *dk, *dv;
	size_t		 ld, lo, heads, head;
	size_t		 past;		/* tokens before the node */
	size_t		 node;		/* its first */
	struct peft_asked asked;
};

enum { SUMMED = 16 };		/* tokens of a task that sums over heads */

/* Where a head's gradients of token t's key and value lie, side by side. */
static float *
dkv_of(const struct peft_run *run, size_t t, size_t head)
{
	const struct peft_config *c = &run->net->config;

	return run->dkv + (t * c->heads + head) * (c->head_dim + c->v_dim);
}

/* Scores to weights p, and dp, the gradient of the weights, to that of the
 * products of queries and keys: ds = p (dp - sum(dout out)), and less where
 * the scores are capped. */
static void
row_back(const struct peft_run *run, const struct view *w, size_t at,
    float *p, float *dp, size_t seen)
{
	const struct peft_config *c = &run->net->config;
	float d = run->vec->dot(w->dout + at * w->lo, w->out + at * w->lo,
	    c->v_dim);
	float cap = (float)c->t.attn_cap, t;
	size_t j;

	peft_scores(run, w->head, p, seen);
	for (j = 0; cap > 0 && j < seen; j++) {
		t = p[j] / cap;
		dp[j] = (dp[j] - d) * (1 - t * t);
	}
	run->vec->expsub(p, w->lse[at * w->heads], seen);
	run->vec->softmax_back(dp, p, cap > 0 ? 0 : d, seen);
}

/* Where the i'th query asked for is in its sequence. */
static size_t
place(const struct view *w, size_t i)
{
	return w->past + peft_asked_at(&w->asked, w->node, i);
}

/* What is scratch of a task. */
struct room {
	float	*q, *dq;		/* of queries that lie apart */
	float	*p, *dp;		/* of as many queries x keys */
};

/* p and dp of queries i0 .. i0+m of those asked for, with keys lo ..
 * lo+keys. */
static void
weights(const struct job *job, const struct view *w, size_t i0, size_t m,
    size_t lo, size_t keys, const struct room *r)
{
	const struct peft_run *run = job->run;
	float *p = r->p, *dp = r->dp;
	size_t i;

	for (i = 0; i < m; i++) {
		size_t end = place(w, i0 + i) + 1 - lo, at = i * keys;
		size_t from = end > job->window ? end - job->window : 0;

		row_back(run, w, i0 + i, p + at + from, dp + at + from,
		    end - from);
		memset(p + at, 0, from * sizeof(*p));
		memset(dp + at, 0, from * sizeof(*p));
		memset(p + at + end, 0, (keys - end) * sizeof(*p));
		memset(dp + at + end, 0, (keys - end) * sizeof(*p));
	}
}

static void
block(const struct job *job, const struct view *w, size_t i0, size_t m,
    const struct room *r)
{
	const struct peft_cpu *cpu = job->run->net->cpu;
	const struct peft_config *c = &job->run->net->config;
	size_t at = place(w, i0) + 1, ldq = w->ld;
	size_t lo = at > job->window ? at - job->window : 0;
	size_t keys = place(w, i0 + m - 1) + 1 - lo, i;
	size_t hd = c->head_dim, vd = c->v_dim;
	const float *q = peft_asked_rows(&w->asked, w->node, i0, m, w->q,
	    &ldq, r->q, hd), *dout = w->dout + i0 * w->lo;
	const float *k = w->k + lo * hd, *v = w->v + lo * vd;
	float scale = (float)c->t.attn_scale;
	float *dq = q == r->q ? r->dq : w->dq + i0 * w->ld;

	peft_gemm1(cpu, PEFT_N, PEFT_T, m, keys, hd, scale, q, ldq, k, hd,
	    0, r->p, keys);
	peft_gemm1(cpu, PEFT_N, PEFT_T, m, keys, vd, 1, dout, w->lo, v, vd,
	    0, r->dp, keys);
	weights(job, w, i0, m, lo, keys, r);
	peft_gemm1(cpu, PEFT_N, PEFT_N, m, hd, keys, scale, r->dp, keys, k,
	    hd, 0, dq, ldq);
	peft_gemm1(cpu, PEFT_T, PEFT_N, keys, hd, m, scale, r->dp, keys, q,
	    ldq, 1, w->dk + lo * hd, hd);
	peft_gemm1(cpu, PEFT_T, PEFT_N, keys, vd, m, 1, r->p, keys, dout,
	    w->lo, 1, w->dv + lo * vd, vd);
	for (i = 0; dq == r->dq && i < m; i++)
		memcpy(w->dq + (place(w, i0 + i) - w->past) * w->ld,
		    dq + i * hd, hd * sizeof(*dq));
}

/* Add the gradients src[depth + n, width] of a node and all above it to their
 * places, `at' in those of a token. */
static void
spread(const struct peft_run *run, size_t node, size_t head, size_t at,
    const float *src, size_t width)
{
	const struct peft_node *n;
	size_t i;

	for (; node != SIZE_MAX; node = n->parent) {
		n = &run->tree.nodes[node];
		for (i = 0; i < n->n; i++)
			run->vec->add(dkv_of(run, n->first + i, head) + at,
			    src + (n->depth + i) * width, width);
	}
}

/* The head's place in a node; copy: keys, values and their gradients. */
static struct view
view_of(const struct job *job, size_t node, size_t head, float *copy)
{
	const struct peft_node *n = &job->run->tree.nodes[node];
	struct peft_asked ask = peft_asked(job->run, job->layer, node);
	const struct peft_config *c = &job->run->net->config;
	const struct peft_heads_at *at = &job->run->net->at;
	size_t o = c->heads * c->v_dim, oo = ask.first * o + head * c->v_dim;
	size_t rep = c->heads / c->kv_heads, seq = job->run->caps.seq;
	size_t qo = n->first * at->ld + head / rep * at->group +
	    head % rep * at->q;

	return (struct view){ .ld = at->ld, .lo = o, .heads = c->heads,
	    .head = head, .q = job->s->qkv + qo, .out = job->s->attn + oo,
	    .dout = job->dout + oo, .dq = job->dqkv + qo,
	    .lse = job->s->lse + ask.first * c->heads + head, .k = copy,
	    .v = copy + seq * c->head_dim,
	    .dk = copy + seq * (c->head_dim + c->v_dim),
	    .dv = copy + seq * (2 * c->head_dim + c->v_dim),
	    .past = n->depth, .node = n->first, .asked = ask };
}

static void
node_back(const struct job *job, size_t node, size_t head,
    const struct room *r, float *copy)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	const struct peft_node *n = &run->tree.nodes[node];
	size_t g = head / (c->heads / c->kv_heads), all = n->depth + n->n, i;
	struct view w = view_of(job, node, head, copy);

	if (w.asked.n == 0)
		return;
	peft_attention_path(run, node, job->s->qkv + at->k + g * at->kstep,
	    at->ld, copy, c->head_dim);
	peft_attention_path(run, node, job->s->qkv + at->v + g * at->vstep,
	    at->ld, copy + run->caps.seq * c->head_dim, c->v_dim);
	memset(w.dk, 0, all * c->head_dim * sizeof(float));
	memset(w.dv, 0, all * c->v_dim * sizeof(float));
	for (i = 0; i < w.asked.n; i += PEFT_BLOCK)
		block(job, &w, i, w.asked.n - i < PEFT_BLOCK ? w.asked.n - i :
		    PEFT_BLOCK, r);
	spread(run, node, head, 0, w.dk, c->head_dim);
	spread(run, node, head, c->head_dim, w.dv, c->v_dim);
}

/* A tree, from its root on: its nodes follow each other. */
static void
head_task(void *ctx, size_t task, int thread)
{
	const struct job *job = ctx;
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	const struct peft_tree *tree = &run->tree;
	size_t node = task / c->heads, head = task % c->heads, t;
	size_t queries = PEFT_BLOCK * c->head_dim;
	float *at = run->attention + (size_t)thread * run->attention_stride;
	struct room r = { at, at + queries, at + 2 * queries,
	    at + 2 * queries + PEFT_BLOCK * run->caps.seq };

	if (tree->nodes[node].parent != SIZE_MAX)
		return;
	do {
		const struct peft_node *n = &tree->nodes[node];

		for (t = n->first; t < n->first + n->n; t++)
			memset(dkv_of(run, t, head), 0, (c->head_dim +
			    c->v_dim) * sizeof(float));
		node_back(job, node, head, &r, r.dp + PEFT_BLOCK *
		    run->caps.seq);
	} while (++node < tree->n && tree->nodes[node].parent != SIZE_MAX);
}

/* The sums of a token over the heads of a group, in their order. */
static void
sum_heads(const struct job *job, size_t t)
{
	const struct peft_config *c = &job->run->net->config;
	const struct peft_heads_at *at = &job->run->net->at;
	float *row = job->dqkv + t * at->ld;
	size_t rep = c->heads / c->kv_heads, head;

	for (head = 0; head < c->heads; head++) {
		const float *d = dkv_of(job->run, t, head);
		float *dk = row + at->k + head / rep * at->kstep;
		float *dv = row + at->v + head / rep * at->vstep;

		if (head % rep == 0) {
			memset(dk, 0, c->head_dim * sizeof(*dk));
			memset(dv, 0, c->v_dim * sizeof(*dv));
		}
		job->run->vec->add(dk, d, c->head_dim);
		job->run->vec->add(dv, d + c->head_dim, c->v_dim);
	}
}

static void
sum_task(void *ctx, size_t task, int thread)
{
	const struct job *job = ctx;
	size_t t = task * SUMMED, end = t + SUMMED;

	(void)thread;
	for (; t < end && t < job->run->T; t++)
		sum_heads(job, t);
}

void
peft_attention_back(struct peft_run *run, size_t layer,
    const struct peft_saved *s, const float *dout, float *dqkv)
{
	struct job job = { run, s, dout, dqkv, layer,
	    peft_config_window(&run->net->config, layer) };
	struct peft_lap lap = peft_lap_begin(run->net->cpu);

	if (peft_is_kept(run, layer))	/* of other queries there are none */
		memset(dqkv, 0, run->T * run->net->at.ld * sizeof(*dqkv));
	peft_cpu_run(run->net->cpu, run->tree.n * run->net->config.heads,
	    head_task, &job);
	peft_cpu_run(run->net->cpu, (run->T + SUMMED - 1) / SUMMED, sum_task,
	    &job);
	/* five products for the two of forward */
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ATTENTION_BACK, 0,
	    2.5 * peft_attention_work(run, layer));
}
