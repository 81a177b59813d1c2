/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From raw tensors to weights: most are one and the same; bitsandbytes'
 * codes and scales are put together here (its functional.py, QuantState).
 */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tensor/source-impl.h"

static const char state_infix[] = ".quant_state.bitsandbytes__";

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

/* A part that must be there, of a type and a length. */
static int
claim(struct peft_source *s, struct peft_whole *w, enum peft_part part,
    const char *suffix, enum peft_dtype dtype, size_t n, struct peft_err *err)
{
	size_t i = peft_source_find_raw(s, w->w.name, suffix);
	struct peft_raw *raw;

	if (i == PEFT_NONE)
		return peft_seterr(err, "%s%s is missing", w->w.name, suffix);
	raw = &s->raws[i];
	if (raw->dtype != dtype || raw->nbytes != n * peft_dtypes[dtype].bytes)
		return peft_seterr(err, "%s is not a list of %zu %s",
		    raw->name, n, peft_dtypes[dtype].name);
	w->part[part] = i;
	return 0;
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

/* The JSON of a quant_state: what it says of the weight. */
static int
read_state(struct peft_whole *w, const cJSON *j, struct peft_err *err)
{
	struct peft_scales *sc = &w->w.scales;
	const cJSON *shape = peft_json_get(j, "shape"), *d;
	size_t dims[PEFT_MAXDIM];
	const char *type = "", *dtype = "";
	int64_t bs = 0, nbs = 0;
	double offset = 0;
	int n = 0, has_offset;

	if (peft_json_str(j, "quant_type", &type, err) == -1 ||
	    peft_json_str(j, "dtype", &dtype, err) == -1 ||
	    peft_json_int(j, "blocksize", 2, 1 << 20, &bs, err) == -1 ||
	    peft_json_int(j, "nested_blocksize", 2, 1 << 20, &nbs,
	    err) == -1 ||
	    (has_offset = peft_json_real(j, "nested_offset", &offset,
	    err)) == -1)
		return -1;
	if (nbs > 0 && has_offset == 0)
		return peft_seterr(err, "nested_offset is missing");
	if (!isfinite((float)offset))
		return peft_seterr(err, "nested_offset is no f32");
	cJSON_ArrayForEach(d, shape) {
		if (!cJSON_IsArray(shape) || n == PEFT_MAXDIM ||
		    !cJSON_IsNumber(d) ||
		    !(d->valuedouble >= 1) || d->valuedouble > 0x1p40 ||
		    d->valuedouble != floor(d->valuedouble))
			return peft_seterr(err, "\"shape\" is no shape");
		dims[n++] = (size_t)d->valuedouble;
	}
	if (n == 0 || bs == 0)
		return peft_seterr(err, "shape or blocksize is missing");
	w->w.dtype = strcmp(type, "fp4") == 0 ? PEFT_FP4 : PEFT_NF4;
	if (w->w.dtype == PEFT_NF4 && strcmp(type, "nf4") != 0)
		return peft_seterr(err, "quant_type \"%s\" is not known", type);
	sc->orig = strcmp(dtype, "float16") == 0 ? PEFT_F16 :
	    strcmp(dtype, "bfloat16") == 0 ? PEFT_BF16 : PEFT_F32;
	if (sc->orig == PEFT_F32 && strcmp(dtype, "float32") != 0)
		return peft_seterr(err, "dtype \"%s\" is not known", dtype);
	sc->blocksize = (size_t)bs;
	sc->nested_blocksize = (size_t)nbs;
	sc->nested_offset = (float)offset;
	return peft_weight_set_shape(&w->w, n, dims, err);
}

static int
claim_4bit(struct peft_source *s, struct peft_whole *w, struct peft_err *err)
{
	struct peft_scales *sc = &w->w.scales;
	const struct peft_raw *data = &s->raws[w->part[PEFT_DATA]];

	if (data->nbytes != w->w.nelem / 2 + w->w.nelem % 2)
		return peft_seterr(err, "%s has %zu bytes, its quant_state "
		    "calls for %zu values", data->name, data->nbytes,
		    w->w.nelem);
	sc->nabsmax = (w->w.nelem - 1) / sc->blocksize + 1;
	if (claim(s, w, PEFT_ABSMAX, ".absmax", sc->nested_blocksize > 0 ?
	    PEFT_U8 : PEFT_F32, sc->nabsmax, err) == -1 ||
	    claim(s, w, PEFT_QUANT_MAP, ".quant_map", PEFT_F32, 16,
	    err) == -1)
		return -1;
	if (sc->nested_blocksize == 0)
		return 0;
	sc->nnested = (sc->nabsmax - 1) / sc->nested_blocksize + 1;
	if (claim(s, w, PEFT_NESTED_ABSMAX, ".nested_absmax", PEFT_F32,
	    sc->nnested, err) == -1)
		return -1;
	return claim(s, w, PEFT_NESTED_MAP, ".nested_quant_map", PEFT_F32,
	    256, err);
}

/* NAME.quant_state.bitsandbytes__nf4 makes NAME a 4-bit weight. */
static int
make_4bit(struct peft_source *s, size_t state, struct peft_whole *w,
    struct peft_err *err)
{
	struct peft_raw *raw = &s->raws[state];
	const uint8_t *text = peft_source_bytes(s, raw);
	cJSON *j;
	int r;

	w->part[PEFT_QUANT_STATE] = state;
	if (text == NULL)
		return peft_seterr(err, "%s comes too late in the pipe",
		    raw->name);
	if ((j = peft_json((const char *)text, raw->nbytes, err)) == NULL)
		return peft_errprefix(err, "%s", raw->name);
	r = read_state(w, j, err);
	cJSON_Delete(j);
	if (r == 0 && strcmp(strrchr(raw->name, '_') + 1,
	    peft_dtypes[w->w.dtype].name) != 0)
		r = peft_seterr(err, "quant_type is %s",
		    peft_dtypes[w->w.dtype].name);
	if (r == -1)
		return peft_errprefix(err, "%s", raw->name);
	return claim_4bit(s, w, err);
}

/* NAME.SCB beside NAME.weight makes it LLM.int8. */
static int
make_int8(struct peft_source *s, size_t scb, struct peft_whole *w,
    struct peft_err *err)
{
	const struct peft_raw *data = &s->raws[w->part[PEFT_DATA]];
	const struct peft_raw *raw = &s->raws[scb], *fmt;
	char name[2048];
	size_t i;

	if (data->ndim != 2 || raw->dtype != PEFT_F32 ||
	    raw->nbytes != data->shape[0] * sizeof(float))
		return peft_seterr(err, "%s does not hold a scale for each "
		    "row of %s", raw->name, data->name);
	w->part[PEFT_ABSMAX] = scb;
	w->w.dtype = PEFT_INT8;
	w->w.scales.nabsmax = data->shape[0];
	w->w.scales.orig = PEFT_F16;
	snprintf(name, sizeof(name), "%s_format", data->name);
	if ((i = peft_source_find_raw(s, name, "")) != PEFT_NONE) {
		fmt = &s->raws[i];
		if (fmt->nbytes != 1)
			return peft_seterr(err, "%s is not one byte", name);
		w->part[PEFT_FORMAT] = i;
	}
	return 0;
}

/* The scale tensor of an int8 weight, or PEFT_NONE. */
static size_t
find_scb(const struct peft_source *s, const struct peft_raw *raw)
{
	static const char tail[] = ".weight";
	size_t n = strlen(raw->name), cut = sizeof(tail) - 1;
	char base[1024];

	if (raw->dtype != PEFT_I8 || n <= cut || n >= sizeof(base) ||
	    strcmp(raw->name + n - cut, tail) != 0)
		return PEFT_NONE;
	memcpy(base, raw->name, n - cut);
	base[n - cut] = '\0';
	return peft_source_find_raw(s, base, ".SCB");
}

static size_t
find_state(const struct peft_source *s, const char *name)
{
	size_t nf4 = peft_source_find_raw(s, name, ".quant_state.bitsandbytes__nf4");

	return nf4 != PEFT_NONE ? nf4 :
	    peft_source_find_raw(s, name, ".quant_state.bitsandbytes__fp4");
}

static int
make_one(struct peft_source *s, size_t i, struct peft_whole *w,
    struct peft_err *err)
{
	const struct peft_raw *raw = &s->raws[i];
	size_t state = find_state(s, raw->name), scb = find_scb(s, raw);
	int r;

	w->part[PEFT_DATA] = i;
	w->w.name = raw->name;
	w->w.dtype = raw->dtype;
	w->w.nbytes = raw->nbytes;
	w->w.turned = raw->order.turned;
	if (peft_weight_set_shape(&w->w, raw->ndim, raw->shape, err) == -1)
		return -1;
	if (state != PEFT_NONE)
		r = make_4bit(s, state, w, err);
	else if (scb != PEFT_NONE)
		r = make_int8(s, scb, w, err);
	else
		r = peft_source_make_grouped(s, i, w, err);
	if (state != PEFT_NONE || scb != PEFT_NONE || r == 1) {
		const struct peft_heads one = { 1, 1 };

		/* all of these turn what GPT-2 has [in, out] into linears */
		w->w.turned = s->arch != NULL &&
		    peft_arch_order(s->arch, w->w.name, &one).turned;
		s->nquantised++;
	}
	return r == -1 ? -1 : 0;
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
	static const struct { const char *tail, *codes; } rows[] = {
		{ ".absmax", NULL }, { ".quant_map", NULL },
		{ ".nested_absmax", NULL }, { ".nested_quant_map", NULL },
		{ ".SCB", ".weight" } };
	static const char format[] = ".weight_format";
	size_t n = strlen(name), i, cut;
	char base[1024];

	if (strstr(name, state_infix) != NULL)
		return true;
	if (n >= sizeof(base))
		return false;
	if (n >= sizeof(format) && strcmp(name + n - sizeof(format) + 1,
	    format) == 0)
		return true;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cut = strlen(rows[i].tail);
		if (n <= cut || strcmp(name + n - cut, rows[i].tail) != 0)
			continue;
		memcpy(base, name, n - cut);
		base[n - cut] = '\0';
		return (rows[i].codes == NULL ? find_state(s, base) :
		    peft_source_find_raw(s, base, rows[i].codes)) != PEFT_NONE;
	}
	return peft_source_is_companion(s, name);
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

	if (is_companion(s, s->raws[i].name) ||
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
