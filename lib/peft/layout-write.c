/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters written in other tools' layouts: what can be told there, and the
 * tensors. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peft/layout-impl.h"
#include "peft/target.h"

enum { MOST_META = 32 };

static bool
ends_in_slash(const char *path)
{
	size_t n = strlen(path);

	return n > 0 && path[n - 1] == '/';
}

int
peft_layout_path(const struct peft_layout *l, const char *path,
    struct peft_err *err)
{
	if (path == NULL || strcmp(path, "-") == 0)
		return peft_setfail(err, PEFT_USAGE, "the layout of %s is no "
		    "stream: give -o %s", l->name, l->file != NULL ? "DIR/" :
		    "FILE");
	if (l->file != NULL && !ends_in_slash(path))
		return peft_setfail(err, PEFT_USAGE, "the layout of %s is a "
		    "folder: -o %s/", l->name, path);
	if (l->file == NULL && ends_in_slash(path))
		return peft_setfail(err, PEFT_USAGE, "the layout of %s is one "
		    "file: -o NAME%s", l->name, l->gguf ? ".gguf" :
		    ".safetensors");
	return 0;
}

int
peft_layout_stem(const struct peft_layout *l, const struct peft_sites *sites,
    const struct peft_site *s, struct peft_buf *b, struct peft_err *err)
{
	int r = s->kind == PEFT_EMBEDDING && !l->embeds ? 0 :
	    l->stem(sites, s, 0, b, err);

	if (r == 0)
		return peft_setfail(err, PEFT_CHECK, "%s has no name in the "
		    "layout of %s", s->path, l->name);
	if (r == 1 && b->failed)
		return peft_seterr(err, "no memory");
	return r == -1 ? -1 : 0;
}

/* What LoRA has beyond its two factors. */
static int
check_settings(const struct peft_layout *l, const struct peft_adapter *a,
    struct peft_err *err)
{
	static const char *const beyond[] = { "lora_bias",
	    "alora_invocation_tokens", "target_parameters", NULL };
	const struct peft_lora *s = a->settings;
	const char *name = NULL;
	size_t i;

	if (l->method != NULL)
		return 0;
	if (a->method != &peft_lora)
		return peft_setfail(err, PEFT_CHECK, "it is a %s adapter, the "
		    "layout of %s holds LoRA (--as-lora makes one of it)",
		    a->method->type, l->name);
	if (s->start == PEFT_LORA_PISSA || s->start == PEFT_LORA_OLORA)
		return peft_setfail(err, PEFT_CHECK, "it is what was made of "
		    "the part of the base that it began as "
		    "(init_lora_weights): --as-lora exact makes a LoRA of it");
	if (s->dora && l->tails[PEFT_HALF_M] == NULL)
		name = "use_dora";
	for (i = 0; beyond[i] != NULL; i++)
		if (!peft_json_off(peft_json_get(a->config, beyond[i])))
			name = beyond[i];
	return name == NULL ? 0 : peft_setfail(err, PEFT_CHECK, "%s has no "
	    "place in the layout of %s (--as-lora makes a plain LoRA, or "
	    "merge it)", name, l->name);
}

static int
alpha_of(const struct peft_layout *layout, const struct peft_module *m,
    double *alpha, struct peft_err *err)
{
	const struct peft_lora *l = m->settings;

	if (layout->bare != NULL && layout->bare(m)) {
		*alpha = (double)m->rank;
		return 0;
	}
	if (layout->method != NULL) {
		const cJSON *c = m->adapter->config;
		double all = 8;		/* PEFT's default */

		return peft_json_real(c, "alpha", &all, err) == -1 ||
		    peft_pattern_value(peft_json_get(c, "alpha_pattern"),
		    m->site->path, all, alpha, err) == -1 ? -1 : 0;
	}
	if (peft_pattern_value(l->alpha_pattern, m->site->path, l->alpha,
	    alpha, err) == -1)
		return -1;
	if (l->rslora)
		*alpha *= sqrt((double)m->rank);
	return 0;
}

static int
collect(struct peft_layout_out *o, const struct peft_layout *l,
    struct peft_err *err)
{
	const struct peft_adapter *a = o->adapter;
	size_t i;

	o->pairs = peft_calloc(a->nmodules + 1, sizeof(*o->pairs), err);
	if (o->pairs == NULL)
		return -1;
	for (i = 0; i < a->nmodules; i++) {
		const struct peft_module *m = &a->modules[i];
		struct peft_written_pair *p = &o->pairs[o->n++];

		if (m->method != a->method)
			return peft_setfail(err, PEFT_CHECK, "%s is more than "
			    "a %s (modules_to_save or "
			    "trainable_token_indices): it has no place in the "
			    "layout of %s", m->site == NULL ? "a module" :
			    m->site->path, a->method == &peft_lora ? "LoRA" :
			    a->method->type, l->name);
		if (l->can != NULL && l->can(m, err) == -1)
			return -1;
		p->module = m;
		if (alpha_of(l, m, &p->alpha, err) == -1)
			return -1;
		o->rank = i == 0 || o->rank == m->rank ? m->rank : 0;
		if (i == 0)
			o->alpha = p->alpha;
		else if (o->alpha != p->alpha)
			o->alpha = NAN;
	}
	if ((l->uniform && o->rank == 0) || ((l->uniform || l->alphas) &&
	    !isfinite(o->alpha)))
		return peft_setfail(err, PEFT_CHECK, "its modules differ in "
		    "%s, and the layout of %s has one for all (--as-lora RANK "
		    "makes one that has)", l->uniform && o->rank == 0 ?
		    "rank" : "alpha", l->name);
	return 0;
}

struct peft_param *
peft_layout_half(const struct peft_layout *l, const struct peft_module *m,
    int half)
{
	static const int params[] = { PEFT_LORA_A, PEFT_LORA_B,
	    PEFT_LORA_MAGNITUDE };

	if (half == PEFT_HALF_ALPHA || l->tails[half] == NULL)
		return NULL;
	return m->param[l->method != NULL ? l->parts[half] : params[half]];
}

float *
peft_layout_values(const struct peft_layout *l,
    const struct peft_layout_out *o, const struct peft_module *m, int half,
    struct peft_err *err)
{
	const struct peft_param *p = peft_layout_half(l, m, half);
	float times = l->bare != NULL && half == l->scaled && l->bare(m) ?
	    m->scale : 1;
	size_t n = p->shape[0], cols = p->ndim > 1 ? p->shape[1] : 1, i, j;
	struct peft_order order = { 0 };
	float *v = peft_calloc(p->n + 1, sizeof(*v), err);

	if (half != PEFT_HALF_A)
		order = peft_layout_order(l, o->sites, m->site);
	for (i = 0; v != NULL && i < n; i++) {
		size_t row = peft_layout_row(&order, i, n);

		for (j = 0; j < cols; j++)
			v[l->turned && p->ndim > 1 ? j * n + row :
			    row * cols + j] = times * p->value[i * cols + j];
	}
	return v;
}

/* Values in memory, as rows for a sink. */
struct block {
	const float	*v;
	size_t		 cols;
};

static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	const struct block *b = ctx;

	(void)err;
	memcpy(dst, b->v + first * b->cols, n * b->cols * sizeof(*dst));
	return 0;
}

/* Does the file have that half of a module? */
static bool
has_half(const struct peft_layout *l, const struct peft_module *m, int h)
{
	return l->tails[h] != NULL && (h == PEFT_HALF_ALPHA ?
	    !l->alpha_elsewhere : peft_layout_half(l, m, h) != NULL);
}

/* What half h of the i-th pair is called, and its shape: 1, 0 it has none. */
static int
spec_of(const struct peft_layout *l, const struct peft_layout_out *o,
    size_t i, int h, struct peft_spec *s, struct peft_err *err)
{
	const struct peft_module *m = o->pairs[i].module;
	const struct peft_param *p = peft_layout_half(l, m, h);
	struct peft_buf name = { 0 };
	int r;

	if (!has_half(l, m, h))
		return 0;
	r = peft_layout_stem(l, o->sites, m->site, &name, err);
	peft_buf_puts(&name, l->tails[h]);
	*s = (struct peft_spec){ .dtype = PEFT_F32 };
	if (r == 0 && (s->name = peft_strdup(name.failed ? "" : name.data,
	    err)) == NULL)
		r = -1;
	if (p != NULL) {
		bool turned = l->turned && p->ndim > 1;

		s->ndim = p->ndim > 1 || l->column ? 2 : 1;
		s->shape[0] = p->shape[turned];
		s->shape[1] = p->ndim > 1 ? p->shape[!turned] : 1;
	}
	peft_buf_free(&name);
	return r == -1 ? -1 : 1;
}

static int
put_all(const struct peft_layout *l, const struct peft_layout_out *o,
    const struct peft_spec *specs, struct peft_sink *sink,
    struct peft_err *err)
{
	size_t i, k = 0;
	int h, r = 0;

	for (i = 0; r == 0 && i < o->n; i++)
		for (h = 0; r == 0 && h < PEFT_NHALF; h++) {
			const struct peft_module *m = o->pairs[i].module;
			float alpha = (float)o->pairs[i].alpha, *v = NULL;
			struct block b = { &alpha, 1 };
			struct peft_rows rows = { .get = get, .ctx = &b };

			if (!has_half(l, m, h))
				continue;
			if (h != PEFT_HALF_ALPHA) {
				v = peft_layout_values(l, o, m, h, err);
				b.v = v;
				b.cols = specs[k].shape[specs[k].ndim - 1];
			}
			r = b.v == NULL ? -1 : peft_sink_put(sink, &rows,
			    err);
			free(v);
			k++;
		}
	return r;
}

/* The file's own words beside the caller's. */
static int
save(const struct peft_layout *l, const struct peft_layout_out *o,
    const struct peft_spec *specs, size_t n, struct peft_err *err)
{
	struct peft_sinkopt so = { .path = o->path, .force = o->force,
	    .kind = "adapter", .planned = true, .file = l->file };
	const char *meta[MOST_META] = { NULL };
	struct peft_buf words = { 0 }, text = { 0 };
	struct peft_side side = { .name = "adapter_config.json" };
	struct peft_sink *sink = NULL;
	cJSON *config = l->config == NULL ? NULL : l->config(o, err);
	size_t k;
	int r = -1;

	for (k = 0; o->meta != NULL && o->meta[k] != NULL &&
	    k < MOST_META / 2; k++)
		meta[k] = o->meta[k];
	if (l->metadata != NULL)
		l->metadata(o, &words, meta, k);
	so.meta = meta;
	if (config != NULL) {
		peft_json_print(&text, config, 4, true);
		side.data = text.data;
		side.len = text.len;
	}
	if (words.failed || text.failed)
		peft_seterr(err, "no memory");
	else if (config != NULL || l->config == NULL)
		sink = peft_sink_open(&so, specs, n, &side, config != NULL,
		    err);
	if (sink != NULL && (r = put_all(l, o, specs, sink, err)) == -1)
		peft_sink_abort(sink);
	else if (sink != NULL)
		r = peft_sink_commit(sink, err);
	cJSON_Delete(config);
	peft_buf_free(&words);
	peft_buf_free(&text);
	return r;
}

static int
save_tensors(const struct peft_layout *l, const struct peft_layout_out *o,
    struct peft_err *err)
{
	struct peft_spec *specs = peft_calloc(o->n * PEFT_NHALF + 1,
	    sizeof(*specs), err);
	size_t i, n = 0;
	int h, r = specs == NULL ? -1 : 0;

	for (i = 0; r != -1 && i < o->n; i++)
		for (h = 0; r != -1 && h < PEFT_NHALF; h++) {
			r = spec_of(l, o, i, h, &specs[n], err);
			n += r == 1;
		}
	if (r != -1)
		r = save(l, o, specs, n, err);
	for (i = 0; i < n; i++)
		free((void *)(uintptr_t)specs[i].name);
	free(specs);
	return r;
}

int
peft_layout_save(const struct peft_layout *l, struct peft_adapter *a,
    const struct peft_sites *sites, const char *path, bool force,
    const char *const *meta, struct peft_err *err)
{
	struct peft_layout_out o = { .adapter = a, .sites = sites,
	    .path = path, .force = force, .meta = meta };
	const struct peft_lora *s = a->settings;
	int r = -1;

	if (l->other != NULL && a->method != &peft_lora)
		return l->other(l, &o, err);
	if (peft_layout_for(l, a->method) != NULL)
		l = peft_layout_for(l, a->method);
	if (check_settings(l, a, err) == 0 && collect(&o, l, err) == 0) {
		o.dora = l->method == NULL && s->dora;
		o.dropout = l->method == NULL ? s->dropout : 0;
		r = l->save != NULL ? l->save(l, &o, err) :
		    save_tensors(l, &o, err);
	}
	free(o.pairs);
	return r;
}
