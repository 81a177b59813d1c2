/* SPDX-License-Identifier: Apache-2.0 */
/* What is merged, as a LoRA adapter of its own. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/lowrank.h"
#include "math/vec.h"
#include "merge/lora.h"
#include "merge/merge-impl.h"
#include "quant/quant.h"

/* What an adapter may lose of a change where the rank is to be found. */
static const double enough = 1e-6;	/* of its squared norm */

struct work {
	struct peft_merge		*m;
	const struct peft_loraopt	*opt;
	struct peft_source		*tuned;
	struct peft_cpu			*cpu;
	struct peft_adapter		*adapter;
	bool				*taken;	/* [sites] */
	size_t				 rank, ntaken;
	size_t				 full;	/* of weights that need all */
	float				*change, *rest;	/* of one weight */
	float				*b, *a;		/* its factors */
	struct peft_lorasum		*sum;
};

/* The tuned model's weight of that name. */
static int
rows_tuned(struct work *w, const struct peft_weight *from, float *to,
    struct peft_err *err)
{
	size_t i = peft_source_find(w->tuned, from->name);
	const char *label = peft_source_label(w->tuned);
	struct peft_weight other;

	if (i == SIZE_MAX)
		return peft_seterr(err, "%s does not have it", label);
	if (peft_source_load(w->tuned, i, &other, err) == -1)
		return -1;
	if (other.rows != from->rows || other.cols != from->cols)
		return peft_setfail(err, PEFT_CHECK, "in %s it is %zu x %zu, in "
		    "the base %zu x %zu", label, other.rows, other.cols,
		    from->rows, from->cols);
	if (!peft_can_decode(other.dtype))
		return peft_seterr(err, "%s: values of type %s cannot be "
		    "computed with", label, peft_dtypes[other.dtype].name);
	peft_decode(&other, 0, other.nelem, to);
	return 0;
}

/* What the weight becomes; the base's if nothing changes it. */
static int
rows_after(struct work *w, const struct peft_weight *from, float *to,
    struct peft_err *err)
{
	struct peft_rows base = peft_rows_of(from), merged;
	size_t i;
	int r;

	if (w->tuned != NULL)
		return rows_tuned(w, from, to, err);
	peft_decode(from, 0, from->nelem, to);
	for (i = 0; i < w->m->nfolds; i++) {
		r = peft_adapter_merge(w->m->folds[i].adapter, from->name,
		    &base, w->m->folds[i].weight, &merged, err);
		if (r != 1) {
			if (r == -1)
				return -1;
			continue;
		}
		r = merged.get(merged.ctx, 0, from->rows, w->rest, err);
		peft_rows_free(&merged);
		if (r == -1)
			return -1;
		/* what each makes of the base adds up */
		peft_vec_best()->add(to, w->rest, from->nelem);
		peft_decode(from, 0, from->nelem, w->rest);
		peft_vec_best()->axpy(to, -1, w->rest, from->nelem);
	}
	return 0;
}

/* change = after - before, as it is stored; its squared norm. */
static int
change_of(struct work *w, size_t i, struct peft_weight *from, double *change2,
    struct peft_err *err)
{
	if (peft_source_load(w->m->base, i, from, err) == -1)
		return -1;
	free(w->change);
	free(w->rest);
	w->change = peft_calloc(from->nelem, sizeof(float), err);
	w->rest = peft_calloc(from->nelem, sizeof(float), err);
	if (w->change == NULL || w->rest == NULL)
		return -1;
	if (rows_after(w, from, w->change, err) == -1)
		return peft_errprefix(err, "weight %s", from->name);
	peft_decode(from, 0, from->nelem, w->rest);
	peft_vec_best()->axpy(w->change, -1, w->rest, from->nelem);
	*change2 = peft_vec_ref.sumsq(w->change, from->nelem);
	if (!isfinite(*change2))
		return peft_setfail(err, PEFT_NUMERIC, "weight %s: its change "
		    "is not finite", from->name);
	return 0;
}

/* [out, in], where it is stored the other way round. */
static void
turn(struct work *w, const struct peft_site *s)
{
	float *t;
	size_t i, k;

	if (!s->transposed)
		return;
	for (i = 0; i < s->out; i++)
		for (k = 0; k < s->in; k++)
			w->rest[i * s->in + k] = w->change[k * s->out + i];
	t = w->change;
	w->change = w->rest;
	w->rest = t;
}

static size_t
most_rank(const struct peft_site *s)
{
	return s->in < s->out ? s->in : s->out;
}

/* w->b, w->a of this rank; what it loses. */
static int
approximate(struct work *w, const struct peft_site *s, size_t rank,
    double *lost2, struct peft_err *err)
{
	size_t n = s->in * s->out;

	free(w->b);
	free(w->a);
	w->b = peft_calloc(s->out * rank, sizeof(float), err);
	w->a = peft_calloc(s->in * rank, sizeof(float), err);
	if (w->b == NULL || w->a == NULL || peft_low_rank(w->cpu, w->change,
	    s->out, s->in, rank, w->b, w->a, err) == -1)
		return -1;
	memcpy(w->rest, w->change, n * sizeof(*w->rest));
	peft_gemm(w->cpu, PEFT_N, PEFT_N, s->out, s->in, rank, -1, w->b, rank,
	    w->a, s->in, 1, w->rest, s->in);
	*lost2 = peft_vec_ref.sumsq(w->rest, n);
	return 0;
}

/* Into the adapter, whose rank may be more than this weight has. */
static int
take(struct work *w, const struct peft_site *s, size_t rank,
    struct peft_err *err)
{
	float *a = peft_lora_factor(w->adapter, s, 0, err);
	float *b = peft_lora_factor(w->adapter, s, 1, err);
	size_t i;

	if (a == NULL || b == NULL)
		return -1;
	memset(a, 0, w->rank * s->in * sizeof(*a));
	memset(b, 0, s->out * w->rank * sizeof(*b));
	memcpy(a, w->a, rank * s->in * sizeof(*a));
	for (i = 0; i < s->out; i++)
		memcpy(b + i * w->rank, w->b + i * rank, rank * sizeof(*b));
	return 0;
}

/* Raise the rank until it is enough for this change. */
static int
find_rank(struct work *w, const struct peft_site *s, double change2,
    struct peft_err *err)
{
	size_t most = most_rank(s);
	double lost2;

	for (;; w->rank *= 2) {
		if (w->rank >= most) {
			w->full = most > w->full ? most : w->full;
			return 0;
		}
		if (approximate(w, s, w->rank, &lost2, err) == -1)
			return -1;
		if (lost2 <= enough * change2)
			return 0;
	}
}

/* Which linear weights change; and is there anything else that does? */
static int
look(struct work *w, struct peft_err *err)
{
	const struct peft_sites *sites = &w->m->sites;
	struct peft_weight from;
	double change2;
	size_t i, leaf;

	for (i = 0; i < sites->n; i++)
		for (leaf = 0; leaf < 2; leaf++) {
			const struct peft_site *s = &sites->at[i];
			size_t at = leaf == 0 ? s->weight : s->bias;

			if (at == SIZE_MAX)
				continue;
			if (change_of(w, at, &from, &change2, err) == -1)
				return -1;
			if (change2 == 0)
				continue;
			if (s->kind == PEFT_LINEAR && leaf == 0) {
				w->taken[i] = true;
				w->ntaken++;
				turn(w, s);
				if (w->opt->rank == 0 && find_rank(w, s,
				    change2, err) == -1)
					return -1;
				continue;
			}
			if (w->sum->left_out++ == 0)
				snprintf(w->sum->left, sizeof(w->sum->left),
				    "%s", from.name);
		}
	return 0;
}

static int
check(const struct work *w, struct peft_err *err)
{
	const struct peft_sites *sites = &w->m->sites;
	size_t i;

	if (w->sum->left_out > 0 && !w->opt->lossy)
		return peft_setfail(err, PEFT_CHECK, "%zu weights change that "
		    "are no linear layers', %s the first: LoRA has no place for "
		    "them (--force-lossy leaves them out)", w->sum->left_out,
		    w->sum->left);
	if (w->ntaken == 0)
		return peft_setfail(err, PEFT_CHECK, "no linear layer changes: "
		    "there is nothing for an adapter");
	for (i = 0; w->opt->rank > 0 && i < sites->n; i++)
		if (w->taken[i] && w->rank > most_rank(&sites->at[i]))
			return peft_seterr(err, "%s is %zu x %zu: a rank of "
			    "%zu is more than it has", sites->at[i].path,
			    sites->at[i].out, sites->at[i].in, w->rank);
	return 0;
}

static int
make_all(struct work *w, void (*line)(void *, const struct peft_loraline *),
    void *ctx, struct peft_err *err)
{
	const struct peft_sites *sites = &w->m->sites;
	struct peft_loraline l = { .n = w->ntaken };
	struct peft_weight from;
	double share;
	size_t i;

	for (i = 0; i < sites->n; i++) {
		const struct peft_site *s = &sites->at[i];
		size_t rank = most_rank(s);

		if (!w->taken[i])
			continue;
		if (change_of(w, s->weight, &from, &l.change2, err) == -1)
			return -1;
		turn(w, s);
		rank = w->rank < rank ? w->rank : rank;
		if (approximate(w, s, rank, &l.lost2, err) == -1 ||
		    take(w, s, rank, err) == -1)
			return -1;
		l.name = from.name;
		l.i++;
		line(ctx, &l);
		w->sum->weights++;
		w->sum->change2 += l.change2;
		w->sum->lost2 += l.lost2;
		share = l.lost2 / l.change2;
		if (w->sum->weights == 1 || share > w->sum->most_lost) {
			w->sum->most_lost = share;
			snprintf(w->sum->most, sizeof(w->sum->most), "%s",
			    from.name);
		}
	}
	return 0;
}

static int
to_lora(struct work *w, bool dry,
    void (*line)(void *, const struct peft_loraline *), void *ctx,
    struct peft_err *err)
{
	cJSON *config;

	w->taken = peft_calloc(w->m->sites.n + 1, sizeof(*w->taken), err);
	if (w->taken == NULL || (w->cpu = peft_cpu_open(w->m->opt.threads,
	    err)) == NULL)
		return -1;
	if (w->opt->tuned != NULL && (w->tuned = peft_source_open(
	    w->opt->tuned, err)) == NULL)
		return -1;
	if (look(w, err) == -1 || check(w, err) == -1)
		return -1;
	if (w->full > 0 && w->rank > w->full)
		w->rank = w->full;	/* no more is needed by any */
	w->sum->rank = w->rank;
	config = peft_lora_config(&w->m->sites, w->taken, w->rank, NULL);
	if (w->opt->rslora)
		peft_lora_config_rslora(config, &w->m->sites, w->taken);
	w->adapter = peft_adapter_new(config, &w->m->sites, 0, err);
	cJSON_Delete(config);
	if (w->adapter == NULL || make_all(w, line, ctx, err) == -1)
		return -1;
	return dry ? 0 : peft_merge_save_lora(w->m, w->opt->layout, w->adapter,
	    err);
}

int
peft_merge_to_lora(struct peft_merge *m, const struct peft_loraopt *opt,
    bool dry, void (*line)(void *, const struct peft_loraline *), void *ctx,
    struct peft_lorasum *sum, struct peft_err *err)
{
	struct work w = { .m = m, .opt = opt, .sum = sum,
	    .rank = opt->rank > 0 ? opt->rank : 1 };
	int r;

	memset(sum, 0, sizeof(*sum));
	if (!dry && peft_merge_probe_lora(m, opt->layout, err) == -1)
		return -1;
	if (opt->exact)
		return peft_merge_exact_lora(m, opt, dry, line, ctx, sum, err);
	r = to_lora(&w, dry, line, ctx, err);
	peft_adapter_close(w.adapter);
	peft_source_close(w.tuned);
	peft_cpu_close(w.cpu);
	free(w.taken);
	free(w.change);
	free(w.rest);
	free(w.b);
	free(w.a);
	return r;
}
