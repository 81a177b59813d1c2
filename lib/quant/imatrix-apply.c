/* SPDX-License-Identifier: Apache-2.0 */
/* Which weights an importance matrix is for. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "quant/imatrix.h"
#include "quant/quant.h"
#include "tensor/ggufmap.h"

const struct peft_arch *
peft_imatrix_arch(const struct peft_source *src, struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(src, "config.json");
	const struct peft_arch *arch = NULL;
	const char *type = "";
	char names[400];
	cJSON *j;

	if (side == NULL) {
		peft_seterr(err, "%s has no config.json that tells its GGUF "
		    "names", peft_source_label(src));
		return NULL;
	}
	if ((j = peft_json(side->data, side->len, err)) == NULL)
		peft_errprefix(err, "%s: config.json", peft_source_label(src));
	else if (peft_json_str(j, "model_type", &type, err) != -1 &&
	    (arch = peft_arch_of_hf(type)) == NULL) {
		peft_arch_names(true, names, sizeof(names));
		peft_seterr(err, "%s: model_type \"%s\" has no GGUF names here "
		    "(known: %s)", peft_source_label(src), type, names);
	}
	cJSON_Delete(j);
	return arch;
}

/* An entry, and how many matrices of the model it was for. */
struct use {
	const struct peft_importance *e;
	size_t	mats, cols;
};

/* The entry's columns for the spec: one matrix of it, or as many as the
 * weight holds.  Hugging Face has some with their columns down, and experts
 * one by one: then it is the matrix of that number. */
static int
find_columns(struct use *u, const struct peft_spec *s, bool down,
    size_t expert, const float **mean, size_t *n, struct peft_err *err)
{
	size_t cols = s->ndim > 0 ? s->shape[down ? 0 : s->ndim - 1] : 0;
	size_t mats = s->ndim == 3 ? s->shape[0] : 1;
	size_t first = expert == SIZE_MAX ? 0 : expert;

	*n = mats * cols;
	*mean = u->e->mean + first * cols;
	u->mats += mats;
	u->cols = cols;
	if (s->ndim < 2 || s->ndim > (down || expert != SIZE_MAX ? 2 : 3) ||
	    cols == 0 || u->e->n % cols != 0 || u->e->n / cols < first + mats ||
	    (expert == SIZE_MAX && u->e->n != *n))
		return peft_seterr(err, "entry %s has %zu columns, weight %s "
		    "has %zu x %zu", u->e->name, u->e->n, s->name, mats,
		    cols);
	return 0;
}

struct matching {
	const struct peft_arch	*arch;
	const struct peft_source *src;
	struct peft_map		 map;		/* names to uses */
	struct use		*uses;
	const char		*lacking;
	size_t			 nlacking, used;
};

static int
match_one(struct matching *m, size_t i, struct peft_spec *s,
    struct peft_err *err)
{
	const float *mean = NULL;
	struct peft_order order;
	size_t *at, n = 0;
	char name[256];

	s->importance = NULL;
	s->nimportance = 0;
	if (peft_arch_to_gguf(m->arch, s->name, name) == -1)
		return 0;
	at = peft_map_find(&m->map, name, strlen(name));
	order = peft_arch_order(m->arch, s->name, &(struct peft_heads){ 0 });
	if (at != NULL && find_columns(&m->uses[*at], s, order.turned &&
	    !s->turned, peft_arch_expert(m->arch, s->name), &mean, &n,
	    err) == -1)
		return -1;
	if (!peft_can_weigh(s->dtype) || peft_source_at(m->src, i)->dtype ==
	    s->dtype)
		return 0;	/* nothing is rounded, or not by columns */
	if (at == NULL) {
		if (m->nlacking++ == 0)
			m->lacking = s->name;
		return 0;
	}
	s->importance = mean;
	s->nimportance = n;
	m->used++;
	return 0;
}

static int
match(struct matching *m, const struct peft_imatrix *im,
    struct peft_spec *specs, size_t n, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < im->n; i++) {
		m->uses[i].e = &im->at[i];
		if (peft_map_add(&m->map, im->at[i].name,
		    strlen(im->at[i].name), i, err) == -1)
			return -1;
	}
	for (i = 0; i < n; i++)
		if (match_one(m, i, &specs[i], err) == -1)
			return -1;
	if (m->used == 0)
		return peft_seterr(err, "no weight that is in there is turned "
		    "into a type that takes notice of importances (q4_0 to "
		    "q5_1, q2_k to q6_k, iq1_s to iq4_xs)");
	for (i = 0; i < im->n; i++)
		if (m->uses[i].mats == 0)
			return peft_seterr(err, "entry %s fits no weight of "
			    "%s", im->at[i].name, peft_source_label(m->src));
		else if (m->uses[i].mats * m->uses[i].cols != im->at[i].n)
			return peft_seterr(err, "entry %s has %zu matrices, "
			    "%s has %zu", im->at[i].name, im->at[i].n /
			    m->uses[i].cols, peft_source_label(m->src),
			    m->uses[i].mats);
	return 0;
}

int
peft_imatrix_apply(const struct peft_imatrix *im,
    const struct peft_source *src, struct peft_spec *specs, size_t n,
    const char **lacking, size_t *nlacking, struct peft_err *err)
{
	struct matching m = { .arch = peft_imatrix_arch(src, err),
	    .src = src };
	int r = -1;

	m.uses = peft_calloc(im->n + 1, sizeof(*m.uses), err);
	if (m.arch != NULL && m.uses != NULL)
		r = match(&m, im, specs, n, err);
	*lacking = m.lacking;
	*nlacking = m.nlacking;
	peft_map_free(&m.map);
	free(m.uses);
	return r;
}

int
peft_imatrix_needed(const struct peft_source *src,
    const struct peft_spec *specs, size_t n, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (peft_needs_importance(specs[i].dtype) &&
		    specs[i].importance == NULL && peft_source_at(src,
		    i)->dtype != specs[i].dtype)
			return peft_seterr(err, "weight %s: type %s needs an "
			    "importance matrix (--imatrix), and there is none "
			    "of it", specs[i].name,
			    peft_dtypes[specs[i].dtype].name);
	return 0;
}

int
peft_spec_encode(const struct peft_spec *s, const float *src, size_t first,
    size_t n, void *dst, struct peft_err *err)
{
	size_t cols = s->ndim > 0 ? s->shape[s->ndim - 1] : 1;
	size_t bytes = cols / peft_dtypes[s->dtype].block *
	    peft_dtypes[s->dtype].bytes, r;

	if (s->importance == NULL || s->ndim != 3)
		return peft_encode_rows(s->dtype, src, n, cols, s->importance,
		    dst, err);
	/* matrix by matrix would be faster; it does not show */
	for (r = 0; r < n; r++)
		if (peft_encode_rows(s->dtype, src + r * cols, 1, cols,
		    s->importance + (first + r) / s->shape[1] * cols,
		    (uint8_t *)dst + r * bytes, err) == -1)
			return -1;
	return 0;
}
