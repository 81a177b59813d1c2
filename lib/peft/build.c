/* SPDX-License-Identifier: Apache-2.0 */
/* The modules of an adapter, and their tensors' names and shapes. */

#include <stdlib.h>
#include <string.h>

#include "peft/hub.h"
#include "peft/parameters.h"
#include "peft/target.h"

static char *
name_of(const struct peft_module *m, const struct peft_shape *s,
    struct peft_err *err)
{
	struct peft_buf b = { 0 };
	const char *path = m->site == NULL ? "" : m->site->path, *dot;
	int n = (int)strlen(path);
	char *name = NULL;

	if (s->place == PEFT_AT_OUTPUT) {
		path = m->adapter->model->family->module != NULL ?
		    m->adapter->model->family->module :
		    m->adapter->model->family->head;
		n = (int)strlen(path);
	} else if (s->place == PEFT_AT_OWNER &&
	    (dot = strrchr(path, '.')) != NULL)
		n = (int)(dot - path);
	if (s->group != NULL)
		peft_hub_name(m, s, &b);
	else if (s->place <= PEFT_AT_OUTPUT)
		peft_buf_printf(&b, "%s%.*s.%s", m->adapter->method->hub ?
		    "" : m->adapter->method->kinds == 0 ? "base_model." :
		    PEFT_PREFIX, n, path, s->suffix);
	else
		peft_buf_printf(&b, "%s%s", s->place == PEFT_AT_MODEL ?
		    "base_model." : "", s->suffix);
	if (b.failed)
		peft_seterr(err, "no memory for a name");
	else
		name = peft_strdup(b.data, err);
	peft_buf_free(&b);
	return name;
}

/* Is it none of those that transformers spares weight decay? */
static bool
decays(const struct peft_module *m, const struct peft_shape *s)
{
	return s->decay && strstr(s->suffix, "bias") == NULL &&
	    (m->site == NULL || m->site->kind != PEFT_NORM);
}

static int
add_param(struct peft_adapter *a, const struct peft_module *m,
    const struct peft_shape *s, struct peft_err *err)
{
	struct peft_param *p = &a->params[a->nparams];
	int d;

	*p = (struct peft_param){ .ndim = s->ndim, .n = 1,
	    .decay = decays(m, s), .fixed = s->fixed, .unsaved = s->unsaved,
	    .optional = s->optional, .droppable = s->droppable,
	    .whole = s->whole };
	if ((p->name = name_of(m, s, err)) == NULL)
		return -1;
	a->nparams++;
	for (d = 0; d < p->ndim; d++) {
		p->shape[d] = s->shape[d];
		if (__builtin_mul_overflow(p->n, p->shape[d], &p->n))
			return peft_seterr(err, "%s is too large", p->name);
	}
	if (__builtin_add_overflow(a->nvalues, p->n, &a->nvalues))
		return peft_seterr(err, "the adapter is too large");
	a->ngrads += p->fixed ? 0 : p->n;
	return 0;
}

static int
check_kind(const struct peft_method *method, const struct peft_site *site,
    struct peft_err *err)
{
	static const char *const kinds[] = {
		[PEFT_LINEAR] = "a linear layer",
		[PEFT_EMBEDDING] = "an embedding", [PEFT_HEAD] = "the head",
		[PEFT_NORM] = "a norm", [PEFT_ATTENTION] = "an attention",
		[PEFT_POSITION] = "an embedding of positions",
		[PEFT_EXPERT] = "a part of experts",
		[PEFT_STACK] = "a parameter of experts",
		[PEFT_JOIN] = "where a branch joins the stream",
	};

	if (method->kinds >> site->kind & 1)
		return 0;
	return peft_seterr(err, "%s is %s: %s cannot be put on it here",
	    site->path, kinds[site->kind], method->type);
}

/* A change of a weight has no more rank than the weight. */
static int
check_rank(const struct peft_module *m, struct peft_err *err)
{
	size_t in = m->site->in, out = m->site->out;

	if (!m->adapter->fresh || !m->method->bounded || m->rank <= in ||
	    m->rank <= out)
		return 0;
	return peft_seterr(err, "a rank of %zu is above both dimensions of "
	    "the weight, %zu and %zu", m->rank, out, in);
}

/* One module: its method's tensors become params (names and shapes). */
static int
add_module(struct peft_adapter *a, const struct peft_choice *c,
    struct peft_err *err)
{
	struct peft_module *m = &a->modules[a->nmodules];
	struct peft_shape shapes[PEFT_MAXPART];
	int i, r;

	memset(shapes, 0, sizeof(shapes));
	*m = (struct peft_module){ .adapter = a, .method = c->method,
	    .settings = c->settings, .site = c->site, .weight = 1,
	    .both = c->both || c->method->both };
	if (c->site != NULL && check_kind(c->method, c->site, err) == -1)
		return -1;
	r = c->site == NULL ? c->method->common(c->settings, m, shapes, err) :
	    c->method->shapes(c->settings, m, shapes, err);
	peft_beneath_shapes(m, shapes);
	if (r == 0 && c->site != NULL)
		r = check_rank(m, err);
	if (r == -1)
		return c->site == NULL ? -1 : peft_errprefix(err, "%s",
		    c->site->path);
	a->nmodules++;
	for (i = 0; i < PEFT_MAXPART; i++) {
		if (shapes[i].suffix == NULL)
			continue;
		m->param[i] = &a->params[a->nparams];
		if (add_param(a, m, &shapes[i], err) == -1)
			return -1;
	}
	return 0;
}

/* The methods that the adapter is made of. */
static const struct peft_part *
parts_of(const struct peft_adapter *a, struct peft_part *self, size_t *n)
{
	*n = 1;
	*self = (struct peft_part){ a->method, a->settings };
	return a->method->parts == NULL ? self :
	    a->method->parts(a->settings, n);
}

static void
choose_wanted(const struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_choice *chosen, size_t *n)
{
	struct peft_part self;
	size_t nparts, i, k;
	const struct peft_part *p = parts_of(a, &self, &nparts);

	for (*n = 0, k = 0; k < nparts; k++, p++)
		for (i = 0; i < sites->n; i++) {
			const struct peft_site *s = &sites->at[i];

			if (p->method->kinds >> s->kind & 1 &&
			    p->method->wanted(p->settings, a, s))
				chosen[(*n)++] = (struct peft_choice){ s,
				    p->method, p->settings, false };
		}
}

static int
choose_sites(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_choice *chosen, size_t *n, struct peft_err *err)
{
	const struct peft_site **at = peft_calloc(sites->n, sizeof(*at), err);
	const struct peft_setting *p = a->method->keys;
	size_t i, k = 0;
	int r = 0;

	*n = 0;
	if (at == NULL)
		return -1;
	if (a->method->kinds != 0 &&
	    peft_target_has_modules(a->config, sites))
		r = peft_target(a->config, sites, a->method->kinds,
		    a->method->usual, a->fresh, at, n, err);
	if (r == 0)
		r = peft_target_parameters(a->config, sites, a->fresh, at, n,
		    err);
	for (; r == 0 && p->key != NULL; p++)
		if (p->read == peft_set_pattern)
			r = peft_pattern_check(a->config, p->key, a->fresh,
			    at, *n, err);
	for (i = 0; i < *n; i++)
		if (a->method->wanted == NULL ||
		    a->method->wanted(a->settings, a, at[i]))
			chosen[k++] = (struct peft_choice){ at[i],
			    at[i]->kind == PEFT_STACK ? &peft_lora_stack :
			    a->method, a->settings, false };
	*n = k;
	free(at);
	return r;
}

/* Names are found by read.c; no two may be the same. */
static int
make_index(struct peft_adapter *a, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < a->nparams; i++) {
		const char *name = a->params[i].name;

		if (peft_map_find(&a->index, name, strlen(name)) != NULL)
			return peft_seterr(err, "the config asks for %s twice",
			    name);
		if (peft_map_add(&a->index, name, strlen(name), i, err) == -1)
			return -1;
	}
	return 0;
}

/* The trained ones come first. */
static int
sort_params(struct peft_adapter *a, struct peft_err *err)
{
	struct peft_param *to = peft_calloc(a->nparams + 1, sizeof(*to), err);
	size_t i, k = 0, fixed;
	int part, pass;

	if (to == NULL)
		return -1;
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < a->nparams; i++)
			if (a->params[i].fixed == pass)
				to[k++] = a->params[i];
		if (pass == 0)
			a->ntrained = k;
	}
	for (i = 0; i < a->nmodules; i++)
		for (part = 0; part < PEFT_MAXPART; part++) {
			struct peft_param **p = &a->modules[i].param[part];

			if (*p == NULL)
				continue;
			fixed = (*p)->fixed ? a->ntrained : 0;
			for (k = fixed; strcmp(to[k].name, (*p)->name) != 0;)
				k++;
			*p = &to[k];
		}
	free(a->params);
	a->params = to;
	return 0;
}

int
peft_adapter_build(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_err *err)
{
	struct peft_part self;
	size_t n = 0, nparts, i;
	const struct peft_part *part = parts_of(a, &self, &nparts);
	struct peft_choice *chosen = peft_calloc((3 + nparts) * sites->n +
	    nparts, sizeof(*chosen), err);
	int r = -1;

	a->model = sites->config;
	if (chosen != NULL && (a->method->hub || a->method->gather != NULL)) {
		choose_wanted(a, sites, chosen, &n);
		r = 0;
	} else if (chosen != NULL)
		r = choose_sites(a, sites, chosen, &n, err);
	a->nsites = n;
	for (i = 0; i < sites->n; i++)
		if (sites->at[i].kind == PEFT_EMBEDDING)
			a->embedding = &sites->at[i];
	if (r == 0)
		r = peft_extras(a, sites, chosen, &n, err);
	for (i = 0; i < a->nsites; i++) {
		const struct peft_site *s = chosen[i].site;

		a->most_in = s->in > a->most_in ? s->in : a->most_in;
		a->most_out = s->out > a->most_out ? s->out : a->most_out;
	}
	for (i = 0; r == 0 && i < nparts; i++)
		if (part[i].method->common != NULL)
			chosen[n++] = (struct peft_choice){ NULL,
			    part[i].method, part[i].settings, false };
	if (r == 0) {
		a->modules = peft_calloc(n, sizeof(*a->modules), err);
		a->params = peft_calloc(n * PEFT_MAXPART, sizeof(*a->params),
		    err);
		r = a->modules == NULL || a->params == NULL ? -1 : 0;
	}
	for (i = 0; r == 0 && i < n; i++)
		r = add_module(a, &chosen[i], err);
	if (r == 0 && a->nparams == 0)
		r = peft_target_none(peft_json_get(a->config,
		    "target_modules"), err);
	if (r == 0 && n > 0 && chosen[n - 1].site == NULL)
		a->common = &a->modules[n - 1];
	free(chosen);
	if (r == -1 || make_index(a, err) == -1 || sort_params(a, err) == -1)
		return -1;
	for (i = 0; i < a->nparams; i++)	/* of the new order */
		*peft_map_find(&a->index, a->params[i].name,
		    strlen(a->params[i].name)) = i;
	return 0;
}
