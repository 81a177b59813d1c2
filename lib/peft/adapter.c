/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters: what they are made of, and their hooks on a model. */

#include <stdlib.h>
#include <string.h>

#include "peft/method.h"
#include "peft/target.h"

/* One module: its method's tensors become params (names and shapes). */
static int
add_module(struct peft_adapter *a, const struct peft_site *site,
    struct peft_err *err)
{
	struct peft_module *m = &a->modules[a->nmodules];
	struct peft_shape shapes[PEFT_MAXPART];
	struct peft_buf name = { 0 };
	int i, d;

	memset(shapes, 0, sizeof(shapes));
	*m = (struct peft_module){ .adapter = a, .site = site, .weight = 1 };
	if (a->method->fits(a->settings, site, err) == -1 ||
	    a->method->shapes(a->settings, m, shapes, err) == -1)
		return -1;
	a->nmodules++;
	for (i = 0; i < PEFT_MAXPART; i++) {
		struct peft_param *p = &a->params[a->nparams];

		if (shapes[i].suffix == NULL)
			continue;
		peft_buf_clear(&name);
		peft_buf_printf(&name, "%s%s.%s", PEFT_PREFIX, site->path,
		    shapes[i].suffix);
		*p = (struct peft_param){ .ndim = shapes[i].ndim, .n = 1,
		    .decay = shapes[i].decay };
		p->name = name.failed ? NULL : peft_strdup(name.data, err);
		peft_buf_free(&name);
		if (p->name == NULL)
			return -1;
		a->nparams++;
		for (d = 0; d < p->ndim; d++) {
			p->shape[d] = shapes[i].shape[d];
			if (__builtin_mul_overflow(p->n, p->shape[d], &p->n))
				return peft_seterr(err, "%s is too large",
				    p->name);
		}
		m->param[i] = p;
		if (__builtin_add_overflow(a->nvalues, p->n, &a->nvalues))
			return peft_seterr(err, "the adapter is too large");
	}
	return 0;
}

int
peft_adapter_lay_out(struct peft_adapter *a, struct peft_err *err)
{
	size_t i, at = 0;

	if ((a->values = peft_calloc(a->nvalues, sizeof(float), err)) == NULL)
		return -1;
	for (i = 0; i < a->nparams; i++) {
		struct peft_param *p = &a->params[i];

		p->value = a->values + at;
		at += p->n;
	}
	return 0;
}

/* Names are found by read.c; no two are the same, sites being distinct. */
static int
make_index(struct peft_adapter *a, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < a->nparams; i++)
		if (peft_map_add(&a->index, a->params[i].name,
		    strlen(a->params[i].name), i, err) == -1)
			return -1;
	return 0;
}

static int
choose_sites(const struct peft_adapter *a, const struct peft_sites *sites,
    const struct peft_site **chosen, size_t *n, struct peft_err *err)
{
	const char *const *p;

	if (peft_target(a->config, sites, a->fresh, chosen, n, err) == -1)
		return -1;
	for (p = a->method->patterns; *p != NULL; p++)
		if (peft_pattern_check(a->config, *p, a->fresh, chosen, *n,
		    err) == -1)
			return -1;
	return 0;
}

static int
add_modules(struct peft_adapter *a, const struct peft_sites *sites,
    struct peft_err *err)
{
	const struct peft_site **chosen;
	size_t n, i;
	int r;

	chosen = peft_calloc(sites->n, sizeof(*chosen), err);
	if (chosen == NULL)
		return -1;
	r = choose_sites(a, sites, chosen, &n, err);
	if (r == 0) {
		a->modules = peft_calloc(n, sizeof(*a->modules), err);
		a->params = peft_calloc(n * PEFT_MAXPART, sizeof(*a->params),
		    err);
		r = a->modules == NULL || a->params == NULL ? -1 : 0;
	}
	for (i = 0; r == 0 && i < n; i++)
		r = add_module(a, chosen[i], err);
	free(chosen);
	return r == -1 ? -1 : make_index(a, err);
}

struct peft_adapter *
peft_adapter_make(const cJSON *config, const struct peft_sites *sites,
    bool fresh, struct peft_err *err)
{
	struct peft_adapter *a = peft_calloc(1, sizeof(*a), err);
	const char *type = NULL;

	if (a == NULL)
		return NULL;
	a->fresh = fresh;
	a->config = fresh ? peft_config_sorted(config, err) :
	    cJSON_Duplicate(config, true);
	if (a->config == NULL) {
		peft_seterr(err, "no memory for the adapter's config");
		goto fail;
	}
	if (peft_json_str(a->config, "peft_type", &type, err) == -1)
		goto fail;
	if (type == NULL) {
		peft_seterr(err, "peft_type is missing: not an adapter of "
		    "PEFT's");
		goto fail;
	}
	if ((a->method = peft_method_find(type, err)) == NULL ||
	    peft_config_check(a->method, a->config, err) == -1 ||
	    a->method->parse(a->config, &a->settings, err) == -1 ||
	    add_modules(a, sites, err) == -1)
		goto fail;
	return a;
fail:
	peft_adapter_close(a);
	return NULL;
}

struct peft_adapter *
peft_adapter_new(const cJSON *config, const struct peft_sites *sites,
    uint64_t seed, struct peft_err *err)
{
	struct peft_adapter *a = peft_adapter_make(config, sites, true, err);
	size_t i;
	int part;

	if (a == NULL)
		return NULL;
	if (peft_adapter_lay_out(a, err) == -1) {
		peft_adapter_close(a);
		return NULL;
	}
	for (i = 0; i < a->nmodules; i++)
		for (part = 0; part < PEFT_MAXPART; part++) {
			struct peft_param *p = a->modules[i].param[part];

			if (p != NULL)
				a->method->init(a->settings, &a->modules[i],
				    part, peft_rng_key(seed, p->name),
				    p->value, p->n);
		}
	return a;
}

void
peft_adapter_close(struct peft_adapter *a)
{
	size_t i;

	if (a == NULL)
		return;
	for (i = 0; i < a->nparams; i++)
		free((char *)(uintptr_t)a->params[i].name);
	for (i = 0; a->meta != NULL && a->meta[i] != NULL; i++)
		free(a->meta[i]);
	peft_map_free(&a->index);
	cJSON_Delete(a->config);
	free(a->meta);
	free(a->settings);
	free(a->modules);
	free(a->params);
	free(a->values);
	free(a->grads);
	free(a);
}

const char *
peft_adapter_type(const struct peft_adapter *a)
{
	return a->method->type;
}

const cJSON *
peft_adapter_config(const struct peft_adapter *a)
{
	return a->config;
}

const char *
peft_adapter_meta(const struct peft_adapter *a, const char *key)
{
	size_t i;

	for (i = 0; a->meta != NULL && a->meta[i] != NULL; i += 2)
		if (strcmp(a->meta[i], key) == 0)
			return a->meta[i + 1];
	return NULL;
}

struct peft_param *
peft_adapter_params(struct peft_adapter *a, size_t *n)
{
	*n = a->nparams;
	return a->params;
}

size_t
peft_adapter_nsites(const struct peft_adapter *a)
{
	return a->nmodules;
}

int
peft_adapter_attach(struct peft_adapter *a, struct peft_sites *sites,
    int index, float weight, bool train, struct peft_err *err)
{
	struct peft_hook **end;
	size_t i, at = 0;

	if (train && a->grads == NULL) {
		a->grads = peft_calloc(a->nvalues, sizeof(float), err);
		if (a->grads == NULL)
			return -1;
	}
	for (i = 0; train && i < a->nparams; i++) {
		a->params[i].grad = a->grads + at;
		at += a->params[i].n;
	}
	for (i = 0; i < a->nmodules; i++) {
		struct peft_module *m = &a->modules[i];
		struct peft_site *site = peft_sites_find(sites,
		    m->site->path);

		if (site == NULL)
			return peft_seterr(err, "the model has no %s",
			    m->site->path);
		m->weight = weight;
		m->train = train;
		m->hook = (struct peft_hook){ a->method->hook, m, index,
		    NULL };
		for (end = &site->hooks; *end != NULL; end = &(*end)->next)
			;
		*end = &m->hook;
	}
	return 0;
}

void
peft_adapter_seed(struct peft_adapter *a, uint64_t seed)
{
	size_t i;

	for (i = 0; i < a->nmodules; i++) {
		struct peft_module *m = &a->modules[i];

		m->rng = peft_rng_key(seed ^ UINT64_C(0xd509), m->site->path);
	}
}

void
peft_adapter_zerograd(struct peft_adapter *a)
{
	memset(a->grads, 0, a->nvalues * sizeof(float));
}
