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
	size_t			 window;
};

/* Pointers to one (sequence, query head); strides: ld for qkv and dqkv, lo
 * for out and dout. */
struct view {
	const float	*q, *k, *v, *out, *dout, *lse;
	float		*dq, *dk, *dv;
	size_t		 ld, lo, heads, head;
};

static struct view
view_of(const struct job *job, size_t seq, size_t head)
{
	const struct peft_config *c = &job->run->net->config;
	const struct peft_heads_at *at = &job->run->net->at;
	size_t first = job->run->first[seq], o = c->heads * c->v_dim;
	size_t rep = c->heads / c->kv_heads, g = head / rep;
	size_t row = first * at->ld, oo = first * o + head * c->v_dim;
	size_t qo = row + g * at->group + head % rep * at->q;
	size_t ko = row + at->k + g * at->kstep;
	size_t vo = row + at->v + g * at->vstep;

	return (struct view){ .ld = at->ld, .lo = o, .heads = c->heads,
	    .head = head, .q = job->s->qkv + qo, .k = job->s->qkv + ko,
	    .v = job->s->qkv + vo, .out = job->s->attn + oo,
	    .dout = job->dout + oo,
	    .lse = job->s->lse + first * c->heads + head,
	    .dq = job->dqkv + qo, .dk = job->dqkv + ko,
	    .dv = job->dqkv + vo };
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

/* Queries i0 .. i0+m; p and dp are scratch of m x keys. */
static void
block(const struct job *job, const struct view *w, size_t i0, size_t m,
    float *p, float *dp)
{
	const struct peft_run *run = job->run;
	const struct peft_cpu *cpu = run->net->cpu;
	const struct peft_config *c = &run->net->config;
	size_t lo = i0 + 1 > job->window ? i0 + 1 - job->window : 0;
	size_t keys = i0 + m - lo, hd = c->head_dim, vd = c->v_dim, i;
	const float *q = w->q + i0 * w->ld, *dout = w->dout + i0 * w->lo;
	const float *k = w->k + lo * w->ld, *v = w->v + lo * w->ld;
	float scale = (float)c->t.attn_scale;

	peft_gemm1(cpu, PEFT_N, PEFT_T, m, keys, hd, scale, q, w->ld, k,
	    w->ld, 0, p, keys);
	peft_gemm1(cpu, PEFT_N, PEFT_T, m, keys, vd, 1, dout, w->lo, v,
	    w->ld, 0, dp, keys);
	for (i = 0; i < m; i++) {
		size_t end = i0 + i + 1 - lo, at = i * keys;
		size_t from = end > job->window ? end - job->window : 0;

		row_back(run, w, i0 + i, p + at + from, dp + at + from,
		    end - from);
		memset(p + at, 0, from * sizeof(*p));
		memset(dp + at, 0, from * sizeof(*p));
		memset(p + at + end, 0, (keys - end) * sizeof(*p));
		memset(dp + at + end, 0, (keys - end) * sizeof(*p));
	}
	peft_gemm1(cpu, PEFT_N, PEFT_N, m, hd, keys, scale, dp, keys, k,
	    w->ld, 0, w->dq + i0 * w->ld, w->ld);
	peft_gemm1(cpu, PEFT_T, PEFT_N, keys, hd, m, scale, dp, keys, q,
	    w->ld, 1, w->dk + lo * w->ld, w->ld);
	peft_gemm1(cpu, PEFT_T, PEFT_N, keys, vd, m, 1, p, keys, dout, w->lo,
	    1, w->dv + lo * w->ld, w->ld);
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
	clear(w.dv, w.ld, n, c->v_dim);
	for (h = head; h < head + group; h++) {
		w = view_of(job, seq, h);
		for (i = 0; i < n; i += PEFT_BLOCK)
			block(job, &w, i, n - i < PEFT_BLOCK ? n - i :
			    PEFT_BLOCK, p, dp);
	}
}

void
peft_attention_back(struct peft_run *run, size_t layer,
    const struct peft_saved *s, const float *dout, float *dqkv)
{
	struct job job = { run, s, dout, dqkv,
	    peft_config_window(&run->net->config, layer) };

	peft_cpu_run(run->net->cpu, run->nseqs * run->net->config.kv_heads,
	    group_task, &job);
}
