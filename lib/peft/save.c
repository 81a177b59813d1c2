/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an adapter as PEFT does. */

#include <stdlib.h>
#include <string.h>

#include "peft/hub.h"

static int
get(void *ctx, size_t first, size_t n, float *dst, struct peft_err *err)
{
	const struct peft_param *p = ctx;
	size_t cols = p->shape[p->ndim - 1];

	(void)err;
	memcpy(dst, p->value + first * cols, n * cols * sizeof(float));
	return 0;
}

static int
put_whole(const struct peft_param *p, struct peft_sink *sink,
    struct peft_err *err)
{
	size_t size = peft_dtypes[p->whole].bytes;
	uint8_t *v = peft_calloc(p->n, size, err);
	struct peft_weight w = { .name = p->name, .dtype = p->whole,
	    .ndim = p->ndim, .rows = 1, .cols = p->n, .nelem = p->n,
	    .nbytes = p->n * size, .data = v };
	struct peft_rows rows = { .get = get,
	    .ctx = (void *)(uintptr_t)p, .raw = &w };
	int32_t number;
	size_t i;
	int r;

	if (v == NULL)
		return -1;
	for (i = 0; i < p->n; i++) {	/* the low bytes come first */
		number = (int32_t)p->value[i];
		memcpy(v + i * size, &number, size);
	}
	r = peft_sink_put(sink, &rows, err);
	free(v);
	return r;
}

/* A head apart is in a file of its own. */
static bool
in_file(const struct peft_adapter *a, const struct peft_param *p, bool apart)
{
	return !p->unsaved && !(apart && peft_hub_is_head(a, p));
}

static int
put_all(const struct peft_adapter *a, struct peft_sink *sink, bool apart,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < a->nparams; i++) {
		struct peft_rows rows = { .get = get, .ctx = &a->params[i] };

		if (!in_file(a, &a->params[i], apart))
			continue;
		if (a->params[i].whole != 0) {
			if (put_whole(&a->params[i], sink, err) == -1)
				return -1;
			continue;
		}
		if (peft_sink_put(sink, &rows, err) == -1)
			return -1;
	}
	return 0;
}

static int
save(const struct peft_adapter *a, const struct peft_sinkopt *o,
    const struct peft_side *side, size_t nsides, bool apart,
    struct peft_err *err)
{
	struct peft_spec *specs = peft_calloc(a->nparams, sizeof(*specs), err);
	struct peft_sink *sink;
	size_t i, n = 0;

	if (specs == NULL)
		return -1;
	for (i = 0; i < a->nparams; i++) {
		const struct peft_param *p = &a->params[i];

		if (!in_file(a, p, apart))
			continue;
		specs[n] = (struct peft_spec){ .name = p->name, .dtype =
		    p->whole != 0 ? p->whole : PEFT_F32, .ndim = p->ndim };
		memcpy(specs[n++].shape, p->shape, sizeof(p->shape));
	}
	sink = peft_sink_open(o, specs, n, side, nsides, err);
	free(specs);
	if (sink == NULL)
		return -1;
	if (put_all(a, sink, apart, err) == -1) {
		peft_sink_abort(sink);
		return -1;
	}
	return peft_sink_commit(sink, err);
}

/* Of the classes, where the meta tells them. */
static const char *
class_names(const char *const *meta)
{
	for (; meta != NULL && meta[0] != NULL; meta += 2)
		if (strcmp(meta[0], "peft.labels") == 0)
			return meta[1];
	return NULL;
}

int
peft_adapter_save(const struct peft_adapter *a, const char *path, bool force,
    const char *const *meta, struct peft_err *err)
{
	struct peft_sinkopt o = { .path = path, .force = force,
	    .kind = "adapter", .planned = true, .meta = meta,
	    .file = a->method->files[0] != NULL ? a->method->files[0] :
	    a->method->hub ? PEFT_HUB_FILE : NULL };
	cJSON *config = peft_config_to_save(a, err);
	bool apart = peft_sink_is_folder(&o);
	struct peft_buf text = { 0 };
	struct peft_side side[3];
	size_t n = 1, heads = 0, i;
	int r = 0;

	if (config == NULL)
		return -1;
	peft_json_print(&text, config, 2, true);
	cJSON_Delete(config);
	side[0] = (struct peft_side){ .name = apart && a->method->files[1] !=
	    NULL ? a->method->files[1] : "adapter_config.json", .data =
	    text.data, .len = text.len };
	if (text.failed)
		r = peft_seterr(err, "no memory for the config");
	for (i = 0; i < a->nparams; i++)
		heads += peft_hub_is_head(a, &a->params[i]);
	o.beside = apart ? heads : 0;
	if (r == 0 && heads > 0)
		r = peft_hub_head_sides(a, class_names(meta), apart, side, &n,
		    err);
	if (r == 0)
		r = save(a, &o, side, n, apart, err);
	for (i = 0; i < n; i++)
		free((void *)(uintptr_t)side[i].data);
	return r;
}
