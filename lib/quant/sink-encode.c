/* SPDX-License-Identifier: Apache-2.0 */
/* Pulling rows, encoding them on several threads, writing the bytes. */

#include <stdlib.h>

#include "quant/quant.h"
#include "quant/sink-impl.h"

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

/* A weight on its way. */
struct encoding {
	struct peft_sink	*k;
	const struct peft_spec	*s;
	const struct peft_rows	*rows;
	const struct peft_order	*order;
	size_t			 nrows, cols;
	size_t			 slice;		/* rows to a slice */
	size_t			 first, n;	/* the window: rows */
	struct peft_err		*errs;		/* one a slice */
	int			*failed;
};

/* Bytes of n elements that begin a block. */
static size_t
coded(enum peft_dtype t, size_t n)
{
	const struct peft_dtype_info *i = &peft_dtypes[t];

	return t == PEFT_NF4 || t == PEFT_FP4 ? n / 2 + n % 2 :
	    n / i->block * i->bytes;
}

/* Where the scales of row r are, which begins a block. */
static float *
scales_at(const struct encoding *e, size_t r)
{
	size_t b = e->s->blocksize;
	float *p = e->k->absmax;

	switch (e->s->dtype) {
	case PEFT_INT8:
		return p + r;
	case PEFT_F8G_E4M3:
		return p + r / b * ((e->cols + b - 1) / b);
	case PEFT_NF4:
	case PEFT_FP4:
		return p + r * e->cols / b;
	default:
		return NULL;
	}
}

/* Rows first .. first + n, at x, to their place in the window's bytes. */
static int
encode_slice(const struct encoding *e, size_t first, size_t n, const float *x,
    struct peft_err *err)
{
	const struct peft_spec *s = e->s;
	struct peft_weight w = { .dtype = s->dtype, .rows = n, .cols = e->cols,
	    .scales = { .blocksize = s->blocksize } };
	uint8_t *dst = e->k->bytes + coded(s->dtype, (first - e->first) *
	    e->cols);

	if (s->importance != NULL)
		return peft_spec_encode(s, x, first, n, dst, err);
	return peft_encode_weight(&w, x, first + n == e->nrows, dst,
	    scales_at(e, first), err);
}

/* Rows that are stored as f32 need not be copied to be encoded. */
static const float *
stored(const struct encoding *e, size_t first)
{
	const struct peft_weight *w = e->rows->raw;

	return w == NULL || w->dtype != PEFT_F32 || e->order->heads != 0 ||
	    (uintptr_t)w->data % sizeof(float) != 0 ? NULL :
	    (const float *)w->data + first * e->cols;
}

/* Each slice has a place of its own in the window, so that it does not show
 * which thread made it. */
static void
do_slice(void *ctx, size_t task, int thread)
{
	const struct encoding *e = ctx;
	size_t first = e->first + task * e->slice;
	size_t left = e->first + e->n - first;
	size_t n = left < e->slice ? left : e->slice;
	struct peft_err *err = &e->errs[task];
	const float *direct = stored(e, first);
	float *x = e->k->rows;

	if (direct == NULL && e->rows->shared) {
		x += (size_t)thread * e->slice * e->cols;
		if (pull(e->s, e->rows, e->order, first, n, x, err) == -1) {
			e->failed[task] = 1;
			return;
		}
	} else
		x += (first - e->first) * e->cols;
	e->failed[task] = encode_slice(e, first, n, direct != NULL ? direct :
	    x, err) == -1;
}

static int
do_window(struct encoding *e, struct peft_err *err)
{
	size_t ntasks = (e->n + e->slice - 1) / e->slice, i;
	struct peft_sink *k = e->k;

	if (!e->rows->shared && pull(e->s, e->rows, e->order, e->first, e->n,
	    k->rows, err) == -1)
		return -1;
	if (k->pool != NULL)
		peft_pool_run(k->pool, ntasks, do_slice, e);
	else
		for (i = 0; i < ntasks; i++)
			do_slice(e, i, 0);
	for (i = 0; i < ntasks; i++)
		if (e->failed[i]) {
			*err = e->errs[i];
			return -1;
		}
	if (e->rows->passed != NULL)
		e->rows->passed(e->rows->ctx, e->first, e->n);
	return peft_sink_write(k, k->bytes, coded(e->s->dtype, e->n *
	    e->cols), err);
}

/* About n elements in rows, and whole blocks where these go over rows. */
static size_t
whole_rows(const struct peft_spec *s, size_t cols, size_t n)
{
	size_t step = peft_encode_step(s->dtype, s->blocksize, cols);
	size_t rows = n / cols;

	rows -= rows % step;
	return rows == 0 ? step : rows;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static int
encode_windows(struct encoding *e, size_t window, struct peft_err *err)
{
	size_t ntasks = (window + e->slice - 1) / e->slice;
	int r = 0;

	e->errs = peft_calloc(ntasks, sizeof(*e->errs), err);
	e->failed = peft_calloc(ntasks, sizeof(*e->failed), err);
	if (e->errs == NULL || e->failed == NULL)
		r = -1;
	for (e->first = 0; r == 0 && e->first < e->nrows; e->first += e->n) {
		e->n = least(window, e->nrows - e->first);
		r = do_window(e, err);
	}
	free(e->errs);
	free(e->failed);
	return r;
}

static int
encode_rows(struct peft_sink *k, const struct peft_spec *s,
    const struct peft_rows *rows, const struct peft_order *o,
    struct peft_err *err)
{
	struct encoding e = { .k = k, .s = s, .rows = rows, .order = o,
	    .cols = s->ndim > 0 ? s->shape[s->ndim - 1] : 1, .nrows = 1 };
	size_t window, threads = k->opt.threads > 1 ?
	    (size_t)k->opt.threads : 1, floats;
	int i;

	for (i = 0; i < s->ndim - 1; i++)
		e.nrows *= s->shape[i];
	if (e.cols == 0 || e.nrows == 0)
		return 0;
	/* of the types that look for near points, lists of these are made
	 * slice by slice: large slices for them */
	e.slice = least(whole_rows(s, e.cols, s->dtype >= PEFT_IQ1_S ?
	    16 * PEFT_SLICE : PEFT_SLICE), e.nrows);
	window = k->opt.planned ? e.slice : PEFT_WINDOW / e.cols;
	window = least(window - window % e.slice, e.nrows);
	window = window == 0 ? e.slice : window;
	floats = (rows->shared ? threads * e.slice : window) * e.cols;
	if (room((void **)&k->rows, &k->nrows, floats, sizeof(float),
	    err) == -1 || room((void **)&k->bytes, &k->nbytes, coded(s->dtype,
	    window * e.cols) + 64, 1, err) == -1)
		return -1;
	return encode_windows(&e, window, err);
}

int
peft_sink_encode(struct peft_sink *k, const struct peft_spec *s,
    const struct peft_rows *rows, struct peft_err *err)
{
	struct peft_order o = { 0 };

	if (k->kind == PEFT_OUT_GGUF)
		o = peft_arch_order(k->arch, s->name, &k->heads);
	if (peft_sink_keeps(s, rows))
		return peft_sink_copy(k, s, rows, &o, err);
	if (!peft_can_encode(s->dtype))
		return peft_seterr(err, "type %s cannot be written",
		    peft_dtypes[s->dtype].name);
	if (!peft_is_coded(s->dtype))
		return encode_rows(k, s, rows, &o, err);
	if (room((void **)&k->absmax, &k->nabsmax, peft_sink_sizes(s).nabsmax,
	    sizeof(float), err) == -1 ||
	    encode_rows(k, s, rows, &o, err) == -1)
		return -1;
	return peft_sink_put_scales(k, s, k->absmax, err);
}
