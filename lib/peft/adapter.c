/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters: what they are made of, and their hooks on a model. */

#include <stdlib.h>
#include <string.h>

#include "peft/alora.h"
#include "peft/hub.h"
#include "peft/target.h"
#include "peft/tied.h"
#include "peft/tokens.h"

int
peft_adapter_lay_out(struct peft_adapter *a, struct peft_err *err)
{
	size_t i, at = 0;

	/* trained ones come first */
	if ((a->values = peft_calloc(a->nvalues, sizeof(float), err)) == NULL)
		return -1;
	for (i = 0; i < a->nparams; i++) {
		struct peft_param *p = &a->params[i];

		p->value = a->values + at;
		at += p->n;
	}
	return 0;
}

struct peft_adapter *
peft_adapter_make(const cJSON *config, const struct peft_sites *sites,
    const char *home, struct peft_err *err)
{
	struct peft_adapter *a = peft_calloc(1, sizeof(*a), err);
	const char *type = NULL;
	bool fresh = home == NULL;

	if (a == NULL)
		return NULL;
	a->fresh = fresh;
	a->config = fresh ? peft_config_sorted(config, err) :
	    cJSON_Duplicate(config, true);
	if (a->config == NULL) {
		peft_seterr(err, "no memory for the adapter's config");
		goto fail;
	}
	peft_config_renamed(a->config, sites->config);
	if (peft_hub_unpack(&a->config, err) == -1 ||
	    peft_json_str(a->config, "peft_type", &type, err) == -1)
		goto fail;
	if (type == NULL) {
		peft_seterr(err, "peft_type is missing: not an adapter of "
		    "PEFT's (nor has it the config of the adapters "
		    "library's)");
		goto fail;
	}
	if ((a->method = peft_method_find(type, err)) == NULL ||
	    (a->method->hub && peft_hub_check(a->config, sites->config,
	    err) == -1) ||
	    peft_settings_of(a->method, a->config, &a->settings, err) == -1 ||
	    (a->method->gather != NULL && a->method->gather(a, sites, home,
	    err) == -1) || peft_adapter_build(a, sites, err) == -1 ||
	    peft_alora_open(a, err) == -1)
		goto fail;
	return a;
fail:
	peft_adapter_close(a);
	return NULL;
}

int
peft_adapter_first(struct peft_adapter *a, uint64_t seed, struct peft_err *err)
{
	size_t i;
	int part;

	a->seed = seed;
	for (i = 0; i < a->nmodules; i++) {
		struct peft_module *m = &a->modules[i];

		for (part = 0; part < PEFT_MAXPART; part++)
			if (m->param[part] != NULL && m->method->init != NULL)
				m->method->init(m->settings, m, part,
				    peft_rng_key(seed, m->param[part]->name),
				    m->param[part]->value, m->param[part]->n);
		if (m->method->start != NULL && m->method->start(m, err) == -1)
			return m->site == NULL ? -1 : peft_errprefix(err, "%s",
			    m->site->path);
	}
	return 0;
}

struct peft_adapter *
peft_adapter_new(const cJSON *config, const struct peft_sites *sites,
    uint64_t seed, struct peft_err *err)
{
	struct peft_adapter *a = peft_adapter_make(config, sites, NULL, err);

	if (a == NULL)
		return NULL;
	if (peft_adapter_lay_out(a, err) == -1 ||
	    peft_adapter_first(a, seed, err) == -1) {
		peft_adapter_close(a);
		return NULL;
	}
	return a;
}

void
peft_adapter_close(struct peft_adapter *a)
{
	struct peft_token_ids *t, *next;
	size_t i;

	if (a == NULL)
		return;
	for (t = a->extra; t != NULL; t = next) {
		next = t->next;
		free(t);
	}
	for (i = 0; i < a->nparams; i++)
		free((char *)(uintptr_t)a->params[i].name);
	for (i = 0; i < a->nmodules; i++) {
		peft_tied_free(&a->modules[i]);
		free(a->modules[i].state);
	}
	for (i = 0; a->meta != NULL && a->meta[i] != NULL; i++)
		free(a->meta[i]);
	peft_map_free(&a->index);
	cJSON_Delete(a->config);
	free(a->meta);
	if (a->settings != NULL && a->method->drop != NULL)
		a->method->drop(a->settings);
	free(a->settings);
	for (i = 0; i < a->nexperts; i++)
		peft_adapter_close(a->experts[i]);
	free(a->experts);
	free(a->memory);
	free(a->invoked);
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
	*n = a->ntrained;
	return a->params;
}

size_t
peft_adapter_nsites(const struct peft_adapter *a)
{
	size_t i, n = 0;

	for (i = 0; i < a->nmodules; i++)
		n += a->modules[i].site != NULL;
	return n;
}

static int
attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	struct peft_site *site = NULL;
	struct peft_hook **end;
	struct peft_rows rows;
	bool loaded;
	int r;

	if (m->site == NULL && m->method->attach == NULL)
		return 0;		/* used by the other modules */
	if (m->site != NULL) {
		site = peft_sites_find(sites, m->site->path);
		if (site == NULL)
			return peft_seterr(err, "the model has no %s",
			    m->site->path);
		m->site = site;
	}
	free(m->state);
	m->state = NULL;
	m->ready = false;
	if (m->method->prepare != NULL || m->param[PEFT_BENEATH] != NULL) {
		r = peft_site_rows(site, &rows, err);
		loaded = r == 1;
		if (r != -1 && m->method->prepare != NULL)
			r = m->method->prepare(m, loaded ? &rows : NULL, err);
		if (r != -1 && loaded)
			r = peft_beneath_check(m, &rows, err);
		peft_rows_turned_free(&rows);
		if (r == -1)
			return -1;
	}
	if (m->method->attach != NULL && (site == NULL ||
	    m->method->hook == NULL))
		return m->method->attach(m, sites, index, err);
	if (site == NULL)
		return 0;
	m->hook = (struct peft_hook){ m->method->hook_for != NULL ?
	    m->method->hook_for(m) : m->method->hook, m, index, NULL };
	sites->whole |= m->whole;
	if (m->tasks > 0 && m->adapter->tasks.n == 0) {
		m->adapter->tasks = (struct peft_tasks){ index, m->tasks,
		    sites->tasks };
		sites->tasks = &m->adapter->tasks;
	}
	for (end = &site->hooks; *end != NULL; end = &(*end)->next)
		;
	*end = &m->hook;
	return peft_tied_attach(m, sites, index, err);
}

int
peft_adapter_attach(struct peft_adapter *a, struct peft_sites *sites,
    int index, float weight, bool train, struct peft_err *err)
{
	size_t i, at = 0;

	if (train && a->grads == NULL) {
		a->grads = peft_calloc(a->ngrads, sizeof(float), err);
		if (a->grads == NULL)
			return -1;
	}
	for (i = 0; train && i < a->ntrained; i++) {
		a->params[i].grad = a->grads + at;
		at += a->params[i].n;
	}
	for (i = 0; i < a->nmodules; i++) {
		struct peft_module *m = &a->modules[i];

		m->weight = weight;
		m->train = train;
		if (train && m->untrainable != NULL)
			return peft_seterr(err, "%s: %s",
			    m->site == NULL ? a->method->type : m->site->path,
			    m->untrainable);
		if (attach(m, sites, index, err) == -1)
			return m->site == NULL ? -1 : peft_errprefix(err, "%s",
			    m->site->path);
	}
	peft_alora_attach(a, sites, index);
	return 0;
}

const struct peft_module *
peft_module_at(const struct peft_adapter *a, const struct peft_site *site)
{
	size_t i;

	for (i = 0; i < a->nmodules; i++)
		if (a->modules[i].site == site)
			return &a->modules[i];
	return NULL;
}

bool
peft_module_stale(struct peft_module *m)
{
	bool stale = m->train || !m->ready;

	m->ready = true;
	return stale;
}

void
peft_adapter_seed(struct peft_adapter *a, uint64_t seed)
{
	size_t i;

	for (i = 0; i < a->nmodules; i++) {
		struct peft_module *m = &a->modules[i];

		m->rng = peft_rng_key(seed ^ UINT64_C(0xd509),
		    m->site != NULL ? m->site->path : m->method->type);
		if (m->head != NULL)
			m->head->rng = m->rng;
	}
	for (i = 0; i < a->nexperts; i++)
		peft_adapter_seed(a->experts[i], seed + i + 1);
}

size_t
peft_adapter_bytes(const struct peft_adapter *a)
{
	size_t n = (a->nvalues + a->ngrads) * sizeof(float), i;

	for (i = 0; i < a->nexperts; i++)
		n += peft_adapter_bytes(a->experts[i]);
	return n;
}
