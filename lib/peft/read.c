/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters from disk: every tensor of the file has its place, and every place
 * its tensor. */

#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "math/vec.h"
#include "peft/hub.h"
#include "peft/layout.h"
#include "peft/tied.h"
#include "quant/quant.h"

/* Of a head that had another name once. */
static const size_t *
find_renamed(const struct peft_adapter *a, const char *name)
{
	const struct peft_family *f = a->model->family;
	const char *at = strstr(name, f->head);
	struct peft_buf b = { 0 };
	const size_t *k = NULL;

	if (at == NULL)
		return NULL;
	peft_buf_printf(&b, "%.*s%s%s", (int)(at - name), name, f->module,
	    at + strlen(f->head));
	if (!b.failed)
		k = peft_map_find(&a->index, b.data, b.len);
	peft_buf_free(&b);
	return k;
}

/* The param of a tensor's name, which may lack the prefix. */
static int
find_param(const struct peft_adapter *a, const char *name, size_t *out,
    struct peft_err *err)
{
	struct peft_buf full = { 0 };
	const size_t *k;

	if (a->method->hub)
		peft_hub_prefix(a->model, &full);
	else if (strncmp(name, PEFT_PREFIX, sizeof(PEFT_PREFIX) - 1) != 0)
		peft_buf_puts(&full, PEFT_PREFIX);
	peft_buf_puts(&full, name);
	if (full.failed)
		return peft_seterr(err, "no memory for a name");
	k = peft_map_find(&a->index, name, strlen(name));
	if (k == NULL)
		k = peft_map_find(&a->index, full.data, full.len);
	if (k == NULL && a->model != NULL && a->model->family->module != NULL)
		k = find_renamed(a, name);
	peft_buf_free(&full);
	if (k == NULL)
		return peft_setfail(err, PEFT_CHECK, "tensor %s fits nothing "
		    "that the config targets in this model", name);
	*out = *k;
	return 0;
}

static void
put_shape(struct peft_buf *b, int ndim, const size_t *shape)
{
	int d;

	peft_buf_putc(b, '[');
	for (d = 0; d < ndim; d++)
		peft_buf_printf(b, "%s%zu", d > 0 ? ", " : "", shape[d]);
	peft_buf_putc(b, ']');
}

static int
check_shape(const struct peft_weight *w, const struct peft_param *p,
    struct peft_err *err)
{
	struct peft_buf have = { 0 }, want = { 0 };
	int d, same = w->ndim == p->ndim;

	for (d = 0; same && d < p->ndim; d++)
		same = w->shape[d] == p->shape[d];
	if (same)
		return 0;
	put_shape(&have, w->ndim, w->shape);
	put_shape(&want, p->ndim, p->shape);
	peft_setfail(err, PEFT_CHECK, "tensor %s has shape %s, the config and "
	    "the model call for %s: is it of another model?", w->name,
	    have.failed ? "?" : have.data, want.failed ? "?" : want.data);
	peft_buf_free(&have);
	peft_buf_free(&want);
	return -1;
}

/* Before anything is allocated for values: which[i] is the param of the
 * file's tensor i, SIZE_MAX: it is another name of one. */
static int
match(struct peft_adapter *a, const struct peft_source *src,
    size_t *which, bool *seen, struct peft_err *err)
{
	size_t n = peft_source_count(src), i;
	enum peft_dtype whole;

	for (i = 0; i < n; i++) {
		const struct peft_weight *w = peft_source_at(src, i);

		which[i] = SIZE_MAX;
		if (a->method->hub && peft_hub_is_alias(w->name))
			continue;
		if (find_param(a, w->name, &which[i], err) == -1 ||
		    check_shape(w, &a->params[which[i]], err) == -1)
			return -1;
		whole = a->params[which[i]].whole;
		if (whole != 0 ? w->dtype != whole : !peft_is_float(w->dtype))
			return peft_seterr(err, "tensor %s is of type %s, not "
			    "%s", w->name, peft_dtypes[w->dtype].name,
			    whole != 0 ? peft_dtypes[whole].name :
			    "f32, f16 or bf16");
		if (seen[which[i]])
			return peft_seterr(err, "tensor %s is there twice, "
			    "with prefix and without", w->name);
		seen[which[i]] = true;
	}
	for (i = 0; i < a->nparams; i++)
		if (!seen[i] && a->params[i].droppable) {
			a->nvalues -= a->params[i].n;
			a->params[i].n = 0;
			a->params[i].unsaved = true;
		} else if (!seen[i] && !a->params[i].unsaved &&
		    !a->params[i].optional)
			return peft_setfail(err, PEFT_CHECK, "tensor %s is "
			    "missing", a->params[i].name);
	return 0;
}

static void
whole_numbers(const struct peft_weight *w, float *value)
{
	size_t size = peft_dtypes[w->dtype].bytes, i;
	const uint8_t *p = w->data;
	int32_t v;

	for (i = 0; i < w->nelem; i++, p += size) {
		v = w->dtype == PEFT_U8 ? *p : (int16_t)peft_load16(p);
		if (w->dtype == PEFT_I32)
			memcpy(&v, p, sizeof(v));
		value[i] = (float)v;
	}
}

static int
read_values(struct peft_adapter *a, struct peft_source *src,
    const size_t *which, struct peft_err *err)
{
	size_t n = peft_source_count(src), i;
	struct peft_weight w;

	for (i = 0; i < n; i++) {
		struct peft_param *p;

		if (which[i] == SIZE_MAX)
			continue;
		p = &a->params[which[i]];
		if (peft_source_load(src, i, &w, err) == -1)
			return -1;
		if (p->whole != 0)
			whole_numbers(&w, p->value);
		else
			peft_decode(&w, 0, w.nelem, p->value);
		if (peft_vec_best()->nonfinite(p->value, p->n))
			return peft_setfail(err, PEFT_NUMERIC, "tensor %s "
			    "holds NaN or Inf", w.name);
	}
	return 0;
}

/* What the file need not hold. */
static void
fill_in(struct peft_adapter *a, const bool *seen)
{
	size_t i;
	int part;

	for (i = 0; i < a->nmodules; i++)
		for (part = 0; part < PEFT_MAXPART; part++) {
			struct peft_module *m = &a->modules[i];
			struct peft_param *p = m->param[part];

			if (p != NULL && p->n > 0 && !seen[p - a->params] &&
			    m->method->init != NULL)
				m->method->init(m->settings, m, part,
				    peft_rng_key(0, p->name), p->value, p->n);
		}
}

static int
read_tensors(struct peft_adapter *a, struct peft_source *src,
    struct peft_err *err)
{
	bool *seen = peft_calloc(a->nparams + 1, sizeof(*seen), err);
	size_t *which = peft_calloc(peft_source_count(src) + 1,
	    sizeof(*which), err);
	int r = -1;

	if (seen != NULL && which != NULL &&
	    match(a, src, which, seen, err) == 0 &&
	    peft_adapter_lay_out(a, err) == 0 &&
	    (r = read_values(a, src, which, err)) == 0) {
		fill_in(a, seen);
		r = peft_tied_check(a, err);
	}
	free(seen);
	free(which);
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

static struct peft_adapter *
open_own(struct peft_source *src, const struct peft_sites *sites,
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
	else if (peft_hub_head_ask(src, config, err) == 0)
		a = peft_adapter_make(config, sites, peft_source_label(src),
		    err);
	cJSON_Delete(config);
	if (a != NULL && read_tensors(a, src, err) == -1) {
		peft_adapter_close(a);
		a = NULL;
	}
	return a;
}

static struct peft_adapter *
open_foreign(const struct peft_layout *layout, struct peft_source *src,
    const struct peft_sites *sites, struct peft_err *err)
{
	struct peft_adapter *a;
	struct peft_foreign f;

	if (peft_foreign_open(&f, layout, src, err) == -1)
		return NULL;
	if ((a = peft_foreign_adapter(&f, sites, err)) != NULL)
		a->layout = layout;
	peft_foreign_close(&f);
	return a;
}

struct peft_adapter *
peft_adapter_open(struct peft_source *src, const struct peft_sites *sites,
    struct peft_err *err)
{
	const struct peft_layout *layout = peft_layout_of(src);
	struct peft_adapter *a = layout == NULL ? open_own(src, sites, err) :
	    open_foreign(layout, src, sites, err);

	if (a != NULL && keep_meta(a, src, err) == -1) {
		peft_adapter_close(a);
		a = NULL;
	}
	if (a == NULL)
		peft_errprefix(err, "%s", peft_source_label(src));
	return a;
}

const char *
peft_adapter_layout(const struct peft_adapter *a)
{
	return a->layout == NULL ? NULL : peft_layout_name(a->layout);
}
