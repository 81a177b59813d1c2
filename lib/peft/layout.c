/* SPDX-License-Identifier: Apache-2.0 */
/* The table of layouts, which of them a file is, and the pairs it holds. */

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peft/layout-impl.h"
#include "quant/quant.h"

/* The first of a name is the one that is written. */
static const struct peft_layout *const layouts[] = {
	&peft_layout_gguf, &peft_layout_kohya, &peft_layout_kohya_loha,
	&peft_layout_kohya_lokr, &peft_layout_diffusers,
	&peft_layout_diffusers_up, &peft_layout_diffusers_linear,
	&peft_layout_mlx, &peft_layout_torchtune, &peft_layout_adapters, NULL
};

const struct peft_layout *
peft_layout_of_name(const char *name)
{
	size_t i;

	for (i = 0; layouts[i] != NULL; i++)
		if (strcmp(layouts[i]->name, name) == 0)
			return layouts[i];
	return NULL;
}

const char *
peft_layout_at(size_t i, const char **about)
{
	*about = layouts[i] == NULL ? NULL : layouts[i]->about;
	return layouts[i] == NULL ? NULL : layouts[i]->name;
}

const char *
peft_layout_name(const struct peft_layout *l)
{
	return l->name;
}

bool
peft_layout_is_lora(const struct peft_layout *l)
{
	return l->method == NULL;
}

const struct peft_layout *
peft_layout_for(const struct peft_layout *l, const struct peft_method *method)
{
	size_t i;

	for (i = 0; layouts[i] != NULL; i++)
		if (strcmp(layouts[i]->name, l->name) == 0 &&
		    (layouts[i]->method == NULL ? &peft_lora :
		    layouts[i]->method) == method)
			return layouts[i];
	return NULL;
}

/* Which half a name is of, -1: none; and how long the stem is. */
static int
half_of(const struct peft_layout *l, const char *name, size_t *stem)
{
	size_t n = strlen(name), cut;
	int h;

	for (h = 0; h < PEFT_NHALF; h++) {
		cut = l->tails[h] == NULL ? n : strlen(l->tails[h]);
		if (cut < n && strcmp(name + n - cut, l->tails[h]) == 0) {
			*stem = n - cut;
			return h;
		}
	}
	return -1;
}

const struct peft_layout *
peft_layout_of(const struct peft_source *s)
{
	bool gguf = peft_source_kind(s) == PEFT_GGUF;
	size_t i, k, stem;
	int h;

	for (i = 0; layouts[i] != NULL; i++) {
		const struct peft_layout *l = layouts[i];

		if (l->gguf != gguf || (l->is != NULL && !l->is(s)))
			continue;
		for (k = 0; k < peft_source_count(s); k++) {
			h = half_of(l, peft_source_at(s, k)->name, &stem);
			if (h == PEFT_HALF_A || h == PEFT_HALF_B)
				return l;
		}
	}
	return NULL;
}

static struct peft_pair *
pair_of(struct peft_foreign *f, struct peft_map *map, const char *name,
    size_t stem, struct peft_err *err)
{
	size_t *k = peft_map_find(map, name, stem);
	struct peft_pair *grown;
	int h;

	if (k != NULL)
		return &f->pairs[*k];
	grown = peft_grow(f->pairs, f->n, &f->cap, sizeof(*grown), err);
	if (grown == NULL)
		return NULL;
	f->pairs = grown;
	grown = &f->pairs[f->n];
	memset(grown, 0, sizeof(*grown));
	for (h = 0; h < PEFT_NHALF; h++)
		grown->at[h] = SIZE_MAX;
	if ((grown->stem = peft_strdup(name, err)) == NULL)
		return NULL;
	grown->stem[stem] = '\0';
	f->n++;
	return peft_map_add(map, name, stem, f->n - 1, err) == -1 ? NULL :
	    grown;
}

static int
gather(struct peft_foreign *f, struct peft_map *map, struct peft_err *err)
{
	size_t i, stem;
	int h;

	for (i = 0; i < peft_source_count(f->source); i++) {
		const char *name = peft_source_at(f->source, i)->name;
		struct peft_pair *p;

		if ((h = half_of(f->layout, name, &stem)) == -1)
			return peft_setfail(err, PEFT_CHECK, "tensor %s is no "
			    "part of a %s in the layout of %s", name,
			    peft_layout_is_lora(f->layout) ? "LoRA" :
			    f->layout->method->type, f->layout->name);
		if ((p = pair_of(f, map, name, stem, err)) == NULL)
			return -1;
		p->at[h] = i;
	}
	return 0;
}

static int
check_type(const struct peft_foreign *f, size_t i, struct peft_err *err)
{
	const struct peft_weight *w = peft_source_at(f->source, i);

	if (!peft_can_decode(w->dtype) || (!f->layout->gguf &&
	    !peft_is_float(w->dtype)))
		return peft_seterr(err, "tensor %s is of type %s, not f32, "
		    "f16 or bf16", w->name, peft_dtypes[w->dtype].name);
	return 0;
}

/* Both halves, of one rank; the rank and the features. */
static int
check_pair(const struct peft_foreign *f, struct peft_pair *p,
    struct peft_err *err)
{
	const struct peft_weight *a, *b;
	int h, way = f->turned;
	const char *const *tails = f->layout->tails;

	for (h = PEFT_HALF_A; h <= PEFT_HALF_B; h++)
		if (p->at[h] == SIZE_MAX)
			return peft_setfail(err, PEFT_CHECK, "%s has no %s%s",
			    p->stem, p->stem, tails[h]);
	a = peft_source_at(f->source, p->at[PEFT_HALF_A]);
	b = peft_source_at(f->source, p->at[PEFT_HALF_B]);
	if (check_type(f, p->at[PEFT_HALF_A], err) == -1 ||
	    check_type(f, p->at[PEFT_HALF_B], err) == -1)
		return -1;
	if (a->ndim != 2 || b->ndim != 2)
		return peft_setfail(err, PEFT_CHECK, "tensor %s is of %d "
		    "dimensions, not 2: only the LoRA of a linear layer is "
		    "known here", a->ndim != 2 ? a->name : b->name,
		    a->ndim != 2 ? a->ndim : b->ndim);
	p->rank = a->shape[way];
	p->in = a->shape[!way];
	p->out = b->shape[way];
	if (p->rank == 0 || p->rank != b->shape[!way])
		return peft_setfail(err, PEFT_CHECK, "%s is of rank %zu, %s "
		    "of rank %zu", a->name, p->rank, b->name, b->shape[!way]);
	return 0;
}

static int
check_magnitude(const struct peft_foreign *f, const struct peft_pair *p,
    struct peft_err *err)
{
	const struct peft_weight *m;

	if (p->at[PEFT_HALF_M] == SIZE_MAX)
		return 0;
	m = peft_source_at(f->source, p->at[PEFT_HALF_M]);
	if (m->nelem != p->out || (m->ndim > 1 && m->shape[0] != p->out))
		return peft_setfail(err, PEFT_CHECK, "tensor %s does not hold "
		    "one magnitude for each of %zu outputs", m->name, p->out);
	return check_type(f, p->at[PEFT_HALF_M], err);
}

int
peft_foreign_open(struct peft_foreign *f, const struct peft_layout *layout,
    struct peft_source *source, struct peft_err *err)
{
	struct peft_map map = { 0 };
	size_t i;
	int r;

	*f = (struct peft_foreign){ .layout = layout, .source = source,
	    .turned = layout->turned };
	r = gather(f, &map, err);
	peft_map_free(&map);
	for (i = 0; r == 0 && i < f->n; i++) {
		r = layout->check != NULL ? layout->check(f, &f->pairs[i],
		    err) : check_pair(f, &f->pairs[i], err);
		if (r == 0)
			r = check_magnitude(f, &f->pairs[i], err);
	}
	if (r == 0)
		r = layout->settings(f, err);
	for (i = 0; r == 0 && i < f->n; i++)
		if (!isfinite(f->pairs[i].alpha))
			r = peft_seterr(err, "%s: its scale is not finite",
			    f->pairs[i].stem);
	if (r == -1)
		peft_foreign_close(f);
	return r;
}

void
peft_foreign_close(struct peft_foreign *f)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		free(f->pairs[i].stem);
	free(f->pairs);
	f->pairs = NULL;
	f->n = 0;
}

cJSON *
peft_foreign_config(const struct peft_foreign *f, struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(f->source,
	    "adapter_config.json");
	cJSON *j;

	if (side == NULL) {
		peft_seterr(err, "in the layout of %s the scale is told in "
		    "adapter_config.json, which is not there",
		    f->layout->name);
		return NULL;
	}
	if ((j = peft_json(side->data, side->len, err)) == NULL)
		peft_errprefix(err, "adapter_config.json");
	return j;
}

int
peft_foreign_uniform(struct peft_foreign *f, int64_t r, double alpha,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < f->n; i++) {
		if (f->pairs[i].rank != (size_t)r)
			return peft_setfail(err, PEFT_CHECK, "%s is of rank "
			    "%zu, adapter_config.json says %lld",
			    f->pairs[i].stem, f->pairs[i].rank, (long long)r);
		f->pairs[i].alpha = alpha;
	}
	return 0;
}

int
peft_foreign_scalar(const struct peft_foreign *f, size_t i, double *value,
    struct peft_err *err)
{
	struct peft_weight w;
	int64_t whole;
	float v;

	if (peft_source_load(f->source, i, &w, err) == -1)
		return -1;
	if (w.nelem != 1 || (w.dtype != PEFT_I64 && w.dtype != PEFT_F32 &&
	    w.dtype != PEFT_F16 && w.dtype != PEFT_BF16))
		return peft_setfail(err, PEFT_CHECK, "tensor %s is not one "
		    "number", w.name);
	if (w.dtype == PEFT_I64) {
		memcpy(&whole, w.data, sizeof(whole));
		*value = (double)whole;
		return 0;
	}
	peft_decode(&w, 0, 1, &v);
	*value = v;
	return 0;
}

bool
peft_is_number(const char *text, double *value)
{
	char *end;

	errno = 0;
	*value = strtod(text, &end);
	return end != text && *end == '\0' && errno == 0 && isfinite(*value);
}
