/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters: made from a config, or read from disk. */

#include <stdlib.h>
#include <string.h>

#include "peft/method.h"
#include "peft/target.h"
#include "quant/quant.h"

static const char prefix[] = "base_model.model.";

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
		peft_buf_printf(&name, "%s%s.%s", prefix, site->path,
		    shapes[i].suffix);
		*p = (struct peft_param){ .ndim = shapes[i].ndim, .n = 1,
		    .decay = shapes[i].decay };
		p->name = name.failed ? NULL : peft_strdup(name.data, err);
		peft_buf_free(&name);
		if (p->name == NULL)
			return -1;
		for (d = 0; d < p->ndim; d++)
			p->n *= p->shape[d] = shapes[i].shape[d];
		m->param[i] = p;
		a->nparams++;
		a->nvalues += p->n;
	}
	return 0;
}

/* Values and gradients lie end to end, in the order of the params. */
static int
lay_out(struct peft_adapter *a, struct peft_err *err)
{
	size_t i, at = 0;

	if ((a->values = peft_calloc(a->nvalues, sizeof(float), err)) == NULL)
		return -1;
	for (i = 0; i < a->nparams; i++) {
		struct peft_param *p = &a->params[i];

		p->value = a->values + at;
		at += p->n;
		if (peft_map_add(&a->index, p->name, strlen(p->name), i,
		    err) == -1)
			return -1;
	}
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
	r = peft_target(a->config, sites, chosen, &n, err);
	if (r == 0) {
		a->modules = peft_calloc(n, sizeof(*a->modules), err);
		a->params = peft_calloc(n * PEFT_MAXPART, sizeof(*a->params),
		    err);
		r = a->modules == NULL || a->params == NULL ? -1 : 0;
	}
	for (i = 0; r == 0 && i < n; i++)
		r = add_module(a, chosen[i], err);
	free(chosen);
	return r == -1 ? -1 : lay_out(a, err);
}

/* Everything but the values. */
static struct peft_adapter *
make(const cJSON *config, const struct peft_sites *sites,
    struct peft_err *err)
{
	struct peft_adapter *a = peft_calloc(1, sizeof(*a), err);
	const char *type = NULL;

	if (a == NULL)
		return NULL;
	if ((a->config = cJSON_Duplicate(config, true)) == NULL) {
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
	struct peft_adapter *a = make(config, sites, err);
	size_t i;
	int part;

	if (a == NULL)
		return NULL;
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

/* A tensor on disk to its param; names may lack the prefix. */
static int
read_tensor(struct peft_adapter *a, struct peft_source *src, size_t i,
    bool *seen, struct peft_err *err)
{
	struct peft_buf full = { 0 };
	struct peft_weight w;
	struct peft_param *p;
	const size_t *k;
	int d, same;

	if (peft_source_load(src, i, &w, err) == -1)
		return -1;
	if (strncmp(w.name, prefix, sizeof(prefix) - 1) != 0)
		peft_buf_puts(&full, prefix);
	peft_buf_puts(&full, w.name);
	k = full.failed ? NULL : peft_map_find(&a->index, full.data, full.len);
	peft_buf_free(&full);
	if (k == NULL)
		return peft_seterr(err, "tensor %s fits nothing that the "
		    "config targets in this model", w.name);
	p = &a->params[*k];
	same = w.ndim == p->ndim;
	for (d = 0; same && d < p->ndim; d++)
		same = w.shape[d] == p->shape[d];
	if (!same)
		return peft_seterr(err, "tensor %s has shape [%zu, %zu], the "
		    "config and the model call for [%zu, %zu]", w.name, w.rows,
		    w.cols, p->ndim > 1 ? p->shape[0] : 1,
		    p->shape[p->ndim - 1]);
	if (w.dtype != PEFT_F32 && w.dtype != PEFT_F16 && w.dtype != PEFT_BF16)
		return peft_seterr(err, "tensor %s is of type %s, not f32, f16 "
		    "or bf16", w.name, peft_dtypes[w.dtype].name);
	peft_decode(&w, 0, w.nelem, p->value);
	seen[*k] = true;
	return 0;
}

static int
read_tensors(struct peft_adapter *a, struct peft_source *src,
    struct peft_err *err)
{
	bool *seen = peft_calloc(a->nparams, sizeof(*seen), err);
	size_t i;
	int r = seen == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < peft_source_count(src); i++)
		r = read_tensor(a, src, i, seen, err);
	for (i = 0; r == 0 && i < a->nparams; i++)
		if (!seen[i])
			r = peft_seterr(err, "tensor %s is missing",
			    a->params[i].name);
	free(seen);
	return r;
}

static int
keep_meta(struct peft_adapter *a, const struct peft_source *src,
    struct peft_err *err)
{
	size_t n = peft_source_nmeta(src), i;

	if ((a->meta = peft_calloc(2 * n + 1, sizeof(*a->meta), err)) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		const char *key, *value;

		peft_source_meta_at(src, i, &key, &value);
		if ((a->meta[2 * i] = peft_strdup(key, err)) == NULL ||
		    (a->meta[2 * i + 1] = peft_strdup(value, err)) == NULL)
			return -1;
	}
	return 0;
}

struct peft_adapter *
peft_adapter_open(struct peft_source *src, const struct peft_sites *sites,
    struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(src,
	    "adapter_config.json");
	struct peft_adapter *a = NULL;
	cJSON *config = NULL;

	if (side == NULL)
		peft_seterr(err, "no adapter_config.json: not an adapter");
	else if ((config = peft_json(side->data, side->len, err)) == NULL)
		peft_errprefix(err, "adapter_config.json");
	else
		a = make(config, sites, err);
	cJSON_Delete(config);
	if (a != NULL && (read_tensors(a, src, err) == -1 ||
	    keep_meta(a, src, err) == -1)) {
		peft_adapter_close(a);
		a = NULL;
	}
	if (a == NULL)
		peft_errprefix(err, "%s", peft_source_label(src));
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
