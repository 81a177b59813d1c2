/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Experts (Shazeer et al. 2017, Jiang et al. 2024): a router gives each
 * token its top_k of them, whose outputs are summed with its weights.
 *
 * A token's visit to an expert is a row; rows are sorted by expert, so that
 * each expert's weights are gone through once for all its visitors.
 */

#include <math.h>
#include <string.h>

#include "model/experts-impl.h"
#include "model/hooks-impl.h"

static float *
floats(struct peft_arena *a, size_t rows, size_t cols)
{
	return peft_arena_get(a, rows, cols * sizeof(float));
}

void
peft_experts_saved(struct peft_run *run, struct peft_saved *s)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens, N = T * c->top_k;

	s->v.prob = floats(a, T, c->experts);
	s->v.weight = floats(a, T, c->top_k);
	s->v.chosen = peft_arena_get(a, N, sizeof(size_t));
	s->v.row = peft_arena_get(a, N, sizeof(size_t));
	s->v.token = peft_arena_get(a, N, sizeof(size_t));
	s->v.first = peft_arena_get(a, c->experts + 1, sizeof(size_t));
	s->v.gu = floats(a, N, 2 * c->expert_inter);
	if (c->shared_inter == 0)
		return;
	s->v.shared = floats(a, T, 2 * c->shared_inter);
}

void
peft_experts_work(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens, N = T * c->top_k;
	size_t rows = c->expert_inter * N > c->shared_inter * T ?
	    c->expert_inter * N : c->shared_inter * T;

	run->vx = floats(a, N, c->hidden);
	run->vact = floats(a, 1, rows);
	run->vy = floats(a, N > T ? N : T, c->hidden);
	if (!run->caps.train)
		return;
	run->vdx = floats(a, N, c->hidden);
	run->vdact = floats(a, 1, rows);
	run->vw = floats(a, N, 1);
	run->vdw = floats(a, N, 1);
	run->dprob = floats(a, T, c->experts);
}

/* The visits first .. first+n, whose inputs are x, for those who listen; the
 * tokens of each adapter lie together. */
static void
hear(struct peft_run *run, const struct peft_site *site,
    const struct peft_visits *v, size_t first, size_t n, const float *x,
    size_t in)
{
	size_t i, at = 0, to;

	for (i = 0; site->hooks != NULL && i < run->nranges; i++) {
		const struct peft_range *r = &run->ranges[i];
		struct peft_range rows = { .adapter = r->adapter,
		    .task = r->task };

		while (at < n && v->token[first + at] < r->first)
			at++;
		for (to = at; to < n && v->token[first + to] < r->first +
		    r->n;)
			to++;
		rows.first = at;
		rows.n = to - at;
		peft_hooks_hear(run, site, &rows, x, in);
		at = to;
	}
}

/* One expert over n rows: gu is kept, y its output. */
static void
forward_one(struct peft_run *run, const struct peft_expert *e, size_t n,
    size_t I, const float *x, float *gu, float *act, float *y)
{
	size_t D = run->net->config.hidden;
	struct peft_product in[] = { { &e->gate.w, gu, 2 * I },
	    { &e->up.w, gu + I, 2 * I } };
	struct peft_product out = { &e->down.w, y, D };

	if (n == 0)
		return;
	peft_products(run, x, D, n, in, 2);
	peft_op_act(run, act, gu, I, n);
	peft_products(run, act, I, n, &out, 1);
}

/* dx = the gradient by way of one expert whose output counts w[n] times,
 * given dy of the whole.  An expert is linear in its
 * activations, so that dw = dy . output = (dy W) . activations. */
static void
back_one(struct peft_run *run, const struct peft_expert *e, size_t n,
    size_t I, float *gu, float *dy, const float *w, float *dw, float *dx)
{
	size_t D = run->net->config.hidden, i;
	struct peft_product in[] = { { &e->gate.w, gu, 2 * I },
	    { &e->up.w, gu + I, 2 * I } };
	struct peft_product out = { &e->down.w, dy, D };

	if (n == 0)
		return;
	peft_op_act(run, run->vact, gu, I, n);
	peft_products_back(run, run->vdact, I, n, &out, 1, false);
	for (i = 0; i < n; i++) {
		dw[i] = run->vec->dot(run->vdact + i * I, run->vact + i * I,
		    I);
		run->vec->scale(run->vdact + i * I, w[i], I);
	}
	peft_op_act_back(run, gu, run->vdact, I, n);
	peft_products_back(run, dx, D, n, in, 2, false);
}

/* y += what the expert that all tokens pass makes of x.  It is plain
 * linears, with what adapters put on them. */
static void
shared(struct peft_run *run, const struct peft_layer *l, struct peft_saved *s,
    const float *x, float *y)
{
	size_t D = run->net->config.hidden, S = run->net->config.shared_inter;
	struct peft_product in[] = {
		{ &l->lin[PEFT_GATE].w, s->v.shared, 2 * S },
		{ &l->lin[PEFT_UP].w, s->v.shared + S, 2 * S },
	}, out = { &l->lin[PEFT_DOWN].w, run->vy, D };

	peft_linears(run, &l->lin[PEFT_GATE], &s->hook[PEFT_GATE], x, D, in,
	    2);
	peft_op_act(run, run->vact, s->v.shared, S, run->T);
	peft_linears(run, &l->lin[PEFT_DOWN], &s->hook[PEFT_DOWN], run->vact,
	    S, &out, 1);
	peft_op_add(run, y, y, run->vy, 1);
}

static void
shared_back(struct peft_run *run, const struct peft_layer *l,
    struct peft_saved *s, const float *x, float *dx, float *dy)
{
	size_t D = run->net->config.hidden, S = run->net->config.shared_inter;
	struct peft_product in[] = {
		{ &l->lin[PEFT_GATE].w, s->v.shared, 2 * S },
		{ &l->lin[PEFT_UP].w, s->v.shared + S, 2 * S },
	}, out = { &l->lin[PEFT_DOWN].w, dy, D };

	peft_op_act(run, run->vact, s->v.shared, S, run->T);
	peft_linears_back(run, &l->lin[PEFT_DOWN], &s->hook[PEFT_DOWN],
	    run->vact, S, run->vdact, &out, 1);
	peft_op_act_back(run, s->v.shared, run->vdact, S, run->T);
	peft_linears_back(run, &l->lin[PEFT_GATE], &s->hook[PEFT_GATE], x, D,
	    run->vdx, in, 2);
	peft_op_add(run, dx, dx, run->vdx, 1);
}

static void
hear_all(struct peft_run *run, const struct peft_expert *e,
    const struct peft_visits *v, size_t first, size_t n)
{
	size_t D = run->net->config.hidden, I = run->net->config.expert_inter;

	hear(run, e->gate.site, v, first, n, run->vx + first * D, D);
	hear(run, e->up.site, v, first, n, run->vx + first * D, D);
	hear(run, e->down.site, v, first, n, run->vact + first * I, I);
}

void
peft_experts(struct peft_run *run, size_t layer, struct peft_saved *s,
    const float *x, float *y)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	struct peft_visits *v = &s->v;
	size_t D = c->hidden, I = c->expert_inter, k = c->top_k, e, t, i;

	peft_experts_route(run, l, v, x);
	for (i = 0; i < run->T * k; i++)
		memcpy(run->vx + i * D, x + v->token[i] * D,
		    D * sizeof(*x));
	for (e = 0; e < c->experts; e++) {
		size_t at = v->first[e];

		forward_one(run, &l->experts[e], v->first[e + 1] - at, I,
		    run->vx + at * D, v->gu + at * 2 * I, run->vact + at * I,
		    run->vy + at * D);
		hear_all(run, &l->experts[e], v, at, v->first[e + 1] - at);
	}
	memset(y, 0, run->T * D * sizeof(*y));
	for (t = 0; t < run->T; t++)
		for (i = 0; i < k; i++)
			run->vec->axpy(y + t * D, v->weight[t * k + i],
			    run->vy + v->row[t * k + i] * D, D);
	if (c->shared_inter > 0)
		shared(run, l, s, x, y);
}

/* From the gradients of the weights of the chosen to those of the router's
 * scores: through the division by their sum, and the softmax. */
static void
route_back(const struct peft_run *run, const struct peft_visits *v, size_t t,
    const float *dw, float *dz)
{
	const struct peft_config *c = &run->net->config;
	const float *prob = v->prob + t * c->experts;
	const size_t *chosen = v->chosen + t * c->top_k;
	float sum = 1, mean = 0, d = 0, scale = (float)c->t.router_scale;
	size_t i;

	if (c->t.topk_norm)
		for (sum = 0, i = 0; i < c->top_k; i++)
			sum += prob[chosen[i]];
	for (i = 0; c->t.topk_norm && i < c->top_k; i++)
		mean += dw[i] * prob[chosen[i]] / sum;
	memset(dz, 0, c->experts * sizeof(*dz));
	for (i = 0; i < c->top_k; i++)
		dz[chosen[i]] = scale * (dw[i] - mean) / sum;
	for (i = 0; i < c->experts; i++)
		d += dz[i] * prob[i];
	for (i = 0; i < c->experts; i++)
		dz[i] = prob[i] * (dz[i] - d);
}

/* dx += the gradient by way of the router. */
static void
router_back(struct peft_run *run, const struct peft_layer *l,
    const struct peft_visits *v, float *dx)
{
	const struct peft_config *c = &run->net->config;
	size_t k = c->top_k, E = c->experts, t, i;
	struct peft_product p = { &l->lin[PEFT_ROUTER].w, run->dprob, E };
	struct peft_lap lap;

	for (t = 0; t < run->T; t++) {
		for (i = 0; i < k; i++)
			run->vw[t * k + i] = run->vdw[v->row[t * k + i]];
		route_back(run, v, t, run->vw + t * k, run->dprob + t * E);
	}
	lap = peft_lap_begin(run->net->cpu);
	peft_product_backward_fine(run->net->cpu, dx, c->hidden, run->T, &p,
	    true, run->product);
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_BACKWARD, p.w->dtype, 0);
}

void
peft_experts_back(struct peft_run *run, size_t layer, struct peft_saved *s,
    const float *x, float *dx, float *dy)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	struct peft_visits *v = &s->v;
	size_t D = c->hidden, I = c->expert_inter, N = run->T * c->top_k;
	size_t e, i;

	for (i = 0; i < N; i++) {
		memcpy(run->vy + i * D, dy + v->token[i] * D,
		    D * sizeof(*dy));
		run->vw[v->row[i]] = v->weight[i];
	}
	for (e = 0; e < c->experts; e++) {
		size_t at = v->first[e];

		back_one(run, &l->experts[e], v->first[e + 1] - at, I,
		    v->gu + at * 2 * I, run->vy + at * D, run->vw + at,
		    run->vdw + at, run->vdx + at * D);
	}
	memset(dx, 0, run->T * D * sizeof(*dx));
	for (i = 0; i < N; i++)
		run->vec->add(dx + i / c->top_k * D, run->vdx +
		    v->row[i] * D, D);
	if (c->shared_inter > 0)
		shared_back(run, l, s, x, dx, dy);
	router_back(run, l, v, dx);
}
