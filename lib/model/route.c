/* SPDX-License-Identifier: Apache-2.0 */
/* Which experts a token visits. */

#include <string.h>

#include "model/experts.h"
#include "model/hooks-impl.h"

/* The top_k largest of a row, the first of equals first. */
static void
choose(const float *prob, size_t n, size_t k, size_t *chosen)
{
	size_t i, j, e, best;

	for (i = 0; i < k; i++) {
		best = n;
		for (e = 0; e < n; e++) {
			for (j = 0; j < i && chosen[j] != e; j++)
				;
			if (j == i && (best == n || prob[e] > prob[best]))
				best = e;
		}
		chosen[i] = best;
	}
}

/* Sort the visits by expert, tokens in order within one. */
static void
sort(const struct peft_run *run, struct peft_visits *v)
{
	const struct peft_config *c = &run->net->config;
	size_t N = run->T * c->top_k, i, e;

	memset(v->first, 0, (c->experts + 1) * sizeof(*v->first));
	for (i = 0; i < N; i++)
		v->first[v->chosen[i] + 1]++;
	for (e = 0; e < c->experts; e++)
		v->first[e + 1] += v->first[e];
	for (i = 0; i < N; i++) {
		v->row[i] = v->first[v->chosen[i]]++;
		v->token[v->row[i]] = i / c->top_k;
	}
	for (e = c->experts; e > 0; e--)
		v->first[e] = v->first[e - 1];
	v->first[0] = 0;
}

/* Probabilities, choices and weights of all tokens.  (Who listens at the
 * router or an expert adds nothing.) */
void
peft_route(struct peft_run *run, const struct peft_layer *l,
    struct peft_visits *v, const float *x)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_site *site = &l->stack[PEFT_STACK_ROUTER];
	size_t E = c->experts, k = c->top_k, t, i;
	struct peft_product p = { &l->lin[PEFT_ROUTER].w, v->prob, E };
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	float sum;

	peft_product_forward_fine(run->net->cpu, x, c->hidden, run->T, &p,
	    run->product);
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_FORWARD, p.w->dtype, 0);
	if (l->lin[PEFT_ROUTER].bias != NULL)
		peft_op_bias(run, v->prob, E, l->lin[PEFT_ROUTER].bias, E,
		    run->T);
	peft_hooks_forward(run, site, run->ranges, run->nranges, run->ident,
	    x, c->hidden, v->prob, E, v->hook[PEFT_STACK_ROUTER]);
	for (i = 0; i < run->nranges; i++)
		peft_hooks_hear(run, l->lin[PEFT_ROUTER].site,
		    &run->ranges[i], x, c->hidden);
	for (t = 0; t < run->T; t++) {
		float *w = v->weight + t * k;

		(void)run->vec->softmax(v->prob + t * E, E);
		choose(v->prob + t * E, E, k, v->chosen + t * k);
		for (sum = 0, i = 0; i < k; i++)
			sum += w[i] = v->prob[t * E + v->chosen[t * k + i]];
		for (i = 0; i < k; i++)
			w[i] *= (float)c->t.router_scale /
			    (c->t.topk_norm ? sum : 1);
	}
	sort(run, v);
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
void
peft_route_back(struct peft_run *run, const struct peft_layer *l,
    const struct peft_visits *v, const float *x, float *dx)
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
	peft_hooks_backward(run, &l->stack[PEFT_STACK_ROUTER], run->ranges,
	    run->nranges, run->ident, x, c->hidden, run->dprob, E, dx,
	    c->hidden, v->hook[PEFT_STACK_ROUTER]);
}
