/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From raw tensors to weights: most are one and the same; some are made of
 * several, some are parts of one.
 */

#include <string.h>

#include "tensor/source-impl.h"

const uint8_t *
peft_source_bytes(const struct peft_source *s, const struct peft_raw *raw)
{
	const uint8_t *map = s->files[raw->file].map;

	if (raw->copy != NULL)
		return raw->copy;
	return map == NULL ? NULL : map + raw->at;
}

size_t
peft_source_find_raw(const struct peft_source *s, const char *base,
    const char *suffix)
{
	char name[2048];
	const size_t *k;

	/* a name that does not fit is the name of nothing */
	if (strlen(base) + strlen(suffix) >= sizeof(name))
		return PEFT_NONE;
	memcpy(name, base, strlen(base));
	memcpy(name + strlen(base), suffix, strlen(suffix) + 1);
	k = peft_map_find(&s->raw_index, name, strlen(name));
	return k == NULL ? PEFT_NONE : *k;
}

/* Fill in shape, rows, cols, nelem of a weight. */
int
peft_weight_set_shape(struct peft_weight *w, int ndim, const size_t *shape,
    struct peft_err *err)
{
	int i;

	w->ndim = ndim;
	w->nelem = w->rows = 1;
	for (i = 0; i < ndim; i++) {
		w->shape[i] = shape[i];
		if (__builtin_mul_overflow(w->nelem, shape[i], &w->nelem))
			return peft_seterr(err, "tensor %s: its shape is too "
			    "large", w->name);
		if (i < ndim - 1)
			w->rows *= shape[i];
	}
	w->cols = ndim > 0 ? shape[ndim - 1] : 1;
	return 0;
}

/* One that a raw tensor makes, with its parts, if it has some. */
static int
make_one(struct peft_source *s, size_t i, struct peft_whole *w,
    struct peft_err *err)
{
	const struct peft_heads one = { 1, 1 };
	const struct peft_raw *raw = &s->raws[i];
	int r;

	w->part[PEFT_DATA] = i;
	w->w.name = raw->name;
	w->w.dtype = raw->dtype;
	w->w.nbytes = raw->nbytes;
	w->w.turned = raw->order.turned;
	if (peft_weight_set_shape(&w->w, raw->ndim, raw->shape, err) == -1)
		return -1;
	if ((r = peft_latent_make(s, i, w, err)) != 0)
		return r == -1 ? -1 : 0;
	if ((r = peft_source_make_bnb(s, i, w, err)) == 0)
		r = peft_source_make_grouped(s, i, w, err);
	if (r != 1)
		return r;
	/* all of these turn what GPT-2 has [in, out] into linears */
	w->w.turned = s->arch != NULL &&
	    peft_arch_order(s->arch, w->w.name, &one).turned;
	s->nquantised++;
	return 0;
}

/* The k-th of n that raw tensor i makes; n 0: the one. */
static int
make_weight(struct peft_source *s, size_t i, size_t k, size_t n,
    struct peft_whole *w, struct peft_err *err)
{
	int p, r;

	memset(w, 0, sizeof(*w));
	for (p = 0; p < PEFT_NPART; p++)
		w->part[p] = PEFT_NONE;
	r = n > 0 ? peft_source_make_expert(s, i, k, w, err) :
	    make_one(s, i, w, err);
	for (p = 0; p < PEFT_NPART; p++)
		if (w->part[p] != PEFT_NONE) {
			struct peft_raw *raw = &s->raws[w->part[p]];

			raw->weight = s->nwholes;
			w->missing += peft_source_bytes(s, raw) == NULL;
		}
	return r;
}

/* Names that belong to another tensor's quantisation. */
static bool
is_companion(const struct peft_source *s, const char *name)
{
	return peft_source_is_bnb(s, name) ||
	    peft_source_is_companion(s, name);
}

/* A quantisation state without its weight would go unnoticed otherwise. */
static int
no_orphans(const struct peft_source *s, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < s->nraws; i++)
		if (s->raws[i].weight == PEFT_NONE)
			return peft_seterr(err, "tensor %s belongs to no "
			    "weight", s->raws[i].name);
	return 0;
}

static int
add_weight(struct peft_source *s, size_t i, size_t k, size_t n,
    struct peft_err *err)
{
	struct peft_whole *w = &s->wholes[s->nwholes];
	int r = make_weight(s, i, k, n, w, err);

	s->nwholes++;			/* and is freed, whatever it is */
	if (r == 0)
		r = peft_map_add(&s->weight_index, w->w.name,
		    strlen(w->w.name), s->nwholes - 1, err);
	if (r == 0)
		return peft_seterr(err, "weight %s is there twice", w->w.name);
	return r == -1 ? -1 : 0;
}

/* How many there may be. */
static int
count(const struct peft_source *s, size_t *most, struct peft_err *err)
{
	size_t i, n;

	for (*most = 0, i = 0; i < s->nraws; i++) {
		if (peft_source_experts(s, i, &n, err) == -1)
			return -1;
		*most += n > 0 ? n : 1;
	}
	return 0;
}

/* Where a family has them in one tensor, an expert's gate and up come one
 * behind the other, in whatever order a container has them: the weight that
 * comes with raw tensor i, or before it; PEFT_NONE. */
static size_t
find_mate(const struct peft_source *s, size_t i, const char *own,
    const char *mate)
{
	const char *name = s->raws[i].name, *at = strstr(name, own);
	char base[1024];

	if (at == NULL || s->pipe != NULL || s->arch == NULL ||
	    !peft_arch_joined(s->arch) ||
	    (size_t)(at - name) + strlen(mate) >= sizeof(base))
		return PEFT_NONE;
	memcpy(base, name, (size_t)(at - name));
	strcpy(base + (at - name), mate);
	return peft_source_find_raw(s, base, at + strlen(own));
}

/* The weights that raw tensor i makes. */
static int
add_weights(struct peft_source *s, size_t i, struct peft_err *err)
{
	static const char gate[] = ".gate_proj.", up[] = ".up_proj.";
	size_t n, k = 0, mate;

	if (is_companion(s, s->raws[i].name) || peft_latent_is_second(s, i) ||
	    find_mate(s, i, up, gate) != PEFT_NONE)
		return 0;
	if ((mate = find_mate(s, i, gate, up)) != PEFT_NONE)
		return add_weight(s, i, 0, 0, err) == -1 ? -1 :
		    add_weight(s, mate, 0, 0, err);
	if (peft_source_experts(s, i, &n, err) == -1)
		return -1;
	do
		if (add_weight(s, i, k, n, err) == -1)
			return -1;
	while (++k < n);
	return 0;
}

int
peft_source_make_weights(struct peft_source *s, struct peft_err *err)
{
	size_t i, n;

	if (peft_source_read_config(s, err) == -1 || count(s, &n, err) == -1)
		return -1;
	if ((s->wholes = peft_calloc(n, sizeof(*s->wholes), err)) == NULL)
		return -1;
	for (i = 0; i < s->nraws; i++)
		if (add_weights(s, i, err) == -1)
			return -1;
	if (no_orphans(s, err) == -1)
		return -1;
	/* an adapter's folder may have the config.json of its base */
	if (s->quant.method != PEFT_QM_NONE && s->nquantised == 0 &&
	    s->nwholes > 0 && !peft_source_is_adapter(s))
		return peft_seterr(err, "quantization_config says %s, and no "
		    "weight is quantised; if that is right, take it out of "
		    "config.json", peft_quantmethods[s->quant.method]);
	return 0;
}
