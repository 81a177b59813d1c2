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

enum { SUMMED = 16 };		/* tokens of a task that sums over heads */

struct job {
	struct peft_run		*run;
	const struct peft_saved	*s;
	const float		*dout;
	float			*dqkv;
};

/* A query head of a node; strides: ld for q and dq, lo for out and dout, lk
 * for the rest. */
struct view {
	const float	*q, *k, *v, *out, *dout, *lse;
	float		*dq, *dk, *dv;
	size_t		 ld, lo, lk, heads;
	size_t		 past;		/* tokens before the node */
};

/* Where a head's gradients of token t's key and value lie, side by side. */
static float *
dkv_of(const struct peft_run *run, size_t t, size_t head)
{
	const struct peft_config *c = &run->net->config;

	return run->dkv + (t * c->heads + head) * 2 * c->head_dim;
}

/* p[m, keys] from scores and log-sums; then dp becomes the gradient of the
 * scores: ds = p (dp - sum(dout out)). */
static void
scores_back(const struct peft_run *run, const struct view *w, size_t i0,
    size_t m, float *p, float *dp)
{
	size_t keys = w->past + i0 + m, i, hd = run->net->config.head_dim;

	for (i = 0; i < m; i++) {
		size_t at = i0 + i, seen = w->past + at + 1;
		float d = run->vec->dot(w->dout + at * w->lo,
		    w->out + at * w->lo, hd);

		run->vec->expsub(p + i * keys, w->lse[at * w->heads], seen);
		run->vec->softmax_back(dp + i * keys, p + i * keys, d, seen);
		memset(p + i * keys + seen, 0, (keys - seen) * sizeof(*p));
		memset(dp + i * keys + seen, 0, (keys - seen) * sizeof(*p));
	}
}

/* Queries i0 .. i0+m; p and dp are scratch of m x keys. */
static void
block(const struct peft_run *run, const struct view *w, size_t i0, size_t m,
    float *p, float *dp)
{
	const struct peft_cpu *cpu = run->net->cpu;
	size_t keys = w->past + i0 + m, hd = run->net->config.head_dim;
	const float *q = w->q + i0 * w->ld, *dout = w->dout + i0 * w->lo;
	float scale = (float)(1 / __builtin_sqrt((double)hd));

	peft_gemm1(cpu, PEFT_N, PEFT_T, m, keys, hd, scale, q, w->ld, w->k,
	    w->lk, 0, p, keys);
	peft_gemm1(cpu, PEFT_N, PEFT_T, m, keys, hd, 1, dout, w->lo, w->v,
	    w->lk, 0, dp, keys);
	scores_back(run, w, i0, m, p, dp);
	peft_gemm1(cpu, PEFT_N, PEFT_N, m, hd, keys, scale, dp, keys, w->k,
	    w->lk, 0, w->dq + i0 * w->ld, w->ld);
	peft_gemm1(cpu, PEFT_T, PEFT_N, keys, hd, m, scale, dp, keys, q,
	    w->ld, 1, w->dk, hd);
	peft_gemm1(cpu, PEFT_T, PEFT_N, keys, hd, m, 1, p, keys, dout, w->lo,
	    1, w->dv, hd);
}

/* Add the gradients [depth + n, head_dim] of a node and all above it to
 * their places, `at' of which is 0 for keys, head_dim for values. */
static void
spread(const struct peft_run *run, size_t node, size_t head, size_t at,
    const float *src)
{
	size_t hd = run->net->config.head_dim, i;
	const struct peft_node *n;

	for (; node != SIZE_MAX; node = n->parent) {
		n = &run->tree.nodes[node];
		for (i = 0; i < n->n; i++)
			run->vec->add(dkv_of(run, n->first + i, head) + at,
			    src + (n->depth + i) * hd, hd);
	}
}

/* copy: keys, values and their gradients, [caps.seq, head_dim] each. */
static void
node_back(const struct job *job, size_t node, size_t head, float *p,
    float *dp, float *copy)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	const struct peft_node *n = &run->tree.nodes[node];
	size_t hd = c->head_dim, q = c->heads * hd, kv = c->kv_heads * hd;
	size_t ld = q + 2 * kv, all = (n->depth + n->n) * hd, i;
	size_t part = run->caps.seq * hd;
	const float *k = job->s->qkv + q + head / (c->heads / c->kv_heads) * hd;
	struct view w = { .ld = ld, .lo = q, .lk = hd, .heads = c->heads,
	    .q = job->s->qkv + n->first * ld + head * hd,
	    .dq = job->dqkv + n->first * ld + head * hd,
	    .out = job->s->attn + n->first * q + head * hd,
	    .dout = job->dout + n->first * q + head * hd,
	    .lse = job->s->lse + n->first * c->heads + head, .k = copy,
	    .v = copy + part, .dk = copy + 2 * part, .dv = copy + 3 * part,
	    .past = n->depth };

	peft_attention_path(run, node, k, ld, copy);
	peft_attention_path(run, node, k + kv, ld, copy + part);
	memset(w.dk, 0, all * sizeof(float));
	memset(w.dv, 0, all * sizeof(float));
	for (i = 0; i < n->n; i += PEFT_BLOCK)
		block(run, &w, i, n->n - i < PEFT_BLOCK ? n->n - i :
		    PEFT_BLOCK, p, dp);
	spread(run, node, head, 0, w.dk);
	spread(run, node, head, hd, w.dv);
}

/* The root'th tree: its nodes follow each other. */
static size_t
find_root(const struct peft_tree *t, size_t root)
{
	size_t i;

	for (i = 0;; i++)
		if (t->nodes[i].parent == SIZE_MAX && root-- == 0)
			return i;
}

static void
head_task(void *ctx, size_t task, int thread)
{
	const struct job *job = ctx;
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	const struct peft_tree *tree = &run->tree;
	size_t head = task % c->heads, node, t;
	float *p = run->attention + (size_t)thread * run->attention_stride;
	float *dp = p + PEFT_BLOCK * run->caps.seq;

	node = find_root(tree, task / c->heads);
	do {
		const struct peft_node *n = &tree->nodes[node];

		for (t = n->first; t < n->first + n->n; t++)
			memset(dkv_of(run, t, head), 0, 2 * c->head_dim *
			    sizeof(float));
		node_back(job, node, head, p, dp, dp + PEFT_BLOCK *
		    run->caps.seq);
	} while (++node < tree->n && tree->nodes[node].parent != SIZE_MAX);
}

/* The sums of a token over the heads of a group, in their order. */
static void
sum_heads(const struct job *job, size_t t)
{
	const struct peft_config *c = &job->run->net->config;
	size_t hd = c->head_dim, kv = c->kv_heads * hd, head;
	float *dk = job->dqkv + t * (c->heads * hd + 2 * kv) + c->heads * hd;

	memset(dk, 0, 2 * kv * sizeof(*dk));
	for (head = 0; head < c->heads; head++) {
		const float *d = dkv_of(job->run, t, head);
		size_t at = head / (c->heads / c->kv_heads) * hd;

		job->run->vec->add(dk + at, d, hd);
		job->run->vec->add(dk + kv + at, d + hd, hd);
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
peft_attention_back(struct peft_run *run, const struct peft_saved *s,
    const float *dout, float *dqkv)
{
	struct job job = { run, s, dout, dqkv };

	peft_cpu_run(run->net->cpu, run->tree.roots * run->net->config.heads,
	    head_task, &job);
	peft_cpu_run(run->net->cpu, (run->T + SUMMED - 1) / SUMMED, sum_task,
	    &job);
}
