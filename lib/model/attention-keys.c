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
peft_keys_back(const struct peft_run *run, size_t node, size_t head,
    size_t at, const float *src, size_t ld, size_t width, float *copy)
{
	const struct peft_node *n = &run->tree.nodes[node];
	const struct peft_panel_f32 *f32 = peft_cpu_panel_f32(run->net->cpu);
	size_t i, d, m, wide, j;

	for (i = 0; i < n->n; i += PEFT_PANEL)
		for (d = 0; d < width; d += PEFT_PANEL) {
			m = peft_least(n->n - i, PEFT_PANEL);
			wide = peft_least(width - d, PEFT_PANEL);
			f32->rows(src + d * ld + n->depth + i, ld, wide, m,
			    copy);
			for (j = 0; j < m; j++)
				memcpy(dkv_of(run, n->first + i + j, head) +
				    at + d, copy + j * PEFT_PANEL, wide *
				    sizeof(*copy));
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
