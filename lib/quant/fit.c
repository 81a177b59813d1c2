/* SPDX-License-Identifier: Apache-2.0 */
/* Types for a budget, by measured errors. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "math/pool.h"
#include "quant/fit-impl.h"
#include "quant/quant.h"

/* Values of a matrix that are looked at: enough for two digits of its error,
 * and types differ in the first. */
static const size_t sample = (size_t)1 << 17;

struct fit {
	const struct peft_fitopt	*o;
	struct peft_source		*src;
	struct peft_spec		*specs;
	size_t				 n;
	struct peft_item		*items;		/* [n] */
	struct peft_weight		*weights;	/* [n], if free */
	struct job {
		size_t			 item, choice;
		struct peft_err		 err;
		int			 status;
	}				*jobs;
	size_t				 njobs, cap;
};

size_t
peft_fit_types(bool gguf, enum peft_dtype types[PEFT_NDTYPE])
{
	static const enum peft_dtype blocks[] = { PEFT_Q2_K, PEFT_Q3_K,
	    PEFT_Q4_K, PEFT_Q5_K, PEFT_Q6_K, PEFT_IQ4_XS, PEFT_IQ4_NL,
	    PEFT_Q4_0, PEFT_Q4_1, PEFT_Q5_0, PEFT_Q5_1, PEFT_Q8_0, PEFT_F16 };
	static const enum peft_dtype others[] = { PEFT_NF4, PEFT_BF16 };

	if (gguf)
		memcpy(types, blocks, sizeof(blocks));
	else
		memcpy(types, others, sizeof(others));
	return gguf ? sizeof(blocks) / sizeof(blocks[0]) :
	    sizeof(others) / sizeof(others[0]);
}

/* Bytes of a weight's data and scales; what surrounds them is in the size of
 * the whole. */
static size_t
bytes_of(const struct peft_spec *s)
{
	const struct peft_dtype_info *d = &peft_dtypes[s->dtype];
	size_t n = 1, blocks, edge = s->blocksize;
	int i;

	for (i = 0; i < s->ndim; i++)
		n *= s->shape[i];
	if (s->dtype == PEFT_INT8)
		return n + 4 * (n / s->shape[s->ndim - 1]);
	if (s->dtype == PEFT_F8G_E4M3)
		return n + 4 * ((s->shape[0] + edge - 1) / edge) *
		    ((s->shape[1] + edge - 1) / edge);
	if (!peft_is_4bit(s->dtype))
		return n / d->block * d->bytes;
	blocks = (n + s->blocksize - 1) / s->blocksize;
	return (n + 1) / 2 + (s->nested ? blocks + (blocks + 255) / 256 * 4 :
	    blocks * 4);
}

static int
add_choice(struct fit *f, size_t i, const struct peft_spec *s,
    struct peft_err *err)
{
	struct peft_item *it = &f->items[i];
	struct peft_choice *grown;
	struct job *jobs;

	grown = peft_grow(it->at, it->n, &it->cap, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	it->at = grown;
	it->at[it->n] = (struct peft_choice){ .spec = *s,
	    .bytes = bytes_of(s) };
	jobs = peft_grow(f->jobs, f->njobs, &f->cap, sizeof(*jobs), err);
	if (jobs == NULL)
		return -1;
	f->jobs = jobs;
	f->jobs[f->njobs++] = (struct job){ .item = i, .choice = it->n++ };
	return 0;
}

/* Can a weight of rows of so many, which would be stored as `probe' if
 * quantised, have type t? */
static bool
may_have(size_t cols, const struct peft_spec *probe, bool gguf,
    enum peft_dtype t)
{
	const struct peft_dtype_info *d = &peft_dtypes[t];

	if (!peft_can_encode(t) || cols % d->block != 0)
		return false;
	if (gguf)
		return d->ggml >= 0;
	return peft_is_4bit(t) || t == PEFT_INT8 ? peft_is_4bit(probe->dtype) :
	    d->st != NULL;
}

/* The allowed types of weight i, and its own if that is a float. */
static int
add_choices(struct fit *f, size_t i, const struct peft_spec *probe, bool gguf,
    struct peft_err *err)
{
	const struct peft_weight *w = &f->weights[i];
	struct peft_spec own = f->specs[i];
	bool there = !peft_is_float(w->dtype);
	size_t k;

	for (k = 0; k < f->o->ntypes; k++) {
		enum peft_dtype type = f->o->types[k];
		struct peft_spec s = peft_is_4bit(type) ? *probe : own;

		s.dtype = type;
		if (s.dtype == PEFT_INT8)
			s.blocksize = 0;
		if (!may_have(own.cols, probe, gguf, s.dtype) ||
		    (peft_needs_importance(s.dtype) && own.importance == NULL))
			continue;
		there |= s.dtype == w->dtype;
		if (add_choice(f, i, &s, err) == -1)
			return -1;
	}
	own.dtype = w->dtype;
	if (!there && may_have(own.cols, probe, gguf, own.dtype))
		return add_choice(f, i, &own, err);
	return 0;
}

/* Has a rule decided, or what it is? */
static bool
is_settled(const struct peft_spec *s)
{
	return s->why != NULL && (strcmp(s->why, "kept") == 0 ||
	    strcmp(s->why, "rule") == 0 || strcmp(s->why, "small") == 0);
}

/* What a plan for a quantised type changes is free. */
static int
find_free(struct fit *f, const struct peft_convertopt *convert,
    struct peft_fitted *out, struct peft_err *err)
{
	struct peft_convertopt o = *convert;
	struct peft_spec *probe;
	size_t n, i;
	int r = 0;

	o.dtype = o.gguf ? PEFT_Q8_0 : PEFT_NF4;
	o.mix = NULL;
	if ((probe = peft_convert_plan(f->src, &o, &n, err)) == NULL)
		return -1;
	for (i = 0; r == 0 && i < f->n; i++) {
		if (probe[i].ndim < 2 || is_settled(&probe[i]))
			continue;
		r = peft_source_load(f->src, i, &f->weights[i], err);
		if (r == 0)
			r = add_choices(f, i, &probe[i], o.gguf, err);
		out->free += f->items[i].n > 0;
	}
	free(probe);
	return r == 0 && out->free == 0 ? peft_seterr(err, "--fit: there is no "
	    "weight whose type could be chosen") : r;
}

static void
measure(void *ctx, size_t i, int thread)
{
	struct fit *f = ctx;
	struct job *job = &f->jobs[i];
	struct peft_choice *c = &f->items[job->item].at[job->choice];
	const struct peft_weight *w = &f->weights[job->item];
	const struct peft_sensitivity *s = f->o->sens == NULL ? NULL :
	    &f->o->sens[job->item];
	struct peft_fidelity e;

	(void)thread;
	if (c->spec.dtype == w->dtype && !peft_is_4bit(w->dtype))
		return;				/* copied: costs nothing */
	job->status = peft_fidelity(w, &c->spec, s, sample, &e, &job->err);
	c->cost = s != NULL ? e.weighted : e.value2 > 0 ? e.error2 /
	    e.value2 : 0;
}

/* A type that cannot hold a weight's values (f16) is none for it. */
static int
settle(struct fit *f, struct peft_err *err)
{
	size_t i, k;

	for (k = 0; k < f->njobs; k++) {
		const struct job *job = &f->jobs[k];

		if (job->status == 0)
			continue;
		if (job->err.status != PEFT_NUMERIC) {
			*err = job->err;
			return -1;
		}
		f->items[job->item].at[job->choice].cost = INFINITY;
	}
	for (i = 0; i < f->n; i++) {
		struct peft_item *it = &f->items[i];
		size_t from = it->n, n = 0;

		for (k = 0; k < from; k++)
			if (isfinite(it->at[k].cost))
				it->at[n++] = it->at[k];
		it->n = n;
		if (from > 0 && n == 0)
			return peft_setfail(err, PEFT_NUMERIC, "weight %s: no "
			    "type can hold its values", f->specs[i].name);
		peft_choices_sort(it);
	}
	return 0;
}

static int
measure_all(struct fit *f, struct peft_err *err)
{
	struct peft_pool *pool = peft_pool_open(f->o->threads < 1 ? 1 :
	    f->o->threads, err);

	if (pool == NULL)
		return -1;
	peft_pool_run(pool, f->njobs, measure, f);
	peft_pool_close(pool);
	return settle(f, err);
}

/* Take the choices over into the specs; the bytes of the output. */
static int
apply(struct fit *f, size_t *bytes, double *cost, struct peft_err *err)
{
	size_t i;

	for (*cost = 0, i = 0; i < f->n; i++) {
		const struct peft_item *it = &f->items[i];
		const char *why = f->specs[i].why;

		if (it->n == 0)
			continue;
		f->specs[i] = it->at[it->chosen].spec;
		f->specs[i].why = why;
		*cost += it->at[it->chosen].cost;
	}
	return f->o->size(f->o->ctx, f->specs, f->n, bytes, err);
}

/* The chosen ones compactly, for peft_choose(). */
static int
choose(struct fit *f, size_t budget, struct peft_err *err)
{
	struct peft_item *list = peft_calloc(f->n + 1, sizeof(*list), err);
	size_t i, n = 0;
	int r = list == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < f->n; i++)
		if (f->items[i].n > 0)
			list[n++] = f->items[i];
	if (r == 0)
		r = peft_choose(list, n, budget, err);
	for (i = 0, n = 0; r == 0 && i < f->n; i++)
		if (f->items[i].n > 0)
			f->items[i].chosen = list[n++].chosen;
	free(list);
	return r;
}

/* What surrounds the weights depends a little on their types (names, padding),
 * so the first answer may be over by as much; it is asked again with less. */
static int
solve(struct fit *f, struct peft_fitted *out, struct peft_err *err)
{
	size_t budget, least, sum = 0, i;
	int tries;

	if (choose(f, 0, err) == -1 ||
	    apply(f, &least, &out->cost, err) == -1)
		return -1;
	out->bytes = out->least = least;
	if (least > f->o->budget)
		return peft_setfail(err, PEFT_CHECK, "--fit: %zu bytes are not "
		    "enough, the smallest possible is %zu", f->o->budget,
		    least);
	for (i = 0; i < f->n; i++)
		sum += f->items[i].n > 0 ? f->items[i].at[0].bytes : 0;
	budget = sum + (f->o->budget - least);
	for (tries = 0; tries < 64; tries++) {
		if (choose(f, budget, err) == -1 ||
		    apply(f, &out->bytes, &out->cost, err) == -1)
			return -1;
		if (out->bytes <= f->o->budget)
			return 0;
		budget -= out->bytes - f->o->budget < budget ?
		    out->bytes - f->o->budget : budget;
	}
	if (choose(f, 0, err) == -1)
		return -1;
	return apply(f, &out->bytes, &out->cost, err);
}

int
peft_fit(struct peft_source *src, const struct peft_convertopt *convert,
    const struct peft_fitopt *opt, struct peft_spec *specs, size_t n,
    struct peft_fitted *out, struct peft_err *err)
{
	struct peft_fitopt o = *opt;
	struct fit f = { .o = &o, .src = src, .specs = specs, .n = n };
	size_t i;
	int r = -1;

	*out = (struct peft_fitted){ 0 };
	if (o.ntypes == 0)
		o.ntypes = peft_fit_types(convert->gguf, o.types);
	f.items = peft_calloc(n + 1, sizeof(*f.items), err);
	f.weights = peft_calloc(n + 1, sizeof(*f.weights), err);
	if (f.items != NULL && f.weights != NULL &&
	    find_free(&f, convert, out, err) == 0 &&
	    measure_all(&f, err) == 0)
		r = solve(&f, out, err);
	for (i = 0; f.items != NULL && i < n; i++)
		free(f.items[i].at);
	free(f.items);
	free(f.weights);
	free(f.jobs);
	return r;
}
