/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causal attention with grouped heads, forward.
 *
 * One task is a head of a sequence.  It takes PEFT_BLOCK queries at a time
 * against all keys up to the last of them, so that memory is a strip of
 * scores and never the square.  Sequences with a cache put their keys and
 * values behind what is in it and attend to all of it.
 */

#include <string.h>

#include "model/net-impl.h"

struct job {
	struct peft_run	*run;
	const float	*qkv;
	float		*out, *lse;
	size_t		 layer;
};

/* Keys or values of a sequence's kv head: where, and the row stride. */
struct strip {
	const float	*k, *v;
	size_t		 ld;
	size_t		 past;		/* tokens before this micro-batch */
};

static struct strip
strip_of(const struct job *job, size_t seq, size_t kvhead)
{
	const struct peft_config *c = &job->run->net->config;
	const struct peft_kv *kv = job->run->seqs[seq].kv;
	size_t q = c->heads * c->head_dim, dim = c->kv_heads * c->head_dim;
	size_t ld = q + 2 * dim, off = kvhead * c->head_dim;
	const float *base = job->qkv + job->run->first[seq] * ld + q + off;

	if (kv == NULL)
		return (struct strip){ base, base + dim, ld, 0 };
	base = kv->data + 2 * job->layer * kv->cap * dim + off;
	return (struct strip){ base, base + kv->cap * dim, dim, kv->len };
}

/* Queries i0 .. i0+m of a sequence: s[m, keys] is scratch. */
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
	size_t seq = task / c->heads, head = task % c->heads;
	size_t q = c->heads * c->head_dim;
	size_t ld = q + 2 * c->kv_heads * c->head_dim;
	size_t first = run->first[seq], n = run->seqs[seq].n, i;
	struct strip kv = strip_of(job, seq, head / (c->heads / c->kv_heads));
	float *s = run->attention + (size_t)thread * run->attention_stride;

	for (i = 0; i < n; i += PEFT_BLOCK)
		block(job, &kv, job->qkv + first * ld + head * c->head_dim, ld,
		    i, n - i < PEFT_BLOCK ? n - i : PEFT_BLOCK, s,
		    job->out + first * q + head * c->head_dim, q,
		    job->lse + first * c->heads + head, c->heads);
}

/* Append the micro-batch's keys and values to a sequence's cache. */
static void
fill_cache(struct peft_run *run, size_t seq, size_t layer, const float *qkv)
{
	struct peft_kv *kv = run->seqs[seq].kv;
	size_t q = run->net->config.heads * run->net->config.head_dim, t;
	size_t ld = q + 2 * kv->dim;
	float *k = kv->data + (2 * layer * kv->cap + kv->len) * kv->dim;
	const float *row = qkv + run->first[seq] * ld + q;

	for (t = 0; t < run->seqs[seq].n; t++, k += kv->dim, row += ld) {
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

	for (i = 0; i < run->nseqs; i++)
		if (run->seqs[i].kv != NULL)
			fill_cache(run, i, layer, qkv);
	peft_cpu_run(run->net->cpu, run->nseqs * run->net->config.heads,
	    head_task, &job);
}
