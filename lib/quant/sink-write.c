/* SPDX-License-Identifier: Apache-2.0 */
/* Writing bytes: stored ones that stay, and the scales of 4-bit weights. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/half.h"
#include "quant/blocks.h"
#include "quant/quant.h"
#include "quant/sink-impl.h"

/* The disk begins with what was written so far, so that there is little left
 * to wait for at the end.  Pipes and some file systems know nothing of it. */
static void
push(struct peft_sink *k)
{
	enum { ENOUGH = 1 << 24 };

	if (k->written - k->pushed < ENOUGH)
		return;
	(void)sync_file_range(fileno(k->fp), 0, 0, SYNC_FILE_RANGE_WRITE);
	k->pushed = k->written;
}

/* Summed and written while it is in the cache. */
int
peft_sink_write(struct peft_sink *k, const void *p, size_t n,
    struct peft_err *err)
{
	enum { PIECE = 1 << 18 };
	const uint8_t *at = p;
	size_t m;

	for (k->written += n; n > 0; n -= m, at += m) {
		m = n < PIECE ? n : PIECE;
		(void)XXH3_64bits_update(k->sum, at, m);
		if (peft_fwrite(k->fp, k->label, at, m, err) == -1)
			return -1;
	}
	push(k);
	return 0;
}

/* Metadata stands at the beginning of a header, so that it is in what is read
 * of it here. */
static int
settle(FILE *fp, const char *was, const char *is)
{
	enum { ENOUGH = 1 << 14 };
	char *head = malloc(ENOUGH), *at = NULL;
	size_t n = strlen(was);
	ssize_t got = -1;
	bool good;

	if (head != NULL && fflush(fp) == 0)
		got = pread(fileno(fp), head, ENOUGH, 0);
	if (got > 0)
		at = memmem(head, (size_t)got, was, n);
	good = at != NULL && pwrite(fileno(fp), is, n, at - head) ==
	    (ssize_t)n;
	free(head);
	return good ? 0 : -1;
}

int
peft_sink_settle(struct peft_sink *k, const char *was, const char *is,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < k->nbegun; i++) {
		errno = 0;
		if (settle(k->begun[i], was, is) == -1)
			return peft_seterrno(err, "%s", k->label);
	}
	return 0;
}

/* Floats with an exponent of ones are NaN or Inf. */
static size_t
count_bad(enum peft_dtype t, const uint8_t *p, size_t nbytes)
{
	size_t n = nbytes / peft_dtypes[t].bytes, i, bad = 0;
	uint32_t u;

	if (t == PEFT_F32)
		for (i = 0; i < n; i++) {
			memcpy(&u, p + 4 * i, 4);
			bad += (u & 0x7f800000u) == 0x7f800000u;
		}
	else if (t == PEFT_BF16)
		for (i = 0; i < n; i++)
			bad += (peft_load16(p + 2 * i) & 0x7f80) == 0x7f80;
	else if (t == PEFT_F16)
		for (i = 0; i < n; i++)
			bad += (peft_load16(p + 2 * i) & 0x7c00) == 0x7c00;
	return bad;
}

static int
refuse_bad(enum peft_dtype t, const uint8_t *p, size_t nbytes,
    struct peft_err *err)
{
	size_t bad = count_bad(t, p, nbytes);

	if (bad > 0)
		return peft_setfail(err, PEFT_NUMERIC, "%zu values are not "
		    "finite", bad);
	if ((bad = peft_blocks_bad(t, p, nbytes)) > 0)
		return peft_seterr(err, "blocks of %s whose scales are not "
		    "finite: %zu", peft_dtypes[t].name, bad);
	return 0;
}

/* In the container's order of rows (of a bias: of its values). */
static int
copy_permuted(struct peft_sink *k, const struct peft_weight *w,
    const struct peft_order *o, struct peft_err *err)
{
	size_t nrows = w->shape[0], bytes = w->nbytes / nrows, r;
	const uint8_t *p = w->data;

	if (refuse_bad(w->dtype, p, w->nbytes, err) == -1)
		return -1;
	for (r = 0; r < nrows; r++)
		if (peft_sink_write(k, p + peft_permute_to_hf(r, nrows,
		    o) * bytes, bytes, err) == -1)
			return -1;
	return 0;
}

/* Stored bytes that are kept as they are, some rows at a time; each is
 * looked at and written while it is in the cache. */
static int
copy_raw(struct peft_sink *k, const struct peft_rows *rows,
    struct peft_err *err)
{
	enum { MANY = 1 << 18 };
	const struct peft_weight *w = rows->raw;
	size_t row = w->rows > 0 ? w->nbytes / w->rows : 0, r, n, step;
	const uint8_t *p = w->data;

	step = row == 0 || row > MANY ? 1 : MANY / row;
	for (r = 0; r < w->rows; r += n) {
		n = w->rows - r < step ? w->rows - r : step;
		if (refuse_bad(w->dtype, p + r * row, n * row, err) == -1 ||
		    peft_sink_write(k, p + r * row, n * row, err) == -1)
			return -1;
		if (rows->passed != NULL)
			rows->passed(rows->ctx, r, n);
	}
	return 0;
}

bool
peft_sink_keeps(const struct peft_spec *s, const struct peft_rows *rows)
{
	const struct peft_weight *w = rows->raw;

	if (w == NULL || w->dtype != s->dtype)
		return false;
	if (w->dtype == PEFT_F8G_E4M3)
		return w->scales.group == s->blocksize &&
		    w->scales.group_rows == s->blocksize &&
		    w->scales.order == NULL && w->scales.zero == NULL;
	if (w->dtype != PEFT_NF4 && w->dtype != PEFT_FP4)
		return true;
	return w->scales.blocksize == s->blocksize &&
	    (w->scales.qabsmax != NULL) == s->nested &&
	    (!s->nested || w->scales.nested_blocksize == 256);
}

/* The scales of a 4-bit weight, behind its codes. */
int
peft_sink_put_scales(struct peft_sink *k, const struct peft_spec *s,
    const float *absmax, struct peft_err *err)
{
	struct peft_quantised q = peft_sink_sizes(s);
	const float *map = s->dtype == PEFT_NF4 ? peft_nf4_map : peft_fp4_map;
	float *nested, offset;
	struct peft_buf state = { 0 };
	uint8_t *codes;
	int r = -1;

	if (s->dtype == PEFT_INT8 || s->dtype == PEFT_F8G_E4M3) {
		static const uint8_t by_rows;	/* weight_format 0 */

		r = peft_sink_write(k, absmax, q.nabsmax * sizeof(float), err);
		return r == 0 && s->dtype == PEFT_INT8 ?
		    peft_sink_write(k, &by_rows, 1, err) : r;
	}
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
		return peft_sink_put_scales(k, s, sc->absmax, err);
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

int
peft_sink_copy(struct peft_sink *k, const struct peft_spec *s,
    const struct peft_rows *rows, const struct peft_order *o,
    struct peft_err *err)
{
	if (s->dtype == PEFT_NF4 || s->dtype == PEFT_FP4)
		return copy_4bit(k, s, rows->raw, err);
	if (peft_is_coded(s->dtype))
		return copy_raw(k, rows, err) == -1 ? -1 :
		    peft_sink_put_scales(k, s, rows->raw->scales.absmax, err);
	return o->heads > 0 ? copy_permuted(k, rows->raw, o, err) :
	    copy_raw(k, rows, err);
}
