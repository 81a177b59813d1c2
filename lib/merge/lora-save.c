/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters that are written instead of a model: made here, or as they came
 * in another layout. */

#include <string.h>

#include "merge/lora.h"
#include "merge/merge-impl.h"
#include "peft/hub.h"

enum { MOST_META = 24 };

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

/* What the file said of itself stays said; and the adapters library's name,
 * which PEFT's has no key for. */
static void
say(const struct peft_adapter *a, const char **meta)
{
	static const char *const keys[] = { "peft.base", "peft.origin",
	    "peft.tokenizer", "peft.template", "peft.step", "peft.settings",
	    "peft.labels", "peft.problem", "peft.name", NULL };
	const char *name = NULL;
	struct peft_err none;
	size_t i, n = 0;

	for (i = 0; keys[i] != NULL && n + 3 < MOST_META; i++) {
		const char *v = peft_adapter_meta(a, keys[i]);

		if (strcmp(keys[i], "peft.name") == 0 &&
		    a->method->hub && peft_json_str(
		    peft_adapter_config(a), "name", &name, &none) != -1)
			v = name;
		if (v == NULL)
			continue;
		meta[n++] = keys[i];
		meta[n++] = v;
	}
	meta[n] = NULL;
}

/* One of the adapters library's becomes PEFT's first, unless it stays. */
static int
convert(struct peft_merge *m, const struct peft_layout *layout,
    struct peft_adapter *a, bool dry, struct peft_err *err)
{
	bool hub = a->method->hub && (layout == NULL ||
	    strcmp(peft_layout_name(layout), "adapters") != 0);
	const char *meta[MOST_META];
	struct peft_adapter *own = NULL;
	int r;

	say(a, meta);
	if (hub && (own = peft_hub_to_peft(a, &m->sites, err)) == NULL)
		return -1;
	r = dry ? 0 : write_one(m, layout, hub ? own : a, meta, err);
	peft_adapter_close(own);
	return r;
}

int
peft_merge_convert(struct peft_merge *m, const struct peft_layout *layout,
    bool dry, struct peft_err *err)
{
	layout = layout_for(m, layout);
	if (!dry && peft_merge_probe_lora(m, layout, err) == -1)
		return -1;
	return convert(m, layout, m->folds[0].adapter, dry, err) == 0 ? 0 :
	    peft_errprefix(err, "%s", m->folds[0].label);
}
