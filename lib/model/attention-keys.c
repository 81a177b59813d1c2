/* SPDX-License-Identifier: Apache-2.0 */
/* Attention's gradients of keys and values: from each query head's to their
 * tokens, and summed over the heads that share them. */

#include <string.h>

#include "model/attention-impl.h"

enum { SUMMED = 16 };		/* tokens of a task that sums over heads */

struct sums {
	const struct peft_run	*run;
	float			*dqkv;
};

/* Where a head's gradients of token t's key and value lie, side by side. */
static float *
dkv_of(const struct peft_run *run, size_t t, size_t head)
{
	const struct peft_config *c = &run->net->config;

	return run->dkv + (t * c->heads + head) * (c->head_dim + c->v_dim);
}

void
peft_keys_clear(const struct peft_keys_sum *s, size_t from, size_t to)
{
	size_t d;

	if (!s->turned)
		memset(s->sum + from * s->n, 0, (to - from) * s->n *
		    sizeof(*s->sum));
	for (d = 0; s->turned && d < s->n; d++)
		memset(s->sum + d * s->ld + from, 0, (to - from) *
		    sizeof(*s->sum));
}

void
peft_keys_add(const struct peft_keys_sum *s, const struct peft_packer *e,
    const struct peft_keys_part *p)
{
	struct peft_outer as = { .m = p->keys, .n = s->n, .k = p->rows,
	    .a = p->x, .lda = PEFT_SCORES, .b = p->y, .ldb = p->ldy,
	    .scale = 1, .c = s->sum + p->key * s->n, .ldc = s->n };
	struct peft_block turned = { .m = s->n, .n = p->keys, .k = p->rows,
	    .a = p->turned, .lda = PEFT_BLOCK, .b = p->packed,
	    .ldb = PEFT_BLOCK * PEFT_PANEL, .c = s->sum + p->key,
	    .ldc = s->ld, .add = true };

	if (!s->turned) {
		e->f32->outer(&as);
		return;
	}
	peft_pack_cols(e, p->x, PEFT_SCORES, p->rows, p->keys, p->packed,
	    turned.ldb);
	peft_pack_multiply(e, &turned);
}

/* 32 tokens from i on of a node, turned back. */
static void
turn_back(const struct peft_run *run, const struct peft_node *n, size_t head,
    const struct peft_keys_sum *s, size_t i, float *copy)
{
	const struct peft_panel_f32 *f32 = peft_cpu_panel_f32(run->net->cpu);
	size_t m = peft_least(n->n - i, PEFT_PANEL), wide, d, j;

	for (d = 0; d < s->n; d += PEFT_PANEL) {
		wide = peft_least(s->n - d, PEFT_PANEL);
		f32->rows(s->sum + d * s->ld + n->depth + i, s->ld, wide, m,
		    copy);
		for (j = 0; j < m; j++)
			memcpy(dkv_of(run, n->first + i + j, head) + s->at +
			    d, copy + j * PEFT_PANEL, wide * sizeof(*copy));
	}
}

static void
put(const struct peft_run *run, float *y, const float *x, size_t n, bool set)
{
	if (set)
		memcpy(y, x, n * sizeof(*y));
	else
		run->vec->add(y, x, n);
}

/* A head's gradients to their token's, or added to those of the heads before
 * it in its group. */
static void
sum_up(const struct peft_run *run, const struct peft_node *n, size_t head,
    const struct peft_keys_sum *s, float *dqkv)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	size_t rep = c->heads / c->kv_heads, g = head / rep, i;
	float *row = dqkv + n->first * at->ld + (s->at == 0 ? at->k +
	    g * at->kstep : at->v + g * at->vstep);

	for (i = 0; i < n->n; i++, row += at->ld)
		put(run, row, s->sum + (n->depth + i) * s->n, s->n,
		    head % rep == 0);
}

void
peft_keys_back(const struct peft_run *run, size_t node, size_t head,
    const struct peft_keys_sum *s, float *copy, float *dqkv)
{
	const struct peft_node *n = &run->tree.nodes[node];
	size_t i;

	if (dqkv != NULL) {
		sum_up(run, n, head, s, dqkv);
		return;
	}
	for (i = 0; s->turned && i < n->n; i += PEFT_PANEL)
		turn_back(run, n, head, s, i, copy);
	for (i = 0; !s->turned && i < n->n; i++)
		memcpy(dkv_of(run, n->first + i, head) + s->at, s->sum +
		    (n->depth + i) * s->n, s->n * sizeof(*s->sum));
}

/* The sums of a token over the heads of a group, in their order. */
static void
sum_heads(const struct peft_run *run, size_t t, float *row)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	size_t rep = c->heads / c->kv_heads, head;

	for (head = 0; head < c->heads; head++) {
		const float *d = dkv_of(run, t, head);
		float *dk = row + at->k + head / rep * at->kstep;
		float *dv = row + at->v + head / rep * at->vstep;

		put(run, dk, d, c->head_dim, head % rep == 0);
		put(run, dv, d + c->head_dim, c->v_dim, head % rep == 0);
	}
}

static void
sum_task(void *ctx, size_t task, int thread)
{
	const struct sums *job = ctx;
	size_t t = task * SUMMED, end = t + SUMMED;

	(void)thread;
	for (; t < end && t < job->run->T; t++)
		sum_heads(job->run, t, job->dqkv + t * job->run->net->at.ld);
}

void
peft_keys_back_sum(const struct peft_run *run, float *dqkv)
{
	struct sums job = { run, dqkv };

	peft_cpu_run(run->net->cpu, (run->T + SUMMED - 1) / SUMMED, sum_task,
	    &job);
}
