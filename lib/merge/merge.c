/* SPDX-License-Identifier: Apache-2.0 */
/* What is merged: the base, the adapters, and whether they belong together. */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "merge/merge-impl.h"
#include "quant/quant.h"

void
peft_merge_say(struct peft_merge *m, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	peft_buf_put(&m->notes, line, strlen(line) + 1);
}

const char *
peft_merge_note(struct peft_merge *m)
{
	const char *note = m->notes.data + m->told;

	if (m->told >= m->notes.len)
		return NULL;
	m->told += strlen(note) + 1;
	return note;
}

struct peft_merge *
peft_merge_open(const struct peft_mergeopt *opt, struct peft_err *err)
{
	struct peft_merge *m = peft_calloc(1, sizeof(*m), err);

	if (m == NULL)
		return NULL;
	m->opt = *opt;
	if (opt->type != PEFT_NDTYPE && !peft_can_encode(opt->type)) {
		peft_setfail(err, PEFT_USAGE, "type %s cannot be written",
		    peft_dtypes[opt->type].name);
		peft_merge_close(m);
		return NULL;
	}
	m->pipe = strcmp(opt->model, "-") == 0;
	if ((m->base = peft_source_open(opt->model, err)) == NULL ||
	    peft_config_read(&m->config, m->base, err) == -1 ||
	    peft_sites_open(&m->sites, &m->config, m->base, err) == -1) {
		peft_merge_close(m);
		return NULL;
	}
	return m;
}

void
peft_merge_close(struct peft_merge *m)
{
	size_t i;

	if (m == NULL)
		return;
	for (i = 0; i < m->nfolds; i++) {
		peft_adapter_close(m->folds[i].adapter);
		peft_source_close(m->folds[i].source);
	}
	peft_merge_unplan(m);
	peft_buf_free(&m->notes);
	peft_sites_close(&m->sites);
	peft_labels_free(&m->labels);
	peft_source_close(m->base);
	free(m->folds);
	free(m);
}

size_t
peft_merge_count(const struct peft_merge *m)
{
	return peft_source_count(m->base);
}

/* The hash of the base, once.  A file is opened anew for it, so that nothing
 * it makes to hash (rows in another order) stays in memory. */
static int
base_hash(struct peft_merge *m, struct peft_err *err)
{
	struct peft_source *s = m->base;
	int r;

	if (m->hash[0] != '\0')
		return 0;
	if (!m->pipe && (s = peft_source_open(m->opt.model, err)) == NULL)
		return -1;
	r = peft_source_hash(s, m->opt.threads, m->hash, err);
	if (!m->pipe)
		peft_source_close(s);
	return r;
}

/* The original of a quantised model is not quantised itself. */
static int
check_original(const struct peft_merge *m, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < peft_source_count(m->base); i++) {
		const struct peft_weight *w = peft_source_at(m->base, i);

		if (!peft_is_float(w->dtype))
			return peft_setfail(err, PEFT_CHECK, "--onto: %s is "
			    "not in its original precision (%s is %s)",
			    peft_source_label(m->base), w->name,
			    peft_dtypes[w->dtype].name);
	}
	return 0;
}

/* The base is not the one trained on.  It may go all the same onto what that
 * one was made from: as the adapter says, or as the caller does. */
static int
check_other(struct peft_merge *m, const struct peft_fold *f,
    const char *want, struct peft_err *err)
{
	const char *origin = peft_adapter_meta(f->adapter, "peft.origin");
	const char *label = f->label;

	if (origin != NULL && strcmp(origin, m->hash) == 0) {
		peft_merge_say(m, "%s was trained over a model made from this "
		    "one; it goes onto this one", label);
		return 0;
	}
	if (m->opt.base == PEFT_MERGE_SAME)
		return peft_setfail(err, PEFT_CHECK, "%s was trained on the "
		    "base %.23s..., %s is %.23s... (--onto if this is that "
		    "one's original, --any-base to merge all the same)", label,
		    want, peft_source_label(m->base), m->hash);
	if (origin != NULL)
		return peft_setfail(err, PEFT_CHECK, "--onto: the base of %s "
		    "was made from %.23s..., %s is %.23s...", label, origin,
		    peft_source_label(m->base), m->hash);
	if (check_original(m, err) == -1)
		return -1;
	peft_merge_say(m, "%s was trained on the base %.23s...; it goes onto "
	    "%.23s...", label, want, m->hash);
	return 0;
}

static int
check_base(struct peft_merge *m, const struct peft_fold *f,
    struct peft_err *err)
{
	const char *want = peft_adapter_meta(f->adapter, "peft.base");

	if (want == NULL) {
		peft_merge_say(m, "%s does not say which base it was trained "
		    "on", f->label);
		return 0;
	}
	if (m->opt.base == PEFT_MERGE_ANY)
		return 0;
	if (base_hash(m, err) == -1)
		return -1;
	return strcmp(want, m->hash) == 0 ? 0 : check_other(m, f, want, err);
}

int
peft_merge_add(struct peft_merge *m, const char *path, double weight,
    struct peft_err *err)
{
	struct peft_fold *f, *grown;
	const char *layout;

	grown = peft_grow(m->folds, m->nfolds, &m->cap, sizeof(*f), err);
	if (grown == NULL)
		return -1;
	m->folds = grown;
	f = &m->folds[m->nfolds];
	memset(f, 0, sizeof(*f));
	f->weight = (float)weight;
	f->label = path;
	if ((f->source = peft_source_open(path, err)) == NULL)
		return -1;
	f->label = peft_source_label(f->source);
	m->nfolds++;
	if (peft_merge_head(m, f->source, err) == -1)
		return -1;
	if ((f->adapter = peft_adapter_open(f->source, &m->sites,
	    err)) == NULL)
		return -1;
	if ((layout = peft_adapter_layout(f->adapter)) != NULL)
		peft_merge_say(m, "%s is read in the layout of %s", f->label,
		    layout);
	return check_base(m, f, err);
}
