/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causal attention with grouped heads, forward.
 *
 * One task is a head of a node of the tree of sequences.  It takes PEFT_BLOCK
 * queries at a time against all keys up to the last of them (with a window:
 * from the first that the first of them sees), so that memory is a strip of
 * scores and never the square.  The keys and values of a node below others
 * are copied together first.  Sequences with a cache: attention-kv.c.
 */

#include <math.h>
#include <string.h>

#include "model/net-impl.h"

struct job {
	struct peft_run	*run;
	const float	*qkv;
	float		*out, *lse;
	size_t		 layer, window;
};

/* Keys and values of a kv head: where, and the row strides. */
struct strip {
	const float	*k, *v;
	size_t		 ldk, ldv;
	size_t		 past;		/* tokens before the node's */
};

void
peft_attention_path(const struct peft_run *run, size_t node, const float *src,
    size_t ld, float *dst, size_t n)
{
	const struct peft_node *at;
	size_t i;

	for (; node != SIZE_MAX; node = at->parent) {
		at = &run->tree.nodes[node];
		for (i = 0; i < at->n; i++)
			memcpy(dst + (at->depth + i) * n,
			    src + (at->first + i) * ld, n * sizeof(*dst));
	}
}

/* Floats a thread: queries that lie apart, scores, and with training their
 * gradients; keys and values, and their gradients. */
size_t
peft_attention_scratch(const struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	size_t scores = PEFT_BLOCK * run->caps.seq;
	size_t copy = run->caps.seq * (c->head_dim + c->v_dim);
	size_t queries = PEFT_BLOCK * c->head_dim;

	if (run->caps.train)
		return 2 * (queries + scores + copy);
	return queries + scores + (run->caps.share ? copy : 0);
}

static struct strip
strip_of(const struct job *job, size_t node, size_t kvhead, float *copy)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	const struct peft_node *n = &run->tree.nodes[node];
	const float *k = job->qkv + at->k + kvhead * at->kstep;
	const float *v = job->qkv + at->v + kvhead * at->vstep;
	float *vcopy = copy + run->caps.seq * c->head_dim;

	if (n->parent == SIZE_MAX)
		return (struct strip){ k + n->first * at->ld,
		    v + n->first * at->ld, at->ld, at->ld, 0 };
	peft_attention_path(run, node, k, at->ld, copy, c->head_dim);
	peft_attention_path(run, node, v, at->ld, vcopy, c->v_dim);
	return (struct strip){ copy, vcopy, c->head_dim, c->v_dim, n->depth };
}

/* The slopes for n heads, n a power of two, are 2^(-max i / n); for others
 * those of the next power of two, every second one first (as MPT and BLOOM
 * have it). */
void
peft_slopes(const struct peft_config *c, float *slope)
{
	size_t n = 1, h, i;

	while (n < c->heads)
		n *= 2;
	for (h = 0; h < c->heads; h++) {
		i = n == c->heads ? h + 1 : h < n / 2 ? 2 * (h + 1) :
		    2 * (h - n / 2) + 1;
		slope[h] = (float)(c->t.alibi_scale * exp2(-c->t.alibi *
		    (double)i / (double)n));
	}
}

void
peft_scores(const struct peft_run *run, size_t head, float *s, size_t seen)
{
	const struct peft_net *net = run->net;
	float cap = (float)net->config.t.attn_cap;
	size_t j;

	if (cap > 0)
		peft_cap_row(run->vec, s, seen, cap);
	for (j = 0; net->slopes != NULL && j < seen; j++)
		s[j] -= net->slopes[head] * (float)(seen - 1 - j);
}

/* One query head of a node: q of its first token; out and lse of the first
 * that is asked for. */
struct view {
	const float	*q;
	float		*out, *lse;
	size_t		 ldo, ldl, head;
	size_t		 node;		/* its first token */
	struct peft_asked asked;
};

size_t
peft_asked_at(const struct peft_asked *a, size_t node, size_t i)
{
	return a->token == NULL ? i : a->token[i] - node;
}

const float *
peft_asked_rows(const struct peft_asked *a, size_t node, size_t i0, size_t m,
    const float *src, size_t *ld, float *copy, size_t n)
{
	size_t i;

	if (a->token == NULL)
		return src + i0 * *ld;
	for (i = 0; i < m; i++)
		memcpy(copy + i * n, src + (a->token[i0 + i] - node) * *ld,
		    n * sizeof(*copy));
	*ld = n;
	return copy;
}

/* Queries i0 .. i0+m of those asked for: room for m of them, and behind that
 * s[m, keys], are scratch. */
static void
block(const struct job *job, const struct strip *kv, const struct view *w,
    size_t i0, size_t m, float *room)
{
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	size_t at = kv->past + peft_asked_at(&w->asked, w->node, i0) + 1, i;
	size_t last = kv->past + peft_asked_at(&w->asked, w->node, i0 + m -
	    1) + 1, lo = at > job->window ? at - job->window : 0;
	size_t ldq = run->net->at.ld, keys = last - lo;
	const float *q = peft_asked_rows(&w->asked, w->node, i0, m, w->q,
	    &ldq, room, c->head_dim);
	float *s = room + PEFT_BLOCK * c->head_dim;

	peft_gemm1(run->net->cpu, PEFT_N, PEFT_T, m, keys, c->head_dim,
	    (float)c->t.attn_scale, q, ldq, kv->k + lo * kv->ldk, kv->ldk, 0,
	    s, keys);
	for (i = 0; i < m; i++) {
		size_t end = kv->past + peft_asked_at(&w->asked, w->node,
		    i0 + i) + 1 - lo;
		size_t from = end > job->window ? end - job->window : 0;
		float *row = s + i * keys;

		peft_scores(run, w->head, row + from, end - from);
		w->lse[(i0 + i) * w->ldl] = run->vec->softmax(row + from,
		    end - from);
		memset(row, 0, from * sizeof(*s));
		memset(row + end, 0, (keys - end) * sizeof(*s));
	}
	peft_gemm1(run->net->cpu, PEFT_N, PEFT_N, m, c->v_dim, keys, 1, s,
	    keys, kv->v + lo * kv->ldv, kv->ldv, 0, w->out + i0 * w->ldo,
	    w->ldo);
}

static void
head_task(void *ctx, size_t task, int thread)
{
	const struct job *job = ctx;
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	size_t node = task / c->heads, head = task % c->heads;
	size_t rep = c->heads / c->kv_heads, o = c->heads * c->v_dim;
	size_t first = run->tree.nodes[node].first, i;
	float *s = run->attention + (size_t)thread * run->attention_stride;
	struct peft_asked ask = peft_asked(run, job->layer, node);
	struct view w = { .ldo = o, .ldl = c->heads, .head = head,
	    .q = job->qkv + first * at->ld + head / rep * at->group +
	    head % rep * at->q,
	    .out = job->out + ask.first * o + head * c->v_dim,
	    .lse = job->lse + ask.first * c->heads + head,
	    .node = first, .asked = ask };
	struct strip kv;

	if (ask.n == 0)
		return;
	if (run->seqs[run->tree.order[run->tree.nodes[node].lo]].kv != NULL) {
		peft_attention_kv(run, &run->tree.nodes[node], job->layer,
		    head, &ask, job->qkv, job->out, job->lse, s);
		return;
	}
	kv = strip_of(job, node, head / rep, s + PEFT_BLOCK *
	    (c->head_dim + run->caps.seq));
	for (i = 0; i < ask.n; i += PEFT_BLOCK)
		block(job, &kv, &w, i, ask.n - i < PEFT_BLOCK ? ask.n - i :
		    PEFT_BLOCK, s);
}

/* Queries by the keys they see, twice: scores, and sums of values. */
double
peft_attention_work(const struct peft_run *run, size_t layer)
{
	const struct peft_config *c = &run->net->config;
	size_t window = peft_config_window(c, layer), node, i, seen;
	double pairs = 0;

	if (!peft_profile_on(run->net->cpu))
		return 0;
	for (node = 0; node < run->tree.n; node++) {
		const struct peft_node *n = &run->tree.nodes[node];
		const struct peft_kv *kv = run->seqs[run->tree.order[n->lo]].kv;
		struct peft_asked ask = peft_asked(run, layer, node);

		for (i = 0; i < ask.n; i++) {
			seen = peft_asked_at(&ask, n->first, i) + 1 +
			    n->depth + (kv == NULL ? 0 : kv->len);
			pairs += (double)(seen < window ? seen : window);
		}
	}
	return 2 * pairs * (double)(c->heads * (c->head_dim + c->v_dim));
}

void
peft_attention(struct peft_run *run, size_t layer, const float *qkv,
    float *out, float *lse)
{
	struct job job = { run, qkv, out, lse, layer,
	    peft_config_window(&run->net->config, layer) };
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	size_t i;

	for (i = 0; i < run->tree.n; i++)
		peft_attention_fill(run, &run->tree.nodes[i], layer, qkv);
	peft_cpu_run(run->net->cpu, run->tree.n * run->net->config.heads,
	    head_task, &job);
	if (peft_is_kept(run, layer)) {	/* of padding come zeros */
		const struct peft_kept *k = &run->kept;
		size_t n = run->net->config.heads * run->net->config.v_dim;

		memset(out + k->n * n, 0, (k->padded - k->n) * n *
		    sizeof(*out));
	}
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ATTENTION, 0,
	    peft_attention_work(run, layer));
}
