/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters in other tools' layouts over a model: where each pair goes. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/layout-impl.h"
#include "quant/quant.h"

enum { MOST_STEMS = 64 };

/* All stems of all modules: the site's index, SIZE_MAX: of several. */
struct index {
	struct peft_map	 map;
	char		**names;
	size_t		 n, cap;
};

static void
free_index(struct index *x)
{
	size_t i;

	for (i = 0; i < x->n; i++)
		free(x->names[i]);
	free(x->names);
	peft_map_free(&x->map);
}

static int
add_name(struct index *x, const char *name, size_t site, struct peft_err *err)
{
	size_t *old = peft_map_find(&x->map, name, strlen(name));
	char **grown;

	if (old != NULL) {
		if (*old != site)
			*old = SIZE_MAX;
		return 0;
	}
	grown = peft_grow(x->names, x->n, &x->cap, sizeof(*grown), err);
	if (grown == NULL)
		return -1;
	x->names = grown;
	if ((x->names[x->n] = peft_strdup(name, err)) == NULL)
		return -1;
	x->n++;
	return peft_map_add(&x->map, x->names[x->n - 1], strlen(name), site,
	    err) == -1 ? -1 : 0;
}

static bool
may_have(const struct peft_layout *l, const struct peft_site *s)
{
	return s->kind == PEFT_LINEAR || s->kind == PEFT_HEAD ||
	    (s->kind == PEFT_EMBEDDING && l->embeds);
}

static int
make_index(struct index *x, const struct peft_layout *l,
    const struct peft_sites *sites, struct peft_err *err)
{
	struct peft_buf name = { 0 };
	size_t i;
	int k, r = 0;

	for (i = 0; r != -1 && i < sites->n; i++)
		for (k = 0; may_have(l, &sites->at[i]) && k < MOST_STEMS; k++) {
			peft_buf_clear(&name);
			r = l->stem(sites, &sites->at[i], k, &name, err);
			if (r == 1)
				r = name.failed ? peft_seterr(err,
				    "no memory") : add_name(x, name.data, i,
				    err) == -1 ? -1 : 1;
			if (r != 1)
				break;
		}
	peft_buf_free(&name);
	return r == -1 ? -1 : 0;
}

/* A tensor of a pair, which has one at least. */
static const char *
tensor_of(const struct peft_foreign *f, const struct peft_pair *p)
{
	int h = 0;

	while (p->at[h] == SIZE_MAX)
		h++;
	return peft_source_at(f->source, p->at[h])->name;
}

static int
place(const struct peft_foreign *f, struct peft_pair *p,
    const struct index *x, const struct peft_sites *sites, bool *taken,
    struct peft_err *err)
{
	const size_t *k = peft_map_find(&x->map, p->stem, strlen(p->stem));
	const char *a = tensor_of(f, p);
	const struct peft_site *s;

	if (k == NULL)
		return peft_setfail(err, PEFT_CHECK, "tensor %s fits no linear "
		    "layer of this model", a);
	if (*k == SIZE_MAX)
		return peft_setfail(err, PEFT_CHECK, "tensor %s may be of "
		    "several modules of this model", a);
	s = &sites->at[*k];
	if (taken[*k])
		return peft_setfail(err, PEFT_CHECK, "tensor %s is a second "
		    "LoRA of %s", a, s->path);
	if (p->in != s->in || p->out != s->out)
		return peft_setfail(err, PEFT_CHECK, "%s is for %zu x %zu, %s "
		    "is %zu x %zu", p->stem, p->out, p->in, s->path, s->out,
		    s->in);
	p->site = s;
	taken[*k] = true;
	return 0;
}

static int
by_site(const void *a, const void *b)
{
	const struct peft_pair *x = a, *y = b;

	return x->site < y->site ? -1 : x->site > y->site;
}

/* In the order of the model, whatever the file's is. */
static int
place_all(struct peft_foreign *f, const struct peft_sites *sites, bool *taken,
    struct peft_err *err)
{
	struct index x = { 0 };
	size_t i;
	int r = make_index(&x, f->layout, sites, err);

	for (i = 0; r == 0 && i < f->n; i++)
		r = place(f, &f->pairs[i], &x, sites, taken, err);
	free_index(&x);
	if (r == 0)
		qsort(f->pairs, f->n, sizeof(*f->pairs), by_site);
	return r;
}

/* Ranks and alphas other than the first pair's. */
static void
add_patterns(const struct peft_foreign *f, cJSON *c)
{
	cJSON *ranks = cJSON_CreateObject(), *alphas = cJSON_CreateObject();
	size_t i;

	for (i = 1; i < f->n; i++) {
		const struct peft_pair *p = &f->pairs[i];

		peft_lora_pattern(ranks, alphas, p->site->path, p->rank,
		    f->pairs[0].rank, p->alpha, f->pairs[0].alpha);
	}
	cJSON_AddItemToObject(c, "rank_pattern", ranks);
	cJSON_AddItemToObject(c, "alpha_pattern", alphas);
}

/* DoRA is a setting of all modules of an adapter. */
static int
add_magnitudes(const struct peft_foreign *f, cJSON *c, struct peft_err *err)
{
	bool first = f->pairs[0].at[PEFT_HALF_M] != SIZE_MAX;
	size_t i;

	for (i = 1; i < f->n; i++)
		if ((f->pairs[i].at[PEFT_HALF_M] != SIZE_MAX) != first)
			return peft_setfail(err, PEFT_CHECK, "%s has a "
			    "magnitude (DoRA) and %s has none",
			    f->pairs[first ? 0 : i].stem,
			    f->pairs[first ? i : 0].stem);
	cJSON_AddBoolToObject(c, "use_dora", first);
	return 0;
}

/* Of another method than LoRA. */
static int
adapt(struct peft_foreign *f, cJSON *c, struct peft_err *err)
{
	cJSON *alpha = cJSON_DetachItemFromObjectCaseSensitive(c,
	    "lora_alpha");

	cJSON_AddItemToObject(c, "alpha", alpha);
	peft_json_set(c, "peft_type", cJSON_CreateString(
	    f->layout->method->type));
	return f->layout->adapt == NULL ? 0 : f->layout->adapt(f, c, err);
}

static cJSON *
config_of(struct peft_foreign *f, const struct peft_sites *sites,
    const bool *taken, struct peft_err *err)
{
	cJSON *c = peft_lora_config(sites, taken, f->pairs[0].rank, NULL);

	peft_json_set(c, "lora_alpha", cJSON_CreateNumber(f->pairs[0].alpha));
	if (f->dropout > 0)
		cJSON_AddNumberToObject(c, "lora_dropout", f->dropout);
	add_patterns(f, c);
	if (f->layout->method != NULL ? adapt(f, c, err) == 0 :
	    add_magnitudes(f, c, err) == 0)
		return c;
	cJSON_Delete(c);
	return NULL;
}

struct peft_order
peft_layout_order(const struct peft_layout *l, const struct peft_sites *sites,
    const struct peft_site *s)
{
	const struct peft_order none = { 0 };

	return l->order == NULL ? none : l->order(sites, s);
}

size_t
peft_layout_row(const struct peft_order *o, size_t i, size_t rows)
{
	return o->heads > 0 ? peft_permute_to_gguf(i, rows, o) : i;
}

/* A half into a parameter [n, m] (a magnitude: [n]). */
static int
take(const struct peft_foreign *f, size_t i, const struct peft_order *order,
    struct peft_param *p, struct peft_err *err)
{
	size_t n = p->shape[0], m = p->ndim > 1 ? p->shape[1] : 1, k, j;
	bool turned = f->layout->turned && p->ndim > 1;
	struct peft_weight w;
	float *v;

	if (peft_source_load(f->source, i, &w, err) == -1 ||
	    (v = peft_calloc(w.nelem + 1, sizeof(*v), err)) == NULL)
		return -1;
	peft_decode(&w, 0, w.nelem, v);
	for (k = 0; k < n; k++) {
		size_t row = peft_layout_row(order, k, n);

		for (j = 0; j < m; j++)
			p->value[k * m + j] = turned ? v[j * n + row] :
			    v[row * m + j];
	}
	free(v);
	if (peft_vec_best()->nonfinite(p->value, p->n))
		return peft_setfail(err, PEFT_NUMERIC, "tensor %s holds NaN "
		    "or Inf", w.name);
	return 0;
}

static const struct peft_pair *
pair_at(const struct peft_foreign *f, const struct peft_site *s)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (f->pairs[i].site == s)
			return &f->pairs[i];
	return NULL;
}

/* All halves of a module; a shape that its settings do not give: an error. */
static int
take_all(const struct peft_foreign *f, const struct peft_pair *p,
    const struct peft_module *m, const struct peft_order *order,
    struct peft_err *err)
{
	const struct peft_order none = { 0 };
	struct peft_param *q;
	int h;

	for (h = 0; h < PEFT_NHALF; h++) {
		if (h == PEFT_HALF_ALPHA || f->layout->tails[h] == NULL)
			continue;
		q = peft_layout_half(f->layout, m, h);
		if (f->layout->method != NULL && ((q != NULL) != (p->at[h] !=
		    SIZE_MAX) || (q != NULL && (peft_source_at(f->source,
		    p->at[h])->shape[0] != q->shape[0] || peft_source_at(
		    f->source, p->at[h])->nelem != q->n))))
			return peft_setfail(err, PEFT_CHECK, "no settings of "
			    "PEFT's %s give %s and the others their tensors "
			    "of these shapes", f->layout->method->type,
			    p->stem);
		if (p->at[h] != SIZE_MAX && take(f, p->at[h],
		    h == PEFT_HALF_A ? &none : order, q, err) == -1)
			return -1;
	}
	return 0;
}

static int
fill(const struct peft_foreign *f, const struct peft_sites *sites,
    struct peft_adapter *a, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < a->nmodules; i++) {
		const struct peft_module *m = &a->modules[i];
		const struct peft_pair *p = pair_at(f, m->site);
		struct peft_order order;

		if (p == NULL)
			return peft_seterr(err, "%s has no part in the file",
			    m->site == NULL ? "the model" : m->site->path);
		order = peft_layout_order(f->layout, sites, m->site);
		if (take_all(f, p, m, &order, err) == -1)
			return -1;
	}
	return 0;
}

/* Parameters that only PEFT's files have. */
static void
drop_others(struct peft_adapter *a)
{
	size_t i;

	for (i = 0; i < a->nparams; i++)
		if (a->params[i].droppable) {
			a->nvalues -= a->params[i].n;
			a->params[i].n = 0;
			a->params[i].unsaved = true;
		}
}

struct peft_adapter *
peft_foreign_adapter(struct peft_foreign *f, const struct peft_sites *sites,
    struct peft_err *err)
{
	bool *taken = peft_calloc(sites->n + 1, sizeof(*taken), err);
	struct peft_adapter *a = NULL;
	cJSON *config = NULL;

	if (taken != NULL && (f->layout->fits == NULL ||
	    f->layout->fits(f, sites, err) == 0) &&
	    place_all(f, sites, taken, err) == 0)
		config = config_of(f, sites, taken, err);
	free(taken);
	if (config == NULL)
		return NULL;
	a = peft_adapter_make(config, sites, false, err);
	cJSON_Delete(config);
	if (a == NULL)
		return NULL;
	drop_others(a);
	if (peft_adapter_lay_out(a, err) == 0 &&
	    fill(f, sites, a, err) == 0)
		return a;
	peft_adapter_close(a);
	return NULL;
}
