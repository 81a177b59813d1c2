/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Causal attention, backward.
 *
 * One task is a kv head of a sequence with the query heads that share it, so
 * that it alone writes the gradients of its keys and values.  The weights p
 * are computed again from the scores and the saved log-sums (Dao et al.
 * 2022, section 3), strip by strip as forward did.
 */

#include <string.h>

#include "model/net-impl.h"

struct job {
	struct peft_run		*run;
	const struct peft_saved	*s;
	const float		*dout;
	float			*dqkv;
};

/* Pointers to one (sequence, query head); strides: ld for qkv and dqkv, lo
 * for out and dout. */
struct view {
	const float	*q, *k, *v, *out, *dout, *lse;
	float		*dq, *dk, *dv;
	size_t		 ld, lo, heads;
};

static struct view
view_of(const struct job *job, size_t seq, size_t head)
{
	const struct peft_config *c = &job->run->net->config;
	size_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
	size_t ld = q + 2 * kv, first = job->run->first[seq];
	size_t qo = first * ld + head * c->head_dim;
	size_t ko = first * ld + q +
	    head / (c->heads / c->kv_heads) * c->head_dim;
	size_t oo = first * q + head * c->head_dim;

	return (struct view){ .ld = ld, .lo = q, .heads = c->heads,
	    .q = job->s->qkv + qo, .k = job->s->qkv + ko,
	    .v = job->s->qkv + ko + kv, .out = job->s->attn + oo,
	    .dout = job->dout + oo,
	    .lse = job->s->lse + first * c->heads + head,
	    .dq = job->dqkv + qo, .dk = job->dqkv + ko,
	    .dv = job->dqkv + ko + kv };
}

/* p[m, keys] from scores and log-sums; then dp becomes the gradient of the
 * scores: ds = p (dp - sum(dout out)). */
static void
scores_back(const struct peft_run *run, const struct view *w, size_t i0,
    size_t m, float *p, float *dp)
{
	size_t keys = i0 + m, i, hd = run->net->config.head_dim;

	for (i = 0; i < m; i++) {
		size_t at = i0 + i, seen = at + 1;
		float d = run->vec->dot(w->dout + at * w->lo,
		    w->out + at * w->lo, hd);

		run->vec->expsub(p + i * keys, w->lse[at * w->heads], seen);
		run->vec->softmax_back(dp + i * keys, p + i * keys, d, seen);
		memset(p + i * keys + seen, 0, (keys - seen) * sizeof(*p));
		memset(dp + i * keys + seen, 0, (keys - seen) * sizeof(*p));
	}
}

/* Queries i0 .. i0+m; p and dp are scratch of m x (i0 + m). */
static void
block(const struct peft_run *run, const struct view *w, size_t i0, size_t m,
    float *p, float *dp)
{
	const struct peft_cpu *cpu = run->net->cpu;
	size_t keys = i0 + m, hd = run->net->config.head_dim;
	const float *q = w->q + i0 * w->ld, *dout = w->dout + i0 * w->lo;
	float scale = (float)(1 / __builtin_sqrt((double)hd));

	peft_gemm1(cpu, PEFT_N, PEFT_T, m, keys, hd, scale, q, w->ld, w->k,
	    w->ld, 0, p, keys);
	peft_gemm1(cpu, PEFT_N, PEFT_T, m, keys, hd, 1, dout, w->lo, w->v,
	    w->ld, 0, dp, keys);
	scores_back(run, w, i0, m, p, dp);
	peft_gemm1(cpu, PEFT_N, PEFT_N, m, hd, keys, scale, dp, keys, w->k,
	    w->ld, 0, w->dq + i0 * w->ld, w->ld);
	peft_gemm1(cpu, PEFT_T, PEFT_N, keys, hd, m, scale, dp, keys, q,
	    w->ld, 1, w->dk, w->ld);
	peft_gemm1(cpu, PEFT_T, PEFT_N, keys, hd, m, 1, p, keys, dout, w->lo,
	    1, w->dv, w->ld);
}

static void
clear(float *x, size_t ld, size_t rows, size_t n)
{
	for (; rows > 0; rows--, x += ld)
		memset(x, 0, n * sizeof(*x));
}

static void
group_task(void *ctx, size_t task, int thread)
{
	const struct job *job = ctx;
	const struct peft_run *run = job->run;
	const struct peft_config *c = &run->net->config;
	size_t seq = task / c->kv_heads, n = run->seqs[seq].n, h, i;
	size_t group = c->heads / c->kv_heads;
	size_t head = task % c->kv_heads * group;
	float *p = run->attention + (size_t)thread * run->attention_stride;
	float *dp = p + PEFT_BLOCK * run->caps.seq;
	struct view w = view_of(job, seq, head);

	clear(w.dk, w.ld, n, c->head_dim);
	clear(w.dv, w.ld, n, c->head_dim);
	for (h = head; h < head + group; h++) {
		w = view_of(job, seq, h);
		for (i = 0; i < n; i += PEFT_BLOCK)
			block(run, &w, i, n - i < PEFT_BLOCK ? n - i :
			    PEFT_BLOCK, p, dp);
	}
}

void
peft_attention_back(struct peft_run *run, const struct peft_saved *s,
    const float *dout, float *dqkv)
{
	struct job job = { run, s, dout, dqkv };

	peft_cpu_run(run->net->cpu, run->nseqs * run->net->config.kv_heads,
	    group_task, &job);
}
