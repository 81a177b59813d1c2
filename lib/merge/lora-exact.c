/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters that are made of factors, as one LoRA: their factors side by side,
 * and nothing is lost. */

#include <stdlib.h>
#include <string.h>

#include "merge/lora.h"
#include "merge/merge-impl.h"
#include "peft/exact.h"
#include "peft/method.h"

struct exact {
	struct peft_merge	*m;
	size_t			*rank;		/* [sites]; 0: no part */
	double			*scale;		/* [sites] the first's */
	bool			*taken;		/* [sites] */
	bool			 rslora;
	struct peft_adapter	*adapter;
};

/* The adapters' ranks add up. */
static int
look(struct exact *x, struct peft_lorasum *sum, struct peft_err *err)
{
	size_t i, k, rank = 0;
	double scale = 0;
	int r;

	for (k = 0; k < x->m->nfolds; k++)
		for (i = 0; i < x->m->sites.n; i++) {
			const struct peft_fold *f = &x->m->folds[k];

			if ((r = peft_exact_rank(f->adapter,
			    &x->m->sites.at[i], &rank, &scale, err)) == -1)
				return peft_errprefix(err, "%s", f->label);
			if (r == 0)
				continue;
			if (!x->taken[i])
				x->scale[i] = f->weight * scale;
			x->taken[i] = true;
			x->rank[i] += rank;
		}
	for (i = 0; i < x->m->sites.n; i++) {
		sum->weights += x->taken[i];
		sum->rank = x->rank[i] > sum->rank ? x->rank[i] : sum->rank;
	}
	return sum->weights > 0 ? 0 : peft_setfail(err, PEFT_CHECK, "no linear "
	    "layer changes: there is nothing for an adapter");
}

static cJSON *
config_of(const struct exact *x, struct peft_lorasum *sum)
{
	const struct peft_sites *sites = &x->m->sites;
	cJSON *c = peft_lora_config(sites, x->taken, sum->rank, NULL);
	cJSON *ranks = cJSON_AddObjectToObject(c, "rank_pattern");
	cJSON *alphas = cJSON_AddObjectToObject(c, "alpha_pattern");
	double first = 0;
	size_t i;

	for (i = 0; i < sites->n; i++) {
		double alpha = x->scale[i] * (double)x->rank[i];

		if (!x->taken[i])
			continue;
		if (first == 0) {
			first = alpha;
			peft_json_set(c, "lora_alpha",
			    cJSON_CreateNumber(alpha));
		}
		peft_lora_pattern(ranks, alphas, sites->at[i].path, x->rank[i],
		    sum->rank, alpha, first);
	}
	if (x->rslora)
		peft_lora_config_rslora(c, sites, x->taken);
	return c;
}

/* The base's weight [out, in], if one of the adapters began as a part. */
static float *
weight_of(struct peft_merge *m, const struct peft_site *s,
    struct peft_err *err)
{
	struct peft_weight w;

	return peft_source_load(m->base, s->weight, &w, err) == -1 ? NULL :
	    peft_site_weight(s, &w, err);
}

static int
take(struct exact *x, size_t i, struct peft_err *err)
{
	const struct peft_site *s = &x->m->sites.at[i];
	float *a = peft_lora_factor(x->adapter, s, 0, err);
	float *b = peft_lora_factor(x->adapter, s, 1, err), *w = NULL;
	size_t k, at = 0, rank = 0;
	double scale = 0;
	int r = a == NULL || b == NULL ? -1 : 0;

	for (k = 0; r != -1 && k < x->m->nfolds; k++) {
		const struct peft_fold *f = &x->m->folds[k];

		if ((r = peft_exact_rank(f->adapter, s, &rank, &scale,
		    err)) != 1)
			continue;
		if (peft_exact_needs_base(f->adapter) && (w = weight_of(x->m,
		    s, err)) == NULL)
			return -1;
		r = peft_exact_factors(f->adapter, s, w, (float)(f->weight *
		    scale / x->scale[i]), a, b, x->rank[i], at, err);
		at += rank;
		free(w);
		w = NULL;
	}
	return r == -1 ? -1 : 0;
}

static int
make(struct exact *x, struct peft_lorasum *sum,
    void (*line)(void *, const struct peft_loraline *), void *ctx,
    struct peft_err *err)
{
	struct peft_loraline l = { .n = sum->weights };
	cJSON *c = config_of(x, sum);
	size_t i;
	int r;

	x->adapter = peft_adapter_new(c, &x->m->sites, 0, err);
	cJSON_Delete(c);
	r = x->adapter == NULL ? -1 : 0;
	for (i = 0; r == 0 && i < x->m->sites.n; i++) {
		if (!x->taken[i])
			continue;
		r = take(x, i, err);
		l.name = x->m->sites.at[i].path;
		l.i++;
		line(ctx, &l);
	}
	return r;
}

int
peft_merge_exact_lora(struct peft_merge *m, const struct peft_loraopt *opt,
    bool dry, void (*line)(void *, const struct peft_loraline *), void *ctx,
    struct peft_lorasum *sum, struct peft_err *err)
{
	struct exact x = { .m = m, .rslora = opt->rslora };
	size_t n = m->sites.n + 1;
	int r = -1;

	x.rank = peft_calloc(n, sizeof(*x.rank), err);
	x.scale = peft_calloc(n, sizeof(*x.scale), err);
	x.taken = peft_calloc(n, sizeof(*x.taken), err);
	if (x.rank != NULL && x.scale != NULL && x.taken != NULL &&
	    look(&x, sum, err) == 0 && make(&x, sum, line, ctx, err) == 0)
		r = dry ? 0 : peft_merge_save_lora(m, opt->layout, x.adapter,
		    err);
	peft_adapter_close(x.adapter);
	free(x.rank);
	free(x.scale);
	free(x.taken);
	return r;
}
