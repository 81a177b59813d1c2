/* SPDX-License-Identifier: Apache-2.0 */
/* Costs of a token; a short measurement of what products reach. */

#include <stdlib.h>

#include "base/buf.h"
#include "base/progress.h"
#include "model/estimate.h"
#include "model/hooks-impl.h"
#include "model/net-impl.h"

/* Values of a site's weight that a token meets: with experts, of those it
 * visits. */
static double
met(const struct peft_config *c, const struct peft_site *s)
{
	double n = (double)s->in * (double)s->out;

	return s->kind == PEFT_LINEAR ? n : s->kind == PEFT_EXPERT ?
	    n * (double)c->top_k / (double)c->experts : 0;
}

/* The last product is made again where something keeps what it gives; else
 * only what adapters keep of its input. */
static double
met_again(const struct peft_net *net, const struct peft_site *s)
{
	double kept = (double)peft_hooks_saved(s, 1) * (double)s->in;
	double n = met(&net->config, s);

	if (s->slot != PEFT_DOWN ||
	    net->config.t.has & PEFT_BIT(PEFT_MLP_POST) ||
	    peft_hooks_have(s, PEFT_HAS_OUTPUT))
		return n;
	return kept < n ? kept : n;
}

static enum peft_layerpart
part_of(const struct peft_site *s)
{
	return s->kind == PEFT_EXPERT ? PEFT_PART_INNER :
	    peft_part_of(s->slot);
}

/* Passes over a row: norms and residuals of the stream, queries and keys that
 * turn, the activation; of them those of each part. */
struct peft_estimate
peft_net_estimate(const struct peft_net *net)
{
	const struct peft_config *c = &net->config;
	double D = (double)c->hidden, ld = (double)net->at.ld;
	double I = (double)c->inter, layers = (double)c->layers;
	struct peft_estimate e = {
		.layers.passing = layers * (10 * D + 3 * ld + 4 * I),
		.part = {
			[PEFT_PART_QUERIES].passing = 2 * D,
			[PEFT_PART_TURNED].passing = 3 * ld,
			[PEFT_PART_STREAM].passing = 3 * D,
			[PEFT_PART_INNER].passing = 2 * D,
			[PEFT_PART_DOWN].passing = 3 * I,
		}
	};
	struct peft_passage *attention = &e.part[PEFT_PART_ATTENTION];
	size_t i;

	for (i = 0; i < net->sites.n; i++) {
		const struct peft_site *s = &net->sites.at[i];

		if (s->kind == PEFT_HEAD)
			e.head = (double)s->in * (double)s->out;
		if (s->kind != PEFT_LINEAR && s->kind != PEFT_EXPERT)
			continue;
		e.layers.products += met(c, s);
		e.part[part_of(s)].products += met_again(net, s) / layers;
	}
	attention->attention = 2 * (double)(c->heads * (c->head_dim +
	    c->v_dim));
	e.layers.attention = layers * attention->attention;
	return e;
}

static const struct peft_site *
largest(const struct peft_net *net)
{
	const struct peft_site *best = NULL, *s;
	size_t i;

	for (i = 0; i < net->sites.n; i++) {
		s = &net->sites.at[i];
		if (s->layer == 0 && s->w != NULL && (s->kind == PEFT_LINEAR ||
		    s->kind == PEFT_EXPERT) && !s->transposed && (best ==
		    NULL || s->in * s->out > best->in * best->out))
			best = s;
	}
	return best;
}

/* Of T tokens, enough for products to run as they will: what a weight's
 * expansion takes is shared by all, but to measure is not to take seconds. */
static size_t
enough(const struct peft_site *s, size_t T)
{
	const double operations = 1e11;
	double most = operations / 4 / ((double)s->in * (double)s->out);

	most = most > 256 ? most : 256;
	return (double)T < most ? T : (size_t)most;
}

/* The best of some, the first of which brings the weight in: of two, or of as
 * many as a fifth of a second has room for. */
static double
measure(struct peft_cpu *cpu, const struct peft_site *s, size_t T, float *x,
    float *y, float *scratch)
{
	struct peft_product p = { s->w, y, s->out };
	double best = 1e9, begun = peft_now(), t;
	int r;

	for (r = 0; r < 2 || peft_now() - begun < 0.2; r++) {
		t = peft_now();
		peft_product_forward(cpu, x, s->in, T, &p, 1, scratch);
		peft_product_backward(cpu, x, s->in, T, &p, 1, false,
		    scratch);
		t = peft_now() - t;
		best = t < best ? t : best;
	}
	return 4 * (double)T * (double)s->in * (double)s->out / best;
}

double
peft_net_rate(struct peft_net *net, size_t T, struct peft_err *err)
{
	const struct peft_site *s = largest(net);
	float *x, *y, *scratch;
	double rate = -1;

	if (s == NULL)
		return peft_seterr(err, "no linear to measure with");
	T = enough(s, T);
	x = peft_calloc(T * s->in, sizeof(*x), err);
	y = peft_calloc(T * s->out, sizeof(*y), err);
	scratch = peft_calloc(peft_product_scratch(net->cpu, s->out, s->in,
	    0, T), sizeof(*scratch), err);
	if (x != NULL && y != NULL && scratch != NULL)
		rate = measure(net->cpu, s, T, x, y, scratch);
	free(x);
	free(y);
	free(scratch);
	return rate;
}
