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

static int
put_all(const struct peft_adapter *a, struct peft_sink *sink,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < a->nparams; i++) {
		struct peft_rows rows = { .get = get, .ctx = &a->params[i] };

		if (a->params[i].unsaved)
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
    const struct peft_side *side, struct peft_err *err)
{
	struct peft_spec *specs = peft_calloc(a->nparams, sizeof(*specs), err);
	struct peft_sink *sink;
	size_t i, n = 0;

	if (specs == NULL)
		return -1;
	for (i = 0; i < a->nparams; i++) {
		const struct peft_param *p = &a->params[i];

		if (p->unsaved)
			continue;
		specs[n] = (struct peft_spec){ .name = p->name, .dtype =
		    p->whole != 0 ? p->whole : PEFT_F32, .ndim = p->ndim };
		memcpy(specs[n++].shape, p->shape, sizeof(p->shape));
	}
	sink = peft_sink_open(o, specs, n, side, 1, err);
	free(specs);
	if (sink == NULL)
		return -1;
	if (put_all(a, sink, err) == -1) {
		peft_sink_abort(sink);
		return -1;
	}
	return peft_sink_commit(sink, err);
}

int
peft_adapter_save(const struct peft_adapter *a, const char *path, bool force,
    const char *const *meta, struct peft_err *err)
{
	struct peft_sinkopt o = { .path = path, .force = force,
	    .kind = "adapter", .meta = meta,
	    .file = a->method->hub ? PEFT_HUB_FILE : NULL };
	cJSON *config = peft_config_to_save(a, err);
	struct peft_buf text = { 0 };
	struct peft_side side;
	int r;

	if (config == NULL)
		return -1;
	peft_json_print(&text, config, 2, true);
	cJSON_Delete(config);
	side = (struct peft_side){ .name = "adapter_config.json",
	    .data = text.data, .len = text.len };
	r = text.failed ? peft_seterr(err, "no memory for the config") :
	    save(a, &o, &side, err);
	peft_buf_free(&text);
	return r;
}
