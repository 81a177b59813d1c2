/* SPDX-License-Identifier: Apache-2.0 */
/* Which token visits which expert. */

#include <string.h>

#include "model/experts-impl.h"
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

/* Probabilities, choices and weights of all tokens.  (Who listens at the
 * router or an expert adds nothing.) */
static void
route(struct peft_run *run, const struct peft_layer *l,
    struct peft_visits *v, const float *x)
{
	const struct peft_config *c = &run->net->config;
	size_t E = c->experts, k = c->top_k, t, i;
	struct peft_product p = { &l->lin[PEFT_ROUTER].w, v->prob, E };
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	float sum;

	peft_product_forward_fine(run->net->cpu, x, c->hidden, run->T, &p,
	    run->product);
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_FORWARD, p.w->dtype, 0);
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

void
peft_experts_route(struct peft_run *run, const struct peft_layer *l,
    struct peft_visits *v, const float *x)
{
	route(run, l, v, x);
	sort(run, v);
}
