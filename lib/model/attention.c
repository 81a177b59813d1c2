/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causal attention with grouped heads, forward.
 *
 * One task is a head of a node of the tree of sequences.  It takes PEFT_BLOCK
 * queries at a time against all keys up to the last of them, so that memory
 * is a strip of scores and never the square.  The keys and values of a node
 * below others are copied together first; sequences with a cache put theirs
 * behind what is in it and attend to all of it.
 */

#include <string.h>

#include "model/net-impl.h"

struct job {
	struct peft_run	*run;
	const float	*qkv;
	float		*out, *lse;
	size_t		 layer;
};

/* Keys or values of a kv head: where, and the row stride. */
struct strip {
	const float	*k, *v;
	size_t		 ld;
	size_t		 past;		/* tokens before the node's */
};

void
peft_attention_path(const struct peft_run *run, size_t node, const float *src,
    size_t ld, float *dst)
{
	size_t hd = run->net->config.head_dim, i;
	const struct peft_node *n;

	for (; node != SIZE_MAX; node = n->parent) {
		n = &run->tree.nodes[node];
		for (i = 0; i < n->n; i++)
			memcpy(dst + (n->depth + i) * hd,
			    src + (n->first + i) * ld, hd * sizeof(*dst));
	}
}

static struct strip
strip_of(const struct job *job, size_t node, size_t kvhead, float *copy)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	const struct peft_node *n = &run->tree.nodes[node];
	const struct peft_kv *kv = run->seqs[run->tree.order[n->lo]].kv;
	size_t q = c->heads * c->head_dim, dim = c->kv_heads * c->head_dim;
	size_t ld = q + 2 * dim, off = kvhead * c->head_dim;
	const float *k = job->qkv + q + off;
	float *v = copy + run->caps.seq * c->head_dim;

	if (kv != NULL) {
		k = kv->data + 2 * job->layer * kv->cap * dim + off;
		return (struct strip){ k, k + kv->cap * dim, dim, kv->len };
	}
	if (n->parent == SIZE_MAX) {
		k += n->first * ld;
		return (struct strip){ k, k + dim, ld, 0 };
	}
	peft_attention_path(run, node, k, ld, copy);
	peft_attention_path(run, node, k + dim, ld, v);
	return (struct strip){ copy, v, c->head_dim, n->depth };
}

/* Floats a thread: scores, and with training their gradients; keys and
 * values, and their gradients. */
size_t
peft_attention_scratch(const struct peft_run *run)
{
	size_t scores = PEFT_BLOCK * run->caps.seq;
	size_t copy = run->caps.seq * run->net->config.head_dim;

	if (run->caps.train)
		return 2 * scores + 4 * copy;
	return scores + (run->caps.share ? 2 * copy : 0);
}

/* Queries i0 .. i0+m of a node: s[m, keys] is scratch. */
static void
block(const struct job *job, const struct strip *kv, const float *q,
    size_t ldq, size_t i0, size_t m, float *s, float *out, size_t ldo,
    float *lse, size_t ldl)
{
	const struct peft_run *run = job->run;
	size_t hd = run->net->config.head_dim;
	size_t keys = kv->past + i0 + m, i, seen;
	float scale = (float)(1 / __builtin_sqrt((double)hd));

	peft_gemm1(run->net->cpu, PEFT_N, PEFT_T, m, keys, hd, scale,
	    q + i0 * ldq, ldq, kv->k, kv->ld, 0, s, keys);
	for (i = 0; i < m; i++) {
		seen = kv->past + i0 + i + 1;
		lse[(i0 + i) * ldl] = run->vec->softmax(s + i * keys, seen);
		memset(s + i * keys + seen, 0, (keys - seen) * sizeof(*s));
	}
	peft_gemm1(run->net->cpu, PEFT_N, PEFT_N, m, hd, keys, 1, s, keys,
	    kv->v, kv->ld, 0, out + i0 * ldo, ldo);
}

static void
head_task(void *ctx, size_t task, int thread)
{
	const struct job *job = ctx;
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	size_t node = task / c->heads, head = task % c->heads;
	size_t q = c->heads * c->head_dim;
	size_t ld = q + 2 * c->kv_heads * c->head_dim;
	size_t first = run->tree.nodes[node].first, n, i;
	float *s = run->attention + (size_t)thread * run->attention_stride;
	struct strip kv = strip_of(job, node, head / (c->heads / c->kv_heads),
	    s + PEFT_BLOCK * run->caps.seq);

	n = run->tree.nodes[node].n;
	for (i = 0; i < n; i += PEFT_BLOCK)
		block(job, &kv, job->qkv + first * ld + head * c->head_dim, ld,
		    i, n - i < PEFT_BLOCK ? n - i : PEFT_BLOCK, s,
		    job->out + first * q + head * c->head_dim, q,
		    job->lse + first * c->heads + head, c->heads);
}

/* Append a node's keys and values to the cache of its sequence. */
static void
fill_cache(struct peft_run *run, const struct peft_node *node, size_t layer,
    const float *qkv)
{
	struct peft_kv *kv = run->seqs[run->tree.order[node->lo]].kv;
	size_t q = run->net->config.heads * run->net->config.head_dim, t, ld;
	const float *row;
	float *k;

	if (kv == NULL)
		return;
	ld = q + 2 * kv->dim;
	row = qkv + node->first * ld + q;
	k = kv->data + (2 * layer * kv->cap + kv->len) * kv->dim;
	for (t = 0; t < node->n; t++, k += kv->dim, row += ld) {
		memcpy(k, row, kv->dim * sizeof(*k));
		memcpy(k + kv->cap * kv->dim, row + kv->dim,
		    kv->dim * sizeof(*k));
	}
}

void
peft_attention(struct peft_run *run, size_t layer, const float *qkv,
    float *out, float *lse)
{
	struct job job = { run, qkv, out, lse, layer };
	size_t i;

	for (i = 0; i < run->tree.n; i++)
		fill_cache(run, &run->tree.nodes[i], layer, qkv);
	peft_cpu_run(run->net->cpu, run->tree.n * run->net->config.heads,
	    head_task, &job);
}
