/* SPDX-License-Identifier: Apache-2.0 */
/* Which weights an importance matrix is for. */

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

/* The entry's columns: one matrix, or as many as the weight holds.  Hugging
 * Face has some with their columns down. */
static int
check_shape(const struct peft_importance *e, const struct peft_spec *s,
    bool down, struct peft_err *err)
{
	size_t cols = s->ndim > 0 ? s->shape[down ? 0 : s->ndim - 1] : 0;
	size_t mats = s->ndim == 3 ? s->shape[0] : 1;

	if (s->ndim < 2 || s->ndim > (down ? 2 : 3) || e->n / mats != cols ||
	    e->n % mats != 0)
		return peft_seterr(err, "entry %s has %zu columns, weight %s "
		    "has %zu x %zu", e->name, e->n, s->name, mats, cols);
	return 0;
}

static int
match(const struct peft_imatrix *m, const struct peft_arch *arch,
    const struct peft_source *src, struct peft_map *map,
    struct peft_spec *specs, size_t n, const char **lacking,
    size_t *nlacking, struct peft_err *err)
{
	char name[256];
	size_t i, *at, used = 0;
	struct peft_order order;

	*nlacking = 0;
	for (i = 0; i < n; i++) {
		struct peft_spec *s = &specs[i];

		s->importance = NULL;
		s->nimportance = 0;
		if (peft_arch_to_gguf(arch, s->name, name) == -1)
			continue;
		at = peft_map_find(map, name, strlen(name));
		order = peft_arch_order(arch, s->name, &(struct peft_heads){
		    0 });
		if (at != NULL && check_shape(&m->at[*at], s, order.turned &&
		    !s->turned, err) == -1)
			return -1;
		if (!peft_can_weigh(s->dtype) || peft_source_at(src,
		    i)->dtype == s->dtype) {
			/* nothing is rounded, or not by columns */
		} else if (at != NULL) {
			s->importance = m->at[*at].mean;
			s->nimportance = m->at[*at].n;
			used++;
		} else if ((*nlacking)++ == 0)
			*lacking = s->name;
		if (at != NULL)
			*at = m->n;	/* it fits */
	}
	if (used == 0)
		return peft_seterr(err, "no weight that is in there is turned "
		    "into a type that takes notice of importances (q4_0 to "
		    "q5_1, q2_k to q6_k, iq1_s to iq4_xs)");
	return 0;
}

int
peft_imatrix_apply(const struct peft_imatrix *m,
    const struct peft_source *src, struct peft_spec *specs, size_t n,
    const char **lacking, size_t *nlacking, struct peft_err *err)
{
	const struct peft_arch *arch = peft_imatrix_arch(src, err);
	struct peft_map map = { 0 };
	size_t i;
	int r = arch == NULL ? -1 : 0;

	for (i = 0; r == 0 && i < m->n; i++)
		if (peft_map_add(&map, m->at[i].name, strlen(m->at[i].name),
		    i, err) == -1)
			r = -1;
	if (r == 0)
		r = match(m, arch, src, &map, specs, n, lacking, nlacking,
		    err);
	for (i = 0; r == 0 && i < m->n; i++)
		if (*peft_map_find(&map, m->at[i].name,
		    strlen(m->at[i].name)) != m->n)
			r = peft_seterr(err, "entry %s fits no weight of %s",
			    m->at[i].name, peft_source_label(src));
	peft_map_free(&map);
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
