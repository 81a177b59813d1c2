/* SPDX-License-Identifier: Apache-2.0 */
/* Weights that have scales for groups of elements (tensor/weight.h). */

#include "quant/decode.h"

/* Codes of columns c .. c+n of row r, as numbers without scale. */
static void
codes_of(const struct peft_decoders *d, const struct peft_weight *w, size_t r,
    size_t c, size_t n, float *dst)
{
	const uint8_t *row = (const uint8_t *)w->data + r * w->scales.stride;

	switch (w->dtype) {
	case PEFT_I8G:
		d->codes8((const int8_t *)row + c, n, 1, 1, dst);
		break;
	case PEFT_F8G_E4M3:
		d->plain[PEFT_F8_E4M3](row + c, n, dst);
		break;
	case PEFT_F8G_E5M2:
		d->plain[PEFT_F8_E5M2](row + c, n, dst);
		break;
	default:
		d->codes(row, c, n, w->scales.bits, dst);
	}
}

static void
row_part(const struct peft_decoders *d, const struct peft_weight *w, size_t r,
    size_t c, size_t n, float *dst)
{
	const struct peft_scales *sc = &w->scales;
	size_t k0 = r / sc->group_rows * sc->ngroups, k, m;
	const float *scale = sc->absmax + k0;
	const int16_t *zero = sc->zero == NULL ? NULL : sc->zero + k0;

	codes_of(d, w, r, c, n, dst);
	if (sc->order != NULL) {
		d->affine_by(dst, n, sc->order + c, zero, sc->zero0, scale);
		return;
	}
	for (; n > 0; n -= m, c += m, dst += m) {
		k = c / sc->group;
		m = sc->group - c % sc->group;
		m = m < n ? m : n;
		d->affine(dst, m, (float)(zero == NULL ? sc->zero0 : zero[k]),
		    scale[k]);
	}
}

/* Rows i .. i+ni, which are stored as columns of one block each, of an
 * expert; columns c .. c+nc. */
static void
mx4_tile(const struct peft_decoders *d, const struct peft_weight *w, size_t e,
    size_t i, size_t ni, size_t c, size_t nc, float *dst)
{
	const struct peft_scales *sc = &w->scales;
	const uint8_t *data = w->data;
	size_t j, block;

	for (j = 0; j < nc; j++) {
		block = (e * w->cols + c + j) * sc->ngroups + i / sc->group;
		d->mx4(data + block * 16, sc->exponents[block], i % sc->group,
		    ni, dst + j, w->cols);
	}
}

static void
decode_mx4(const struct peft_decoders *d, const struct peft_weight *w,
    size_t first, size_t n, float *dst)
{
	const size_t group = w->scales.group;
	size_t r, c, i, ni, nc;

	for (; n > 0; n -= ni * nc, first += ni * nc, dst += ni * nc) {
		r = first / w->cols;
		c = first % w->cols;
		i = r % w->shape[1];
		nc = w->cols - c < n ? w->cols - c : n;
		ni = 1;
		if (nc == w->cols) {		/* whole rows of a block */
			ni = group - i % group;
			ni = ni < n / nc ? ni : n / nc;
		}
		mx4_tile(d, w, r / w->shape[1], i, ni, c, nc, dst);
	}
}

void
peft_decode_grouped(const struct peft_decoders *d, const struct peft_weight *w,
    size_t first, size_t n, float *dst)
{
	size_t c, m;

	if (w->dtype == PEFT_MXFP4G) {
		decode_mx4(d, w, first, n, dst);
		return;
	}
	for (; n > 0; n -= m, first += m, dst += m) {
		c = first % w->cols;
		m = w->cols - c < n ? w->cols - c : n;
		row_part(d, w, first / w->cols, c, m, dst);
	}
}
