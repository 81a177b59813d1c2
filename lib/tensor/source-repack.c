/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of a grouped weight made into what struct peft_scales tells of:
 * GPTQ's and AWQ's codes go from columns to rows; scales become f32, zeros
 * whole numbers, in the order of the rows; a g_idx that only counts is left
 * out.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "tensor/source-impl.h"

static uint32_t
load32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

/* Code i of a list of codes that fill words, the lowest bits first; step is
 * the distance of the words. */
static unsigned
code_at(const uint8_t *words, size_t step, size_t i, unsigned bits)
{
	size_t at = i * bits, word = at / 32, shift = at % 32;
	uint32_t v = load32(words + word * step * 4) >> shift;

	if (shift + bits > 32)
		v |= load32(words + (word + 1) * step * 4) << (32 - shift);
	return v & ((1u << bits) - 1);
}

/* GPTQ (AutoGPTQ, qlinear_cuda.py): word k of output r is at [k, r], and
 * holds inputs from the lowest bits on; 3-bit codes may cross words.  So a
 * row is the bytes of its words.  A few rows at a time: lines of the cache
 * hold 16 outputs. */
static void
rows_of_gptq(const struct peft_weight *w, const uint8_t *src, uint8_t *dst)
{
	enum { LINE = 16 };
	const size_t rows = w->rows, stride = w->scales.stride;
	size_t r0, r, k;

	for (r0 = 0; r0 < rows; r0 += LINE)
		for (k = 0; k < stride / 4; k++)
			for (r = r0; r < rows && r < r0 + LINE; r++)
				memcpy(dst + r * stride + k * 4,
				    src + (k * rows + r) * 4, 4);
}

/* AWQ (AutoAWQ, packing_utils.py): word j of input c is at [c, j] and holds
 * outputs 8j + 0, 2, 4, 6, 1, 3, 5, 7 from the lowest bits on. */
static const uint8_t awq_order[8] = { 0, 2, 4, 6, 1, 3, 5, 7 };

/* Columns c .. c+n of eight outputs, two to a byte. */
static void
awq_word(const uint8_t *src, size_t step, size_t c, size_t n, uint8_t *dst,
    size_t stride)
{
	size_t end = c + n, i;

	for (; c < end; c += 2) {
		uint32_t a = load32(src + c * step);
		uint32_t b = c + 1 < end ? load32(src + (c + 1) * step) : 0;

		for (i = 0; i < 8; i++)
			dst[awq_order[i] * stride + c / 2] = (uint8_t)
			    ((a >> 4 * i & 15) | (b >> 4 * i & 15) << 4);
	}
}

static void
rows_of_awq(const struct peft_weight *w, const uint8_t *src, uint8_t *dst)
{
	enum { LINE = 16, FEW = 64 };	/* tiles stay in the first cache */
	const size_t words = w->rows / 8, stride = w->scales.stride;
	size_t j0, c, j, n;

	for (j0 = 0; j0 < words; j0 += LINE)
		for (c = 0; c < w->cols; c += n) {
			n = w->cols - c < FEW ? w->cols - c : FEW;
			for (j = j0; j < words && j < j0 + LINE; j++)
				awq_word(src + j * 4, words * 4, c, n,
				    dst + 8 * j * stride, stride);
		}
}

static float
scale_at(const struct peft_raw *raw, const uint8_t *p, size_t i)
{
	float f;

	switch (raw->dtype) {
	case PEFT_F16:
		return peft_half_f32(peft_load16(p + 2 * i));
	case PEFT_BF16:
		return peft_from_bf16(peft_load16(p + 2 * i));
	case PEFT_F8_E8M0:
		return peft_e8m0_f32(p[i]);
	default:
		memcpy(&f, p + 4 * i, sizeof(f));
		return f;
	}
}

/* Scales as they lie in GPTQ's and AWQ's files, [group, row], or by rows. */
static void
fill_scales(const struct peft_whole *w, const struct peft_raw *raw,
    const uint8_t *p, float *scale)
{
	size_t n = w->w.scales.ngroups, rows = w->w.scales.nabsmax / n, r, g;
	bool across = w->packing == PEFT_PACK_PLAIN;

	for (r = 0; r < rows; r++)
		for (g = 0; g < n; g++)
			scale[r * n + g] = scale_at(raw, p, across ?
			    r * n + g : g * rows + r);
}

/* The zero of row r and group g, as codes have it. */
static int
zero_at(const struct peft_whole *w, const uint8_t *p, size_t r, size_t g)
{
	const struct peft_scales *sc = &w->w.scales;
	size_t rows = w->w.rows, j;
	unsigned mask = (1u << sc->bits) - 1, z;

	switch (w->packing) {
	case PEFT_PACK_GPTQ:
		/* version 1 stores them less one, modulo 2^bits */
		z = code_at(p + g * ((rows * sc->bits + 31) / 32) * 4, 1, r,
		    sc->bits);
		return (int)(w->plus1 ? (z + 1) & mask : z);
	case PEFT_PACK_AWQ:
		for (j = 0; awq_order[j] != r % 8; j++)
			;
		return (int)code_at(p + g * (rows / 8) * 4, 1, r / 8 * 8 + j,
		    4);
	default:
		if (w->w.dtype == PEFT_I8G)
			return ((const int8_t *)p)[r / sc->group_rows *
			    sc->ngroups + g];
		if (sc->group_rows > 1)		/* one for all, not packed */
			return *(const int8_t *)p + (1 << (sc->bits - 1));
		return (int)code_at(p + g * 4, sc->ngroups, r, sc->bits);
	}
}

/* Zeros that are all the same need no table. */
static void
fill_zeros(struct peft_whole *w, const uint8_t *p, int16_t *zero)
{
	struct peft_scales *sc = &w->w.scales;
	size_t n = sc->ngroups, rows = sc->nabsmax / n, r, g;
	bool same = true;

	for (r = 0; r < rows; r++)
		for (g = 0; g < n; g++) {
			zero[r * n + g] = (int16_t)zero_at(w, p,
			    r * sc->group_rows, g);
			same = same && zero[r * n + g] == zero[0];
		}
	sc->zero = same ? NULL : zero;
	sc->zero0 = zero[0];
}

/* compressed-tensors makes weight_g_idx of -1 and leaves it at that where
 * groups are in the order of columns. */
static bool
never_set(const struct peft_whole *w, const uint8_t *p)
{
	size_t c;

	for (c = 0; c < w->w.cols && load32(p + 4 * c) == UINT32_MAX; c++)
		;
	return w->packing == PEFT_PACK_PLAIN && c == w->w.cols;
}

/* The group of each column; NULL if they only count. */
static int
fill_order(struct peft_whole *w, const uint8_t *p, uint32_t *order,
    struct peft_err *err)
{
	struct peft_scales *sc = &w->w.scales;
	bool counts = true;
	size_t c;

	if (never_set(w, p))
		return 0;		/* order is NULL */
	for (c = 0; c < w->w.cols; c++) {
		order[c] = load32(p + 4 * c);
		if (order[c] >= sc->ngroups)
			return peft_seterr(err, "%s: g_idx: column %zu is of "
			    "group %d of %zu", w->w.name, c,
			    (int32_t)order[c], sc->ngroups);
		counts = counts && order[c] == c / sc->group;
	}
	sc->order = counts ? NULL : order;
	return 0;
}

static int
check_exponents(const struct peft_weight *w, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < w->scales.nabsmax; i++)
		if (w->scales.exponents[i] == 0xff)
			return peft_seterr(err, "the scales of %s are not "
			    "finite: scale %zu is NaN", w->name, i);
	return 0;
}

/* FP8 has no zeros; compressed-tensors may write them all the same. */
static int
no_zeros(const struct peft_source *s, const struct peft_whole *w,
    const uint8_t *p, struct peft_err *err)
{
	const struct peft_raw *raw = &s->raws[w->part[PEFT_ZEROS]];
	size_t i;

	for (i = 0; i < raw->nbytes; i++)
		if ((p[i] & 0x7f) != 0)
			return peft_seterr(err, "%s is not zero", raw->name);
	return 0;
}

static int
fill_tables(const struct peft_source *s, struct peft_whole *w,
    const void *const p[PEFT_NPART], struct peft_err *err)
{
	struct peft_scales *sc = &w->w.scales;
	size_t n = sc->nabsmax, order = p[PEFT_ORDER] != NULL ? w->w.cols : 0;
	uint8_t *t = peft_calloc(n * 6 + order * 4 + 1, 1, err);
	bool is_float = w->w.dtype == PEFT_F8G_E4M3 ||
	    w->w.dtype == PEFT_F8G_E5M2;

	if (t == NULL)
		return -1;
	w->tables = t;
	fill_scales(w, &s->raws[w->part[PEFT_ABSMAX]], p[PEFT_ABSMAX],
	    (float *)(void *)t);
	sc->absmax = (const float *)(const void *)t;
	sc->zero = NULL;
	/* symmetric codes of whole numbers are stored with an offset */
	sc->zero0 = w->w.dtype == PEFT_I8G || is_float ? 0 :
	    (int16_t)(1 << (sc->bits - 1));
	if (p[PEFT_ZEROS] != NULL && is_float)
		return no_zeros(s, w, p[PEFT_ZEROS], err);
	if (p[PEFT_ZEROS] != NULL)
		fill_zeros(w, p[PEFT_ZEROS], (int16_t *)(void *)(t + n * 4 +
		    order * 4));
	sc->order = NULL;
	return order == 0 ? 0 : fill_order(w, p[PEFT_ORDER],
	    (uint32_t *)(void *)(t + n * 4), err);
}

int
peft_source_repack(const struct peft_source *s, struct peft_whole *w,
    const void *const p[PEFT_NPART], struct peft_err *err)
{
	if (w->packing == PEFT_PACK_MX) {
		w->w.nbytes = s->raws[w->part[PEFT_DATA]].nbytes;
		w->w.scales.exponents = p[PEFT_ABSMAX];
		return check_exponents(&w->w, err);
	}
	if (w->tables == NULL && fill_tables(s, w, p, err) == -1) {
		free(w->tables);
		w->tables = NULL;
		return -1;
	}
	if (w->packing == PEFT_PACK_PLAIN)
		return 0;
	if (w->permuted == NULL &&
	    (w->permuted = malloc(w->w.nbytes)) == NULL)
		return peft_seterr(err, "weight %s: no memory for %zu bytes",
		    w->w.name, w->w.nbytes);
	if (w->packing == PEFT_PACK_GPTQ)
		rows_of_gptq(&w->w, p[PEFT_DATA], w->permuted);
	else
		rows_of_awq(&w->w, p[PEFT_DATA], w->permuted);
	w->w.data = w->permuted;
	return 0;
}
