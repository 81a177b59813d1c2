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

#include "model/experts.h"
#include "model/hooks-impl.h"

static float *
floats(struct peft_arena *a, size_t rows, size_t cols)
{
	return peft_arena_get(a, rows, cols * sizeof(float));
}

void
peft_experts_saved(struct peft_run *run, struct peft_saved *s, size_t l,
    size_t end)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens, N = T * c->top_k;
	int i;

	s->v.prob = floats(a, T, c->experts);
	s->v.weight = floats(a, T, c->top_k);
	s->v.chosen = peft_arena_get(a, N, sizeof(size_t));
	s->v.row = peft_arena_get(a, N, sizeof(size_t));
	s->v.token = peft_arena_get(a, N, sizeof(size_t));
	s->v.first = peft_arena_get(a, c->experts + 1, sizeof(size_t));
	s->v.gu = floats(a, N, 2 * c->expert_inter);
	for (i = 0; i < PEFT_NSTACK; i++)
		s->v.hook[i] = floats(a, 1, peft_stack_saved(run, i, l, end));
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
	run->vident = peft_arena_get(a, N, sizeof(*run->vident));
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

/* y += the linear's bias, if it has one. */
static void
add_bias(struct peft_run *run, const struct peft_linear *lin, float *y,
    size_t ld, size_t n)
{
	if (lin->bias != NULL)
		peft_op_bias(run, y, ld, lin->bias, lin->site->out, n);
}

/* One expert over its visitors: gu is kept, vy its output. */
static void
forward_one(struct peft_run *run, size_t layer, struct peft_visits *v,
    size_t e)
{
	const struct peft_expert *expert = &run->net->layers[layer].experts[e];
	size_t D = run->net->config.hidden, I = run->net->config.expert_inter;
	size_t at = v->first[e], n = v->first[e + 1] - at;
	float *gu = v->gu + at * 2 * I, *act = run->vact + at * I;
	struct peft_product in[] = { { &expert->gate.w, gu, 2 * I },
	    { &expert->up.w, gu + I, 2 * I } };
	struct peft_product out = { &expert->down.w, run->vy + at * D, D };

	if (n == 0)
		return;
	peft_products(run, run->vx + at * D, D, n, in, 2);
	add_bias(run, &expert->gate, gu, 2 * I, n);
	add_bias(run, &expert->up, gu + I, 2 * I, n);
	peft_stack_forward(run, layer, PEFT_STACK_IN, v, e, run->vx, D, v->gu,
	    2 * I);
	peft_op_act(run, act, gu, NULL, I, n);
	peft_products(run, act, I, n, &out, 1);
	add_bias(run, &expert->down, out.y, D, n);
	peft_stack_forward(run, layer, PEFT_STACK_OUT, v, e, run->vact, I,
	    run->vy, D);
}

/* The gradient of an expert's output, vy, is scaled by its visitors' weights;
 * vdx = that of its input.  The output is linear in the activations, but for
 * a bias, so that a weight's own gradient is dy . output = (dy W) .
 * activations + dy . bias, which is known times the weight.  (A weight of 0
 * is of a probability of 0, by which its gradient will be multiplied.) */
static void
back_one(struct peft_run *run, size_t layer, struct peft_visits *v, size_t e)
{
	const struct peft_expert *expert = &run->net->layers[layer].experts[e];
	size_t D = run->net->config.hidden, I = run->net->config.expert_inter;
	size_t at = v->first[e], n = v->first[e + 1] - at, i;
	float *gu = v->gu + at * 2 * I, *act = run->vact + at * I;
	float *dact = run->vdact + at * I, *dy = run->vy + at * D;
	const float *bias = expert->down.bias;
	struct peft_product in[] = { { &expert->gate.w, gu, 2 * I },
	    { &expert->up.w, gu + I, 2 * I } };
	struct peft_product out = { &expert->down.w, dy, D };

	if (n == 0)
		return;
	for (i = 0; i < n; i++)
		run->vec->scale(dy + i * D, run->vw[at + i], D);
	peft_op_act(run, act, gu, NULL, I, n);
	peft_products_back(run, dact, I, n, &out, 1, false);
	peft_stack_backward(run, layer, PEFT_STACK_OUT, v, e, run->vact, I,
	    run->vy, D, run->vdact, I);
	for (i = 0; i < n; i++) {
		run->vdw[at + i] = run->vec->dot(dact + i * I, act + i * I, I);
		if (bias != NULL)
			run->vdw[at + i] += run->vec->dot(dy + i * D, bias, D);
		run->vdw[at + i] = run->vw[at + i] == 0 ? 0 :
		    run->vdw[at + i] / run->vw[at + i];
	}
	peft_op_act_back(run, gu, NULL, dact, I, n);
	peft_products_back(run, run->vdx + at * D, D, n, in, 2, false);
	peft_stack_backward(run, layer, PEFT_STACK_IN, v, e, run->vx, D,
	    v->gu, 2 * I, run->vdx, D);
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
	peft_op_act(run, run->vact, s->v.shared, NULL, S, run->T);
	peft_linears(run, &l->lin[PEFT_DOWN], &s->hook[PEFT_DOWN], run->vact,
	    S, &out, 1);
	peft_op_add(run, y, NULL, y, run->vy, 1);
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

	peft_op_act(run, run->vact, s->v.shared, NULL, S, run->T);
	peft_linears_back(run, &l->lin[PEFT_DOWN], &s->hook[PEFT_DOWN],
	    run->vact, S, run->vdact, &out, 1);
	peft_op_act_back(run, s->v.shared, NULL, run->vdact, S, run->T);
	peft_linears_back(run, &l->lin[PEFT_GATE], &s->hook[PEFT_GATE], x, D,
	    run->vdx, in, 2);
	peft_op_add(run, dx, NULL, dx, run->vdx, 1);
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

/* The visits' inputs. */
static void
visit(struct peft_run *run, const struct peft_visits *v, const float *x)
{
	size_t D = run->net->config.hidden, i;

	for (i = 0; i < run->T * run->net->config.top_k; i++) {
		memcpy(run->vx + i * D, x + v->token[i] * D, D * sizeof(*x));
		run->vident[i] = run->ident[v->token[i]];
	}
}

void
peft_experts(struct peft_run *run, size_t layer, struct peft_saved *s,
    const float *x, float *y)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	struct peft_visits *v = &s->v;
	size_t D = c->hidden, k = c->top_k, e, t, i;

	peft_route(run, l, v, x);
	visit(run, v, x);
	for (e = 0; e < c->experts; e++) {
		forward_one(run, layer, v, e);
		hear_all(run, &l->experts[e], v, v->first[e], v->first[e + 1] -
		    v->first[e]);
	}
	memset(y, 0, run->T * D * sizeof(*y));
	for (t = 0; t < run->T; t++)
		for (i = 0; i < k; i++)
			run->vec->axpy(y + t * D, v->weight[t * k + i],
			    run->vy + v->row[t * k + i] * D, D);
	if (c->shared_inter > 0)
		shared(run, l, s, x, y);
}

void
peft_experts_back(struct peft_run *run, size_t layer, struct peft_saved *s,
    const float *x, float *dx, float *dy)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	struct peft_visits *v = &s->v;
	size_t D = c->hidden, N = run->T * c->top_k, e, i;

	visit(run, v, x);
	for (i = 0; i < N; i++) {
		memcpy(run->vy + i * D, dy + v->token[i] * D,
		    D * sizeof(*dy));
		run->vw[v->row[i]] = v->weight[i];
	}
	for (e = 0; e < c->experts; e++)
		back_one(run, layer, v, e);
	memset(dx, 0, run->T * D * sizeof(*dx));
	for (i = 0; i < N; i++)
		run->vec->add(dx + i / c->top_k * D, run->vdx +
		    v->row[i] * D, D);
	if (c->shared_inter > 0)
		shared_back(run, l, s, x, dx, dy);
	peft_route_back(run, l, v, x, dx);
}
