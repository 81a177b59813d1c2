/* SPDX-License-Identifier: Apache-2.0 */
/* Weights with scales for groups of elements: FP8, MXFP4, and what all such
 * weights have in common. */

#include <stdio.h>
#include <string.h>

#include "tensor/grouped-impl.h"

enum { NAMEMAX = 1024 };

/* name without that end, if it has it. */
static bool
strip(const char *name, const char *tail, char base[NAMEMAX])
{
	size_t n = strlen(name), cut = strlen(tail);

	if (n <= cut || n - cut >= NAMEMAX || strcmp(name + n - cut, tail))
		return false;
	memcpy(base, name, n - cut);
	base[n - cut] = '\0';
	return true;
}

bool
peft_source_is_companion(const struct peft_source *s, const char *name)
{
	enum { PACKED = 1 << PEFT_QM_GPTQ | 1 << PEFT_QM_AWQ,
	    CT = 1 << PEFT_QM_CT, MX = 1 << PEFT_QM_MXFP4,
	    SCALED = CT | 1 << PEFT_QM_FP8 | 1 << PEFT_QM_FBGEMM };
	/* by these methods always, otherwise beside such codes */
	static const struct { const char *tail; int methods;
	    const char *codes[2]; } rows[] = {
		{ ".qzeros", PACKED, { ".qweight", ".qweight" } },
		{ ".scales", PACKED, { ".qweight", ".qweight" } },
		{ ".g_idx", PACKED, { ".qweight", ".qweight" } },
		{ ".weight_scale", SCALED, { ".weight_packed", ".weight" } },
		{ ".weight_scale_inv", SCALED, { ".weight", ".weight" } },
		{ ".weight_zero_point", CT, { ".weight_packed", ".weight" } },
		{ ".weight_g_idx", CT, { ".weight_packed", ".weight" } },
		{ ".input_scale", SCALED, { ".weight_packed", ".weight" } },
		{ ".input_zero_point", CT, { ".weight_packed", ".weight" } },
		{ "_scales", MX, { "_blocks", "_blocks" } } };
	char base[NAMEMAX];
	size_t i;

	/* which is read before anything else, and so is never a weight */
	if (peft_source_is_head(name))
		return true;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strip(name, rows[i].tail, base))
			return (rows[i].methods & 1 << s->quant.method) != 0 ||
			    peft_source_find_raw(s, base,
			    rows[i].codes[0]) != PEFT_NONE ||
			    peft_source_find_raw(s, base,
			    rows[i].codes[1]) != PEFT_NONE;
	return false;
}

/* The part BASE.SUFFIX, or NULL. */
const struct peft_raw *
peft_grouped_part(const struct peft_source *s, struct peft_whole *w,
    enum peft_part part, const char *base, const char *suffix)
{
	size_t i = peft_source_find_raw(s, base, suffix);

	if (i == PEFT_NONE)
		return NULL;
	w->part[part] = i;
	return &s->raws[i];
}

int
peft_grouped_missing(const char *base, const char *suffix, struct peft_err *err)
{
	return peft_seterr(err, "%s%s is missing", base, suffix);
}

int
peft_grouped_scale_type(struct peft_whole *w, const struct peft_raw *raw,
    struct peft_err *err)
{
	enum peft_dtype t = raw->dtype;

	if (t != PEFT_F32 && t != PEFT_F16 && t != PEFT_BF16 &&
	    t != PEFT_F8_E8M0)
		return peft_seterr(err, "%s is of type %s, which scales are "
		    "not", raw->name, peft_dtypes[t].name);
	w->w.scales.orig = t == PEFT_F16 ? PEFT_F16 : PEFT_BF16;
	return 0;
}

static enum peft_dtype
type_of_bits(unsigned bits)
{
	return bits == 2 ? PEFT_U2G : bits == 3 ? PEFT_U3G :
	    bits == 4 ? PEFT_U4G : PEFT_U8G;
}

/* rows x cols codes of `bits', with columns in groups of `group'. */
int
peft_grouped_codes(struct peft_whole *w, size_t rows, size_t cols,
    unsigned bits, size_t group, struct peft_err *err)
{
	struct peft_scales *sc = &w->w.scales;
	size_t shape[2] = { rows, cols };

	if (rows == 0 || cols == 0 || cols > (size_t)1 << 40)
		return peft_seterr(err, "tensor %s: a weight of %zu x %zu",
		    w->w.name, rows, cols);
	if (peft_weight_set_shape(&w->w, 2, shape, err) == -1)
		return -1;
	w->w.dtype = type_of_bits(bits);
	sc->bits = bits;
	sc->group = group == 0 || group > cols ? cols : group;
	sc->group_rows = 1;
	sc->ngroups = peft_up(cols, sc->group);
	sc->stride = peft_up(cols * bits, 8);
	w->w.nbytes = rows * sc->stride;
	return 0;
}

/* The blocks that a matrix of scales of that shape is for, by one of the
 * schemes; one scale, and one a row, need none if no scheme is against it. */
int
peft_grouped_blocks(const struct peft_source *s, struct peft_whole *w,
    unsigned bits, const struct peft_raw *scale, struct peft_err *err)
{
	struct peft_scales *sc = &w->w.scales;
	size_t rows = w->w.rows, cols = w->w.cols, n = 1, down, across, i;
	bool blocks = peft_quantcfg_all_blocks(&s->quant, bits);
	int d;

	for (d = 0; d < scale->ndim; d++)
		n *= scale->shape[d];
	down = scale->ndim > 0 ? scale->shape[0] : 1;
	across = scale->ndim > 1 ? scale->shape[1] : 1;
	sc->group_rows = 1;
	sc->group = cols;
	sc->ngroups = across;
	if (n == 1 && !blocks) {
		sc->group_rows = rows;
		return 0;
	}
	if (scale->ndim <= 2 && down == rows && across == 1 &&
	    !blocks)
		return 0;
	for (i = 0; scale->ndim == 2 && i < s->quant.nschemes; i++) {
		const struct peft_quantscheme *q = &s->quant.scheme[i];

		sc->group_rows = q->block[0] > 0 ? q->block[0] : 1;
		sc->group = q->block[0] > 0 ? q->block[1] : q->group;
		if (q->bits == bits && sc->group > 0 &&
		    down == peft_up(rows, sc->group_rows) &&
		    across == peft_up(cols, sc->group))
			return 0;
	}
	return peft_seterr(err, "%s fits no block size that the "
	    "quantization_config gives (of %zu x %zu weights)", scale->name,
	    rows, cols);
}

void
peft_grouped_inputs(struct peft_source *s, struct peft_whole *w,
    const char *base)
{
	(void)peft_grouped_part(s, w, PEFT_INPUT_SCALE, base, ".input_scale");
	(void)peft_grouped_part(s, w, PEFT_INPUT_ZERO, base, ".input_zero_point");
}

/* M.weight of bytes that has a scale. */
static int
make_scaled(struct peft_source *s, const char *base, struct peft_whole *w,
    struct peft_err *err)
{
	const struct peft_raw *data = &s->raws[w->part[PEFT_DATA]], *scale;
	const struct peft_raw *zeros = peft_grouped_part(s, w, PEFT_ZEROS, base,
	    ".weight_zero_point");
	bool inverse = peft_source_find_raw(s, base, ".weight_scale_inv") !=
	    PEFT_NONE;
	enum peft_dtype t = data->dtype;

	if (inverse && peft_source_find_raw(s, base, ".weight_scale") !=
	    PEFT_NONE)
		return peft_seterr(err, "%s.weight_scale and "
		    "%s.weight_scale_inv are both there", base, base);
	scale = peft_grouped_part(s, w, PEFT_ABSMAX, base, inverse ?
	    ".weight_scale_inv" : ".weight_scale");
	if (scale == NULL)
		return peft_grouped_missing(base, ".weight_scale", err);
	if (data->ndim != 2)
		return peft_seterr(err, "%s is not a matrix", data->name);
	if (!peft_quantcfg_has(&s->quant, t))
		return peft_seterr(err, "%s is of type %s, which the "
		    "quantization_config (%s) does not tell of", data->name,
		    peft_dtypes[t].name, peft_quantmethods[s->quant.method]);
	if (peft_grouped_codes(w, data->shape[0], data->shape[1], 8, 0,
	    err) == -1 || peft_grouped_blocks(s, w, 8, scale, err) == -1)
		return -1;
	if (peft_grouped_scale_type(w, scale, err) == -1)
		return -1;
	w->w.dtype = t == PEFT_I8 ? PEFT_I8G : t == PEFT_F8_E5M2 ?
	    PEFT_F8G_E5M2 : PEFT_F8G_E4M3;
	w->packing = PEFT_PACK_PLAIN;
	peft_grouped_inputs(s, w, base);
	if (zeros != NULL && (zeros->dtype != (t == PEFT_I8 ? PEFT_I8 : t) ||
	    zeros->nbytes != scale->nbytes / peft_dtypes[scale->dtype].bytes))
		return peft_seterr(err, "%s is not as many %s as %s",
		    zeros->name, peft_dtypes[t].name, scale->name);
	return zeros == NULL && t == PEFT_I8 &&
	    peft_quantcfg_needs_zeros(&s->quant, 8) ?
	    peft_grouped_missing(base, ".weight_zero_point", err) : 0;
}

int
peft_grouped_mx(const struct peft_source *s, const char *base,
    struct peft_whole *w, struct peft_err *err)
{
	const struct peft_raw *data = &s->raws[w->part[PEFT_DATA]];
	const struct peft_raw *scale = peft_grouped_part(s, w, PEFT_ABSMAX,
	    base, "_scales");

	if (s->quant.method != PEFT_QM_NONE &&
	    s->quant.method != PEFT_QM_MXFP4)
		return peft_seterr(err, "%s is not of quant_method %s",
		    data->name, peft_quantmethods[s->quant.method]);
	if (scale == NULL)
		return peft_grouped_missing(base, "_scales", err);
	if (data->dtype != PEFT_U8 || data->ndim != 4 ||
	    data->shape[3] != 16 || data->nbytes == 0)
		return peft_seterr(err, "%s is not experts x rows x blocks of "
		    "16 u8", data->name);
	if (scale->dtype != PEFT_U8 || scale->ndim != 3 ||
	    memcmp(scale->shape, data->shape, 3 * sizeof(size_t)) != 0)
		return peft_seterr(err, "%s is not an u8 for each block of %s",
		    scale->name, data->name);
	return 0;
}

static int
make_mx(struct peft_source *s, const char *base, struct peft_whole *w,
    struct peft_err *err)
{
	const struct peft_raw *data = &s->raws[w->part[PEFT_DATA]];
	struct peft_scales *sc = &w->w.scales;
	size_t shape[3];

	if (peft_grouped_mx(s, base, w, err) == -1)
		return -1;
	shape[0] = data->shape[0];
	shape[1] = data->shape[2] * 32;
	shape[2] = data->shape[1];
	if (peft_weight_set_shape(&w->w, 3, shape, err) == -1)
		return -1;
	w->w.dtype = PEFT_MXFP4G;
	w->packing = PEFT_PACK_MX;
	sc->bits = 4;
	sc->group = 32;
	sc->group_rows = 1;
	sc->ngroups = data->shape[2];
	sc->orig = PEFT_BF16;
	return 0;
}

/* A weight of bytes that something says is scaled. */
static bool
is_scaled(const struct peft_source *s, const struct peft_raw *raw,
    const char *base)
{
	bool f8 = raw->dtype == PEFT_F8_E4M3 || raw->dtype == PEFT_F8_E5M2;

	if (!f8 && raw->dtype != PEFT_I8)
		return false;
	return peft_source_find_raw(s, base, ".weight_scale") != PEFT_NONE ||
	    peft_source_find_raw(s, base, ".weight_scale_inv") != PEFT_NONE ||
	    s->quant.method == PEFT_QM_CT || (f8 &&
	    (s->quant.method == PEFT_QM_FP8 ||
	    s->quant.method == PEFT_QM_FBGEMM));
}

/* An 8-bit float that the configuration gives a scale, under a name that none
 * is known for (experts in one tensor), must not pass for a number. */
static int
refuse_unscaled(const struct peft_source *s, const struct peft_raw *raw,
    struct peft_err *err)
{
	enum peft_quantmethod m = s->quant.method;

	if ((raw->dtype != PEFT_F8_E4M3 && raw->dtype != PEFT_F8_E5M2) ||
	    (m != PEFT_QM_FP8 && m != PEFT_QM_FBGEMM && m != PEFT_QM_CT))
		return 0;
	return peft_seterr(err, "tensor %s: of quant_method %s only MODULE."
	    "weight with a scale is honoured", raw->name,
	    peft_quantmethods[m]);
}

/* By the end of the name of the codes: who makes the weight, and its name. */
static const struct kind {
	const char	*tail;
	int		(*make)(struct peft_source *, const char *,
			    struct peft_whole *, struct peft_err *);
	const char	*name;
} kinds[] = {
	{ ".qweight", peft_grouped_qweight, ".weight" },
	{ ".weight_packed", peft_grouped_packed, ".weight" },
	{ "_blocks", make_mx, "" },
	{ ".weight", make_scaled, ".weight" },
};

static const struct kind *
find_kind(const char *name, char base[NAMEMAX])
{
	size_t k;

	for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (strip(name, kinds[k].tail, base))
			return &kinds[k];
	return NULL;
}

int
peft_source_make_grouped(struct peft_source *s, size_t i,
    struct peft_whole *w, struct peft_err *err)
{
	const struct peft_raw *raw = &s->raws[i];
	struct peft_scales *sc = &w->w.scales;
	struct peft_buf b = { 0 };
	char base[NAMEMAX];
	const struct kind *k = find_kind(raw->name, base);

	if (k == NULL || (k->make == make_mx && raw->dtype != PEFT_U8) ||
	    (k->make == make_scaled && !is_scaled(s, raw, base)))
		return refuse_unscaled(s, raw, err);
	peft_buf_printf(&b, "%s%s", base, k->name);
	if (b.failed)
		return peft_seterr(err, "no memory for names");
	w->name = b.data;
	w->w.name = w->name;
	if (k->make(s, base, w, err) == -1)
		return -1;
	sc->nabsmax = w->packing == PEFT_PACK_MX ? raw->nbytes / 16 :
	    peft_up(w->w.rows, sc->group_rows) * sc->ngroups;
	return 1;
}
