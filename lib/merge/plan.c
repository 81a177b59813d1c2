/* SPDX-License-Identifier: Apache-2.0 */
/* What will be written: which weights, under which names, in which types. */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "merge/merge-impl.h"
#include "quant/convert.h"
#include "quant/quant.h"

static bool
touched(const struct peft_merge *m, const char *name)
{
	size_t i;

	for (i = 0; i < m->nfolds; i++)
		if (peft_adapter_touches(m->folds[i].adapter, name))
			return true;
	return false;
}

static bool
to_gguf(const struct peft_merge *m)
{
	return peft_is_gguf_name(m->opt.output);
}

/* Without -t a merged model is in float types: rounding the sum into the
 * base's blocks again would undo much of what is merged. */
static void
widen(const struct peft_merge *m, const struct peft_weight *w,
    struct peft_spec *s)
{
	if (peft_is_quantised(s->dtype))
		s->dtype = to_gguf(m) ? PEFT_F16 : w->scales.group > 0 ?
		    w->scales.orig : PEFT_BF16;
	if (to_gguf(m) && s->ndim == 1)
		s->dtype = PEFT_F32;		/* always, in GGUF */
}

/* A head that the base has not is as its embedding is. */
static enum peft_dtype
head_type(const struct peft_merge *m)
{
	const struct peft_weight *w = NULL;
	char name[256];
	size_t i;

	snprintf(name, sizeof(name), "%s.weight", m->config.family->embed);
	if ((i = peft_source_find(m->base, name)) != SIZE_MAX)
		w = peft_source_at(m->base, i);
	return w == NULL || peft_is_quantised(w->dtype) ? PEFT_BF16 : w->dtype;
}

static int
add(struct peft_merge *m, size_t i, const char *name,
    const struct peft_spec *spec, struct peft_err *err)
{
	const struct peft_weight *w = peft_source_at(m->base, i);
	struct peft_made *p = &m->made[m->nmade];

	*p = (struct peft_made){ .from = i, .spec = *spec };
	if (name != NULL) {
		if ((p->name = peft_strdup(name, err)) == NULL)
			return -1;
		p->spec.name = p->name;
	}
	m->nmade++;
	p->merged = touched(m, p->spec.name);
	if (peft_source_grafted(m->base, i) && p->spec.dtype == PEFT_F32)
		p->spec.dtype = m->opt.type == PEFT_NDTYPE ? head_type(m) :
		    p->spec.dtype;
	if (m->opt.type == PEFT_NDTYPE)
		widen(m, w, &p->spec);
	if ((p->merged || p->spec.dtype != w->dtype) &&
	    !peft_can_encode(p->spec.dtype))
		return peft_seterr(err, "weight %s: values of type %s cannot "
		    "be written", p->spec.name,
		    peft_dtypes[p->spec.dtype].name);
	return 0;
}

/* Embedding and head are one weight in the base; are they still? */
static bool
must_untie(const struct peft_merge *m)
{
	char embed[256], head[256];
	size_t i;

	if (!m->config.t.tied)
		return false;
	snprintf(embed, sizeof(embed), "%s.weight", m->config.family->embed);
	snprintf(head, sizeof(head), "%s.weight", m->config.family->head);
	for (i = 0; i < m->nfolds; i++)
		if (peft_adapter_unties(m->folds[i].adapter, embed) ||
		    peft_adapter_unties(m->folds[i].adapter, head))
			return true;
	return false;
}

static int
add_specs(struct peft_merge *m, const struct peft_spec *specs, size_t n,
    struct peft_err *err)
{
	const struct peft_family *f = m->config.family;
	char embed[256], head[256];
	size_t i;

	snprintf(embed, sizeof(embed), "%s.weight", f->embed);
	snprintf(head, sizeof(head), "%s.weight", f->head);
	m->untied = must_untie(m);
	if ((m->made = peft_calloc(n + 1, sizeof(*m->made), err)) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		if (peft_config_unused(&m->config, specs[i].name))
			continue;
		if (add(m, i, NULL, &specs[i], err) == -1)
			return -1;
		if (m->untied && strcmp(specs[i].name, embed) == 0 &&
		    peft_source_find(m->base, head) == SIZE_MAX &&
		    add(m, i, head, &specs[i], err) == -1)
			return -1;
	}
	return 0;
}

static int
add_all(struct peft_merge *m, struct peft_err *err)
{
	const struct peft_rule keep = { m->opt.keep, PEFT_NDTYPE };
	struct peft_convertopt o = { .dtype = m->opt.type,
	    .mix = m->opt.mix, .nested = m->opt.nested, .gguf = to_gguf(m),
	    .rules = &keep, .nrules = m->opt.keep != NULL };
	char note[PEFT_CONVERT_NOTE];
	struct peft_spec *specs;
	size_t n;
	int r, i;

	if ((specs = peft_convert_plan(m->base, &o, &n, err)) == NULL)
		return -1;
	for (i = 0; i < PEFT_NNOTE; i++)
		if (peft_convert_note(specs, n, i, note))
			peft_merge_say(m, "%s", note);
	r = add_specs(m, specs, n, err);
	free(specs);
	return r;
}

/* All that an adapter changes is there to be changed. */
static int
check_targets(const struct peft_merge *m, const struct peft_fold *f,
    struct peft_err *err)
{
	char name[512];
	size_t i, k;

	if (peft_adapter_target(f->adapter, 0, name, sizeof(name)) == 0)
		return peft_setfail(err, PEFT_CHECK, "%s: %s adapters cannot "
		    "be merged: %s; keep them beside the base (peft-generate "
		    "-m BASE -a ADAPTER)", f->label,
		    peft_adapter_type(f->adapter),
		    peft_adapter_unmergeable(f->adapter));
	for (i = 0; peft_adapter_target(f->adapter, i, name, sizeof(name));
	    i++) {
		for (k = 0; k < m->nmade; k++)
			if (strcmp(m->made[k].spec.name, name) == 0)
				break;
		if (k == m->nmade)
			return peft_setfail(err, PEFT_CHECK, "%s changes %s, "
			    "which the base does not have",
			    f->label, name);
	}
	return 0;
}

static int
untie_config(struct peft_merge *m, const struct peft_side *side,
    struct peft_err *err)
{
	cJSON *j = peft_json(side->data, side->len, err);

	if (j == NULL)
		return peft_errprefix(err, "config.json");
	cJSON_DeleteItemFromObjectCaseSensitive(j, "tie_word_embeddings");
	cJSON_AddFalseToObject(j, "tie_word_embeddings");
	peft_json_print(&m->config_json, j, 2, true);
	cJSON_Delete(j);
	return m->config_json.failed ? peft_seterr(err, "no memory for "
	    "config.json") : 0;
}

/* The base's side files, its config changed where the weights call for it
 * (the sink sees to types and quantisation). */
static int
take_sides(struct peft_merge *m, struct peft_err *err)
{
	const struct peft_side *sides;
	size_t i;

	if (peft_source_sides(m->base, &sides, &m->nsides, err) == -1)
		return -1;
	m->sides = peft_calloc(m->nsides + 1, sizeof(*m->sides), err);
	if (m->sides == NULL)
		return -1;
	for (i = 0; i < m->nsides; i++) {
		m->sides[i] = sides[i];
		if ((!m->untied && !m->config.headless) ||
		    strcmp(m->sides[i].name, "config.json") != 0)
			continue;
		if ((m->untied ? untie_config(m, &m->sides[i], err) :
		    peft_head_config(&m->sides[i], &m->labels,
		    &m->config_json, err)) == -1)
			return -1;
		m->sides[i].data = m->config_json.data;
		m->sides[i].len = m->config_json.len;
	}
	return 0;
}

static enum peft_dtype
from_type(const struct peft_merge *m, const struct peft_made *p)
{
	return peft_source_at(m->base, p->from)->dtype;
}

static void
say_types(struct peft_merge *m)
{
	const struct peft_made *most = NULL;
	size_t i, big = 0;

	for (i = 0; i < m->nmade && m->opt.type == PEFT_NDTYPE; i++) {
		const struct peft_made *p = &m->made[i];

		if (p->merged && peft_is_quantised(from_type(m, p))) {
			most = p;
			big++;
		}
	}
	if (most != NULL)
		peft_merge_say(m, "%zu merged weights are quantised in the "
		    "base (%s) and are written as %s (-t chooses another "
		    "type)", big, peft_dtypes[from_type(m, most)].name,
		    peft_dtypes[most->spec.dtype].name);
	if (m->config.headless)
		peft_merge_say(m, "the head is now %s, for %zu classes%s",
		    m->config.head, m->config.outputs, m->config.pad >= 0 ?
		    "" : "; config.json has no pad_token_id, without which "
		    "transformers takes one record at a time");
	if (m->untied)
		peft_merge_say(m, "%s and %s were one weight and are two now",
		    m->config.family->embed, m->config.family->head);
}

/* A type that was asked for and that nothing could take is a mistake. */
static int
check_type(struct peft_merge *m, struct peft_err *err)
{
	size_t i, matrices = 0, taken = 0;

	if (m->opt.type == PEFT_NDTYPE)
		return 0;
	for (i = 0; i < m->nmade; i++) {
		matrices += m->made[i].spec.ndim > 1;
		taken += m->made[i].spec.ndim > 1 &&
		    m->made[i].spec.dtype == m->opt.type;
	}
	if (taken == 0)
		return peft_setfail(err, PEFT_CHECK, "no weight of this model "
		    "can be stored as %s (blocks of %u)",
		    peft_dtypes[m->opt.type].name,
		    peft_dtypes[m->opt.type].block);
	if (taken < matrices)
		peft_merge_say(m, "%zu of %zu matrices are stored as %s",
		    taken, matrices, peft_dtypes[m->opt.type].name);
	return 0;
}

int
peft_merge_plan(struct peft_merge *m, struct peft_err *err)
{
	size_t i;

	if (add_all(m, err) == -1 || take_sides(m, err) == -1)
		return -1;
	for (i = 0; i < m->nfolds; i++)
		if (check_targets(m, &m->folds[i], err) == -1)
			return -1;
	say_types(m);
	return check_type(m, err);
}

void
peft_merge_unplan(struct peft_merge *m)
{
	size_t i;

	for (i = 0; i < m->nmade; i++)
		free(m->made[i].name);
	peft_buf_free(&m->config_json);
	free(m->made);
	free(m->sides);
	m->made = NULL;
	m->sides = NULL;
	m->nmade = m->nsides = 0;
}
