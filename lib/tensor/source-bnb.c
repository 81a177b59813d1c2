/* SPDX-License-Identifier: Apache-2.0 */
/* bitsandbytes' codes and scales put together (its functional.py,
 * QuantState; LLM.int8). */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "tensor/source-impl.h"

static const char state_infix[] = ".quant_state.bitsandbytes__";

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

/* Codes are bytes, or are told as one of the types that a trainer shards by
 * (bnb_4bit_quant_storage). */
static bool
stores_codes(enum peft_dtype t)
{
	return t == PEFT_U8 || t == PEFT_I8 || t == PEFT_F16 ||
	    t == PEFT_BF16 || t == PEFT_F32;
}

static int
claim_4bit(struct peft_source *s, struct peft_whole *w, struct peft_err *err)
{
	struct peft_scales *sc = &w->w.scales;
	const struct peft_raw *data = &s->raws[w->part[PEFT_DATA]];

	if (!stores_codes(data->dtype))
		return peft_seterr(err, "%s is %s: codes of 4 bits are stored "
		    "as u8, i8, f16, bf16 or f32", data->name,
		    peft_dtypes[data->dtype].name);
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
	if (raw->dtype != PEFT_U8)
		return peft_seterr(err, "%s is %s, not the u8 of a text",
		    raw->name, peft_dtypes[raw->dtype].name);
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
		if (fmt->nbytes != 1 || fmt->dtype != PEFT_U8)
			return peft_seterr(err, "%s is not one u8", name);
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

int
peft_source_make_bnb(struct peft_source *s, size_t i, struct peft_whole *w,
    struct peft_err *err)
{
	const struct peft_raw *raw = &s->raws[i];
	size_t state = find_state(s, raw->name), scb = find_scb(s, raw);

	if (state == PEFT_NONE && scb == PEFT_NONE)
		return 0;
	return (state != PEFT_NONE ? make_4bit(s, state, w, err) :
	    make_int8(s, scb, w, err)) == -1 ? -1 : 1;
}

bool
peft_source_is_bnb(const struct peft_source *s, const char *name)
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
	return false;
}
