/* SPDX-License-Identifier: Apache-2.0 */
/* Writing an adapter as PEFT does. */

#include <stdlib.h>
#include <string.h>

#include "peft/method.h"

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
put_all(const struct peft_adapter *a, struct peft_sink *sink,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < a->nparams; i++) {
		struct peft_rows rows = { .get = get, .ctx = &a->params[i] };

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
	size_t i;

	if (specs == NULL)
		return -1;
	for (i = 0; i < a->nparams; i++) {
		specs[i] = (struct peft_spec){ .name = a->params[i].name,
		    .dtype = PEFT_F32, .ndim = a->params[i].ndim };
		memcpy(specs[i].shape, a->params[i].shape,
		    sizeof(specs[i].shape));
	}
	sink = peft_sink_open(o, specs, a->nparams, side, 1, err);
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
	    .kind = "adapter", .meta = meta };
	cJSON *config = peft_config_to_save(a, err);
	struct peft_buf text = { 0 };
	struct peft_side side;
	int r;

	if (config == NULL)
		return -1;
	peft_json_print(&text, config, 2, true);
	cJSON_Delete(config);
	side = (struct peft_side){ "adapter_config.json", text.data,
	    text.len };
	r = text.failed ? peft_seterr(err, "no memory for the config") :
	    save(a, &o, &side, err);
	peft_buf_free(&text);
	return r;
}
