/* SPDX-License-Identifier: Apache-2.0 */
/* Weights whose codes are packed into words: GPTQ, AWQ, compressed-tensors. */

#include <string.h>

#include "tensor/grouped-impl.h"

/* A matrix of scales, rows x cols. */
static int
check_scale(struct peft_whole *w, const struct peft_raw *raw, size_t rows,
    size_t cols, struct peft_err *err)
{
	if (raw->ndim != 2 || raw->shape[0] != rows || raw->shape[1] != cols)
		return peft_seterr(err, "%s is not %zu x %zu scales",
		    raw->name, rows, cols);
	return peft_grouped_scale_type(w, raw, err);
}

static int
check_words(const struct peft_raw *raw, size_t rows, size_t cols,
    struct peft_err *err)
{
	if (raw->dtype != PEFT_I32 || raw->ndim != 2 ||
	    raw->shape[0] != rows || raw->shape[1] != cols)
		return peft_seterr(err, "%s is not %zu x %zu words (i32)",
		    raw->name, rows, cols);
	return 0;
}

/* Words that n codes of so many bits take; n is at most 2^40. */
static size_t
words(size_t n, unsigned bits)
{
	return peft_up(n * bits, 32);
}

/* Columns and bits of GPTQ's qweight.  With g_idx the columns are known and
 * so are the bits, which may be other ones than the model's (dynamic). */
static int
gptq_size(const struct peft_source *s, const struct peft_raw *data,
    const struct peft_raw *order, size_t *cols, unsigned *bits,
    struct peft_err *err)
{
	size_t all;

	*bits = s->quant.scheme[0].bits;
	if (__builtin_mul_overflow(data->shape[0], (size_t)32, &all))
		return peft_seterr(err, "tensor %s: its shape is too large",
		    data->name);
	if (order == NULL) {
		*cols = all / *bits;
	} else if (order->dtype != PEFT_I32 || order->ndim != 1 ||
	    order->shape[0] == 0) {
		return peft_seterr(err, "%s is not a list of i32", order->name);
	} else {
		*cols = order->shape[0];
		if (s->quant.dynamic && all % *cols == 0 && (all / *cols == 2 ||
		    all / *cols == 3 || all / *cols == 4 || all / *cols == 8))
			*bits = (unsigned)(all / *cols);
	}
	if (*cols == 0 || all % *bits != 0 || *cols != all / *bits)
		return peft_seterr(err, "%s has %zu rows of words, %zu columns "
		    "of %u bits call for another number", data->name,
		    data->shape[0], *cols, *bits);
	return 0;
}

static int
make_gptq(struct peft_source *s, const char *base, struct peft_whole *w,
    struct peft_err *err)
{
	const struct peft_raw *data = &s->raws[w->part[PEFT_DATA]];
	const struct peft_raw *scale = peft_grouped_part(s, w, PEFT_ABSMAX,
	    base, ".scales");
	const struct peft_raw *zeros = peft_grouped_part(s, w, PEFT_ZEROS, base,
	    ".qzeros");
	const struct peft_raw *order = peft_grouped_part(s, w, PEFT_ORDER, base,
	    ".g_idx");
	struct peft_scales *sc = &w->w.scales;
	size_t cols = 0, group = s->quant.scheme[0].group, ngroups;
	unsigned bits;

	if (scale == NULL || zeros == NULL)
		return peft_grouped_missing(base, scale == NULL ? ".scales" : ".qzeros",
		    err);
	if (gptq_size(s, data, order, &cols, &bits, err) == -1)
		return -1;
	ngroups = scale->ndim == 2 ? scale->shape[0] : 0;
	if (ngroups == 0 || ngroups > cols)
		return peft_seterr(err, "%s is not scales for groups",
		    scale->name);
	/* another group size than the model's */
	if (s->quant.dynamic && ngroups != (group == 0 ? 1 :
	    peft_up(cols, group)))
		group = peft_up(cols, ngroups);
	if (peft_grouped_codes(w, data->shape[1], cols, bits, group, err) == -1)
		return -1;
	if (sc->ngroups != ngroups)
		return peft_seterr(err, "%s has %zu groups, groups of %zu of "
		    "%zu columns are %zu", scale->name, ngroups, sc->group,
		    cols, sc->ngroups);
	sc->ngroups = ngroups;
	w->packing = PEFT_PACK_GPTQ;
	w->plus1 = !s->quant.v2;
	if (check_scale(w, scale, ngroups, w->w.rows, err) == -1)
		return -1;
	return check_words(zeros, ngroups, words(w->w.rows, bits), err);
}

static int
make_awq(struct peft_source *s, const char *base, struct peft_whole *w,
    struct peft_err *err)
{
	const struct peft_raw *data = &s->raws[w->part[PEFT_DATA]];
	const struct peft_raw *scale = peft_grouped_part(s, w, PEFT_ABSMAX,
	    base, ".scales");
	const struct peft_raw *zeros = peft_grouped_part(s, w, PEFT_ZEROS, base,
	    ".qzeros");
	struct peft_scales *sc = &w->w.scales;

	if (scale == NULL || zeros == NULL)
		return peft_grouped_missing(base, scale == NULL ? ".scales" : ".qzeros",
		    err);
	if (data->shape[1] > SIZE_MAX / 8)
		return peft_seterr(err, "tensor %s: its shape is too large",
		    data->name);
	if (peft_grouped_codes(w, data->shape[1] * 8, data->shape[0], 4,
	    s->quant.scheme[0].group, err) == -1)
		return -1;
	w->packing = PEFT_PACK_AWQ;
	if (check_scale(w, scale, sc->ngroups, w->w.rows, err) == -1)
		return -1;
	return check_words(zeros, sc->ngroups, data->shape[1], err);
}

int
peft_grouped_qweight(struct peft_source *s, const char *base,
    struct peft_whole *w, struct peft_err *err)
{
	const struct peft_raw *data = &s->raws[w->part[PEFT_DATA]];

	if (s->quant.method == PEFT_QM_NONE)
		return peft_seterr(err, "%s is packed, and no "
		    "quantization_config says how", data->name);
	if (data->dtype != PEFT_I32 || data->ndim != 2)
		return peft_seterr(err, "%s is not a matrix of words (i32)",
		    data->name);
	if (s->quant.method == PEFT_QM_GPTQ)
		return make_gptq(s, base, w, err);
	if (s->quant.method == PEFT_QM_AWQ)
		return make_awq(s, base, w, err);
	return peft_seterr(err, "%s is not of quant_method %s", data->name,
	    peft_quantmethods[s->quant.method]);
}

/* weight_shape: two whole numbers; its bytes must be at hand. */
static int
read_shape(const struct peft_source *s, const struct peft_raw *raw,
    size_t shape[2], struct peft_err *err)
{
	const uint8_t *p = peft_source_bytes(s, raw);
	size_t size = peft_dtypes[raw->dtype].bytes, i;
	int64_t v;
	int32_t v32;

	if ((raw->dtype != PEFT_I64 && raw->dtype != PEFT_I32) ||
	    raw->nbytes != 2 * size)
		return peft_seterr(err, "%s is not two whole numbers",
		    raw->name);
	if (p == NULL)
		return peft_seterr(err, "%s comes too late in the pipe",
		    raw->name);
	for (i = 0; i < 2; i++) {
		memcpy(&v, p + i * size, size);
		memcpy(&v32, p + i * size, sizeof(v32));
		if (raw->dtype == PEFT_I32)
			v = v32;
		if (v < 1 || v > (int64_t)1 << 40)
			return peft_seterr(err, "%s holds %lld", raw->name,
			    (long long)v);
		shape[i] = (size_t)v;
	}
	return 0;
}

/* The bits of one of the schemes whose codes make rows of so many words. */
static unsigned
find_bits(const struct peft_source *s, size_t cols, size_t nwords)
{
	size_t i;

	for (i = 0; i < s->quant.nschemes; i++)
		if (!s->quant.scheme[i].is_float &&
		    words(cols, s->quant.scheme[i].bits) == nwords)
			return s->quant.scheme[i].bits;
	return 0;
}

/* Zeros of packed codes are packed themselves, down the rows, but for one
 * zero for all. */
static int
check_packed_zeros(const struct peft_whole *w, const struct peft_raw *zeros,
    struct peft_err *err)
{
	const struct peft_scales *sc = &w->w.scales;
	size_t n = 1;
	int d;

	if (sc->group_rows == 1)
		return check_words(zeros, words(w->w.rows, sc->bits),
		    sc->ngroups, err);
	for (d = 0; d < zeros->ndim; d++)
		n *= zeros->shape[d];
	return zeros->dtype == PEFT_I8 && n == 1 ? 0 : peft_seterr(err,
	    "%s is not one i8", zeros->name);
}

int
peft_grouped_packed(struct peft_source *s, const char *base,
    struct peft_whole *w, struct peft_err *err)
{
	const struct peft_raw *data = &s->raws[w->part[PEFT_DATA]];
	const struct peft_raw *scale = peft_grouped_part(s, w, PEFT_ABSMAX,
	    base, ".weight_scale");
	const struct peft_raw *zeros = peft_grouped_part(s, w, PEFT_ZEROS, base,
	    ".weight_zero_point");
	const struct peft_raw *order = peft_grouped_part(s, w, PEFT_ORDER, base,
	    ".weight_g_idx");
	const struct peft_raw *shape = peft_grouped_part(s, w, PEFT_SHAPE, base,
	    ".weight_shape");
	struct peft_scales *sc = &w->w.scales;
	size_t dims[2] = { 0 };
	unsigned bits;

	if (s->quant.method != PEFT_QM_CT)
		return peft_seterr(err, "%s is packed, and no "
		    "quantization_config of compressed-tensors says how",
		    data->name);
	if (scale == NULL || shape == NULL)
		return peft_grouped_missing(base, scale == NULL ? ".weight_scale" :
		    ".weight_shape", err);
	if (read_shape(s, shape, dims, err) == -1)
		return -1;
	bits = find_bits(s, dims[1], data->ndim == 2 ? data->shape[1] : 0);
	if (data->dtype != PEFT_I32 || bits == 0 || data->shape[0] != dims[0])
		return peft_seterr(err, "%s is not %zu rows of words (i32) for "
		    "%zu columns each, of any number of bits that the "
		    "quantization_config gives", data->name, dims[0], dims[1]);
	if (peft_grouped_codes(w, dims[0], dims[1], bits, 0, err) == -1 ||
	    peft_grouped_blocks(s, w, bits, scale, err) == -1)
		return -1;
	if (peft_grouped_scale_type(w, scale, err) == -1)
		return -1;
	sc->stride = data->shape[1] * 4;
	w->w.nbytes = data->nbytes;
	w->packing = PEFT_PACK_PLAIN;
	if (order != NULL && (order->dtype != PEFT_I32 || order->ndim != 1 ||
	    order->shape[0] != dims[1]))
		return peft_seterr(err, "%s is not a list of %zu i32",
		    order->name, dims[1]);
	peft_grouped_inputs(s, w, base);
	if (zeros != NULL)
		return check_packed_zeros(w, zeros, err);
	return peft_quantcfg_needs_zeros(&s->quant, bits) ? peft_grouped_missing(base, ".weight_zero_point",
	    err) : 0;
}

