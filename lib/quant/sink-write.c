/* SPDX-License-Identifier: Apache-2.0 */
/* Pulling rows, encoding them, writing the bytes. */

#include <stdlib.h>
#include <string.h>

#include "quant/quant.h"
#include "quant/sink-impl.h"

int
peft_sink_write(struct peft_sink *k, const void *p, size_t n,
    struct peft_err *err)
{
	k->written += n;
	return peft_fwrite(k->fp, k->label, p, n, err);
}

static int
room(void **p, size_t *have, size_t need, size_t size, struct peft_err *err)
{
	void *grown;

	if (need <= *have)
		return 0;
	if ((grown = realloc(*p, need * size)) == NULL)
		return peft_seterr(err, "no memory for %zu x %zu bytes", need,
		    size);
	*p = grown;
	*have = need;
	return 0;
}

/* A bias, which is one row, in the order of the rows it is added to. */
static int
pull_bias(const struct peft_rows *rows, const struct peft_order *o, size_t n,
    float *dst, struct peft_err *err)
{
	float *x = peft_calloc(n, sizeof(*x), err);
	int r = x == NULL ? -1 : rows->get(rows->ctx, 0, 1, x, err);
	size_t i;

	for (i = 0; r == 0 && i < n; i++)
		dst[i] = x[peft_permute_to_hf(i, n, o)];
	free(x);
	return r;
}

/* Rows in the container's order. */
static int
pull(const struct peft_spec *s, const struct peft_rows *rows,
    const struct peft_order *o, size_t first, size_t n, float *dst,
    struct peft_err *err)
{
	size_t nrows = s->ndim > 0 ? s->shape[0] : 1, cols, i;

	if (o->heads == 0)
		return rows->get(rows->ctx, first, n, dst, err);
	if (s->ndim == 1)
		return pull_bias(rows, o, nrows, dst, err);
	cols = s->shape[1];
	for (i = 0; i < n; i++)
		if (rows->get(rows->ctx, peft_permute_to_hf(first + i, nrows,
		    o), 1, dst + i * cols, err) == -1)
			return -1;
	return 0;
}

/* Floats with an exponent of ones are NaN or Inf.  (Blocks are not looked
 * into: peft-inspect --scan does that.) */
static size_t
count_bad(const struct peft_weight *w)
{
	const uint8_t *p = w->data;
	size_t i, bad = 0;

	if (w->dtype == PEFT_F32)
		for (i = 0; i < w->nelem; i++)
			bad += (p[4 * i + 3] & 0x7f) == 0x7f &&
			    p[4 * i + 2] >= 0x80;
	else if (w->dtype == PEFT_BF16)
		for (i = 0; i < w->nelem; i++)
			bad += (p[2 * i + 1] & 0x7f) == 0x7f &&
			    p[2 * i] >= 0x80;
	else if (w->dtype == PEFT_F16)
		for (i = 0; i < w->nelem; i++)
			bad += (p[2 * i + 1] & 0x7c) == 0x7c;
	return bad;
}

/* Stored bytes that are kept as they are. */
static int
copy_raw(struct peft_sink *k, const struct peft_weight *w,
    const struct peft_order *o, struct peft_err *err)
{
	size_t bad = count_bad(w), nrows, bytes, r;

	if (bad > 0)
		return peft_setfail(err, PEFT_NUMERIC, "%zu values are not "
		    "finite", bad);
	if (o->heads == 0)
		return peft_sink_write(k, w->data, w->nbytes, err);
	nrows = w->shape[0];		/* of a bias, too */
	bytes = w->nbytes / nrows;
	for (r = 0; r < nrows; r++)
		if (peft_sink_write(k, (const uint8_t *)w->data +
		    peft_permute_to_hf(r, nrows, o) * bytes, bytes,
		    err) == -1)
			return -1;
	return 0;
}

static bool
keeps_bytes(const struct peft_spec *s, const struct peft_rows *rows)
{
	const struct peft_weight *w = rows->raw;

	if (w == NULL || w->dtype != s->dtype)
		return false;
	if (w->dtype != PEFT_NF4 && w->dtype != PEFT_FP4)
		return true;
	return w->scales.blocksize == s->blocksize &&
	    (w->scales.qabsmax != NULL) == s->nested &&
	    (!s->nested || w->scales.nested_blocksize == 256);
}

/* The scales of a 4-bit weight, behind its codes. */
static int
put_scales(struct peft_sink *k, const struct peft_spec *s,
    const float *absmax, struct peft_err *err)
{
	struct peft_quantised q = peft_sink_sizes(s);
	const float *map = s->dtype == PEFT_NF4 ? peft_nf4_map : peft_fp4_map;
	float *nested, offset;
	struct peft_buf state = { 0 };
	uint8_t *codes;
	int r = -1;

	if (!s->nested) {
		if (peft_sink_write(k, absmax, q.nabsmax * sizeof(float),
		    err) == -1)
			return -1;
		return peft_sink_write(k, map, 16 * sizeof(float), err);
	}
	nested = peft_calloc(q.nnested, sizeof(float), err);
	codes = peft_calloc(q.nabsmax, 1, err);
	if (nested != NULL && codes != NULL) {
		peft_encode_nested(absmax, q.nabsmax, codes, nested, &offset);
		peft_sink_state(s, offset, &state);
		if (!state.failed &&
		    peft_sink_write(k, codes, q.nabsmax, err) == 0 &&
		    peft_sink_write(k, map, 16 * sizeof(float), err) == 0 &&
		    peft_sink_write(k, nested, q.nnested * sizeof(float),
		    err) == 0 && peft_sink_write(k, peft_dynamic_map(),
		    256 * sizeof(float), err) == 0)
			r = peft_sink_write(k, state.data, state.len, err);
	}
	peft_buf_free(&state);
	free(nested);
	free(codes);
	return r;
}

static int
copy_4bit(struct peft_sink *k, const struct peft_spec *s,
    const struct peft_weight *w, struct peft_err *err)
{
	const struct peft_scales *sc = &w->scales;
	const float *map = s->dtype == PEFT_NF4 ? peft_nf4_map : peft_fp4_map;
	struct peft_buf state = { 0 };
	int r;

	if (peft_sink_write(k, w->data, w->nbytes, err) == -1)
		return -1;
	if (!s->nested)
		return put_scales(k, s, sc->absmax, err);
	peft_sink_state(s, sc->nested_offset, &state);
	r = state.failed ? peft_seterr(err, "no memory") : 0;
	if (r == 0 && (peft_sink_write(k, sc->qabsmax, sc->nabsmax,
	    err) == -1 || peft_sink_write(k, map, 16 * sizeof(float),
	    err) == -1 || peft_sink_write(k, sc->nested_absmax,
	    sc->nnested * sizeof(float), err) == -1 || peft_sink_write(k,
	    sc->nested_map, 256 * sizeof(float), err) == -1 ||
	    peft_sink_write(k, state.data, state.len, err) == -1))
		r = -1;
	peft_buf_free(&state);
	return r;
}

/* As many rows as make about a piece, and whole blocks of the type. */
static size_t
piece_rows(const struct peft_spec *s, size_t cols)
{
	size_t n = PEFT_PIECE / cols, multiple = s->blocksize > 0 ?
	    s->blocksize : 1;

	n -= n % multiple;
	return n == 0 ? multiple : n;
}

static int
encode_piece(struct peft_sink *k, const struct peft_spec *s, size_t first,
    size_t n, bool last, struct peft_err *err)
{
	const struct peft_dtype_info *t = &peft_dtypes[s->dtype];
	size_t bytes;

	if (s->dtype == PEFT_NF4 || s->dtype == PEFT_FP4) {
		bytes = n / 2 + n % 2;
		if (peft_encode_4bit(s->dtype, k->rows, n, s->blocksize, last,
		    k->bytes, k->absmax + first / s->blocksize, err) == -1)
			return -1;
	} else {
		bytes = n / t->block * t->bytes;
		if (peft_encode(s->dtype, k->rows, n, k->bytes, err) == -1)
			return -1;
	}
	return peft_sink_write(k, k->bytes, bytes, err);
}

static int
encode_rows(struct peft_sink *k, const struct peft_spec *s,
    const struct peft_rows *rows, const struct peft_order *o,
    struct peft_err *err)
{
	size_t cols = s->ndim > 0 ? s->shape[s->ndim - 1] : 1, nrows = 1;
	size_t piece, r, n;
	int i;

	for (i = 0; i < s->ndim - 1; i++)
		nrows *= s->shape[i];
	if (cols == 0 || nrows == 0)
		return 0;
	piece = piece_rows(s, cols);
	piece = piece > nrows ? nrows : piece;
	if (room((void **)&k->rows, &k->nrows, piece * cols, sizeof(float),
	    err) == -1 || room((void **)&k->bytes, &k->nbytes,
	    piece * cols * 8 + 64, 1, err) == -1)
		return -1;
	for (r = 0; r < nrows; r += n) {
		n = nrows - r < piece ? nrows - r : piece;
		if (pull(s, rows, o, r, n, k->rows, err) == -1 ||
		    encode_piece(k, s, r * cols, n * cols, r + n == nrows,
		    err) == -1)
			return -1;
	}
	return 0;
}

int
peft_sink_encode(struct peft_sink *k, const struct peft_spec *s,
    const struct peft_rows *rows, struct peft_err *err)
{
	bool quant = s->dtype == PEFT_NF4 || s->dtype == PEFT_FP4;
	struct peft_order o = { 0 };

	if (k->kind == PEFT_OUT_GGUF)
		o = peft_arch_order(k->arch, s->name, &k->heads);
	if (keeps_bytes(s, rows))
		return quant ? copy_4bit(k, s, rows->raw, err) :
		    copy_raw(k, rows->raw, &o, err);
	if (!peft_can_encode(s->dtype))
		return peft_seterr(err, "type %s cannot be written",
		    peft_dtypes[s->dtype].name);
	if (!quant)
		return encode_rows(k, s, rows, &o, err);
	if (room((void **)&k->absmax, &k->nabsmax, peft_sink_sizes(s).nabsmax,
	    sizeof(float), err) == -1 ||
	    encode_rows(k, s, rows, &o, err) == -1)
		return -1;
	return put_scales(k, s, k->absmax, err);
}
