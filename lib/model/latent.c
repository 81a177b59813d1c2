/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latent attention (DeepSeek-AI 2024): keys and values of all heads come out
 * of a narrow vector through a norm and a second product; the turned part of
 * the keys is the same for all heads and comes beside it.
 */

#include <string.h>

#include "model/latent-impl.h"
#include "model/net-impl.h"

enum { ROWS = 16 };

struct job {
	struct peft_run	*run;
	float		*qkv, *kva;
	bool		 back;
};

/* Between a row's keys and values by head and the outputs of the products. */
static void
move_row(const struct job *j, size_t t)
{
	const struct peft_net *net = j->run->net;
	const struct peft_config *c = &net->config;
	size_t rope = c->rope_dim, nope = c->head_dim - rope, h;
	float *row = j->qkv + t * net->at.ld;
	float *b = j->run->kvb + t * c->kv_heads * (nope + c->v_dim);
	float *shared = j->kva + t * (c->kv_rank + rope) + c->kv_rank;

	if (j->back)
		memset(shared, 0, rope * sizeof(*shared));
	for (h = 0; h < c->kv_heads; h++, b += nope + c->v_dim) {
		float *k = row + net->at.k + h * net->at.kstep;
		float *v = row + net->at.v + h * net->at.vstep;

		if (j->back) {
			memcpy(b, k, nope * sizeof(*k));
			memcpy(b + nope, v, c->v_dim * sizeof(*v));
			j->run->vec->add(shared, k + nope, rope);
		} else {
			memcpy(k, b, nope * sizeof(*k));
			memcpy(k + nope, shared, rope * sizeof(*k));
			memcpy(v, b + nope, c->v_dim * sizeof(*v));
		}
	}
}

static void
task(void *ctx, size_t i, int thread)
{
	const struct job *j = ctx;
	size_t t = i * ROWS, end = t + ROWS;

	(void)thread;
	end = end < j->run->T ? end : j->run->T;
	for (; t < end; t++)
		move_row(j, t);
}

static void
move(struct peft_run *run, float *qkv, float *kva, bool back)
{
	struct job j = { run, qkv, kva, back };

	peft_cpu_run(run->net->cpu, (run->T + ROWS - 1) / ROWS, task, &j);
}

/* run->latent = the norm of the narrow part. */
static void
narrow(struct peft_run *run, const struct peft_layer *l, const float *kva)
{
	const struct peft_config *c = &run->net->config;

	peft_norm_rows(run, &l->norm[PEFT_KV_NORM], run->ranges,
	    run->nranges, run->latent, kva, c->kv_rank + c->rope_dim, NULL);
}

/* run->dkva's narrow part from run->dlatent. */
static void
narrow_back(struct peft_run *run, const struct peft_layer *l,
    const float *kva)
{
	const struct peft_config *c = &run->net->config;
	size_t ld = c->kv_rank + c->rope_dim, t;

	for (t = 0; t < run->T; t++)
		memset(run->dkva + t * ld, 0, c->kv_rank *
		    sizeof(*run->dkva));
	peft_norm_rows_back(run, &l->norm[PEFT_KV_NORM], run->ranges,
	    run->nranges, run->dkva, run->dlatent, kva, ld, NULL);
}

void
peft_latent(struct peft_run *run, size_t layer, struct peft_saved *s,
    const float *x)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	struct peft_product q = { &l->lin[PEFT_Q].w, s->qkv, run->net->at.ld };
	struct peft_product a = { &l->lin[PEFT_KV_A].w, s->kva, c->kv_rank +
	    c->rope_dim };
	struct peft_product b = { &l->lin[PEFT_KV_B].w, run->kvb,
	    l->lin[PEFT_KV_B].site->out };

	peft_linears(run, &l->lin[PEFT_Q], &s->hook[PEFT_Q], x, c->hidden,
	    &q, 1);
	peft_linears(run, &l->lin[PEFT_KV_A], &s->hook[PEFT_KV_A], x,
	    c->hidden, &a, 1);
	narrow(run, l, s->kva);
	peft_linears(run, &l->lin[PEFT_KV_B], &s->hook[PEFT_KV_B],
	    run->latent, c->kv_rank, &b, 1);
	move(run, s->qkv, s->kva, false);
}

void
peft_latent_back(struct peft_run *run, size_t layer, struct peft_saved *s,
    const float *x, float *dx)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	size_t ld = c->kv_rank + c->rope_dim;
	struct peft_product q = { &l->lin[PEFT_Q].w, run->dqkv,
	    run->net->at.ld };
	struct peft_product a = { &l->lin[PEFT_KV_A].w, run->dkva, ld };
	struct peft_product b = { &l->lin[PEFT_KV_B].w, run->kvb,
	    l->lin[PEFT_KV_B].site->out };

	narrow(run, l, s->kva);
	move(run, run->dqkv, run->dkva, true);
	peft_linears_back(run, &l->lin[PEFT_KV_B], &s->hook[PEFT_KV_B],
	    run->latent, c->kv_rank, run->dlatent, &b, 1);
	narrow_back(run, l, s->kva);
	peft_linears_back(run, &l->lin[PEFT_Q], &s->hook[PEFT_Q], x,
	    c->hidden, dx, &q, 1);
	peft_linears_back(run, &l->lin[PEFT_KV_A], &s->hook[PEFT_KV_A], x,
	    c->hidden, dx == NULL ? NULL : run->tmp, &a, 1);
	if (dx != NULL)
		peft_op_add(run, dx, NULL, dx, run->tmp, 1);
}
