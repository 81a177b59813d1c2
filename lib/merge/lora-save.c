/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters that are written instead of a model: made here, or as they came
 * in another layout. */

#include <string.h>

#include "merge/lora.h"
#include "merge/merge-impl.h"

/* A name that ends in .gguf asks for that layout. */
static const struct peft_layout *
layout_for(const struct peft_merge *m, const struct peft_layout *layout)
{
	return layout == NULL && peft_is_gguf_name(m->opt.output) ?
	    peft_layout_of_name("gguf") : layout;
}

static int
write_one(struct peft_merge *m, const struct peft_layout *layout,
    struct peft_adapter *a, const char *const *meta, struct peft_err *err)
{
	const struct peft_mergeopt *o = &m->opt;

	return layout == NULL ? peft_adapter_save(a, o->output, o->force,
	    meta, err) : peft_layout_save(layout, a, &m->sites, o->output,
	    o->force, meta, err);
}

int
peft_merge_probe_lora(const struct peft_merge *m,
    const struct peft_layout *layout, struct peft_err *err)
{
	struct peft_sinkopt probe = { .path = m->opt.output,
	    .force = m->opt.force, .kind = "adapter" };

	layout = layout_for(m, layout);
	if (layout != NULL && peft_layout_path(layout, m->opt.output,
	    err) == -1)
		return -1;
	/* GGUF's writer asks for itself */
	return peft_is_gguf_name(m->opt.output) ? 0 :
	    peft_sink_probe(&probe, err);
}

int
peft_merge_save_lora(struct peft_merge *m, const struct peft_layout *layout,
    struct peft_adapter *a, struct peft_err *err)
{
	const char *meta[] = { "peft.base", m->hash, NULL };

	layout = layout_for(m, layout);
	if (m->hash[0] == '\0' && peft_source_hash(m->base, m->opt.threads,
	    m->hash, err) == -1)
		return -1;
	return write_one(m, layout, a, meta, err);
}

/* What the file said of itself stays said. */
int
peft_merge_convert(struct peft_merge *m, const struct peft_layout *layout,
    bool dry, struct peft_err *err)
{
	static const char *const keys[] = { "peft.base", "peft.origin",
	    "peft.tokenizer", "peft.template", "peft.step", "peft.settings",
	    "peft.labels", "peft.problem", NULL };
	struct peft_adapter *a = m->folds[0].adapter;
	const char *meta[2 * sizeof(keys) / sizeof(keys[0])];
	size_t i, n = 0;

	for (i = 0; keys[i] != NULL; i++) {
		const char *v = peft_adapter_meta(a, keys[i]);

		if (v == NULL)
			continue;
		meta[n++] = keys[i];
		meta[n++] = v;
	}
	meta[n] = NULL;
	layout = layout_for(m, layout);
	if (!dry && peft_merge_probe_lora(m, layout, err) == -1)
		return -1;
	if (dry)
		return 0;
	if (write_one(m, layout, a, meta, err) == -1)
		return peft_errprefix(err, "%s", m->folds[0].label);
	return 0;
}
