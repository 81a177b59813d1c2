/* SPDX-License-Identifier: Apache-2.0 */
/* The left-hand side of large products, rounded: once for all slabs, rows by
 * rows, segment behind segment; scales of int8 behind it all. */

#include <stdint.h>

#include "quant/product-impl.h"

size_t
peft_left_stride(const struct peft_expander *e, size_t k)
{
	size_t line = 64 / e->size;

	/* an odd number of cache lines: else rows share few sets */
	return (peft_pieces(k, e->step) * e->step / line | 1) * line;
}

size_t
peft_left_segments(const struct peft_products *j)
{
	return j->back ? j->np : j->low == 0 ? 1 : 1 + j->np;
}

size_t
peft_left_size(const struct peft_products *j, size_t seg)
{
	if (j->back)
		return j->p[seg].w->rows;
	if (seg == 0)
		return j->p[0].w->cols;
	return j->lows[seg - 1].r;
}

size_t
peft_product_scales(const struct peft_expander *e, size_t k)
{
	return e->int8 == NULL ? 0 : peft_pieces(k, e->part);
}

size_t
peft_left_at(const struct peft_products *j, size_t seg)
{
	size_t rows = peft_pieces(j->T, PEFT_LEFTROWS) * PEFT_LEFTROWS;
	size_t i, n = 0;

	for (i = 0; i < seg; i++)
		n += rows * peft_left_stride(&j->e, peft_left_size(j, i));
	return n;
}

/* int8: these lie behind the left-hand side, part by part. */
float *
peft_left_scales(const struct peft_products *j, size_t seg, size_t at)
{
	size_t n = at / j->e.part, i;
	char *end = (char *)j->left + peft_left_at(j, peft_left_segments(j)) *
	    j->e.size;

	for (i = 0; i < seg; i++)
		n += peft_product_scales(&j->e, peft_left_size(j, i));
	return (float *)(void *)end + n * j->T;
}

/* int8: a row of the left-hand side, part by part. */
static void
quantise_row(const struct peft_products *j, size_t seg, size_t t,
    const float *src, char *dst)
{
	size_t k = peft_left_size(j, seg), part = j->e.part, at;
	float *scales = peft_left_scales(j, seg, 0) + t;

	for (at = 0; at < k; at += part, scales += j->T)
		*scales = j->e.int8->quantise(dst + at * j->e.size, src + at,
		    peft_least(part, k - at));
}

/* A segment as it is in f32. */
static const float *
source_of(const struct peft_products *j, size_t seg, size_t *ld)
{
	if (!j->back && seg > 0) {
		*ld = j->lows[seg - 1].r;
		return j->lows[seg - 1].scaled;
	}
	*ld = j->back ? j->p[seg].ldy : j->ldx;
	return j->back ? j->p[seg].y : j->x;
}

size_t
peft_left_tasks(const struct peft_products *j)
{
	return j->left == NULL || j->fresh == 0 ? 0 : peft_left_segments(j) *
	    peft_pieces(j->T, PEFT_LEFTROWS);
}

/* Rows of a segment. */
void
peft_left_round(const struct peft_products *j, size_t task)
{
	size_t n = peft_left_segments(j), seg = task % n, ldsrc;
	size_t t = task / n * PEFT_LEFTROWS, k = peft_left_size(j, seg);
	size_t end = peft_least(t + PEFT_LEFTROWS, j->T);
	size_t at = peft_left_at(j, seg), ld = peft_left_stride(&j->e, k);
	const float *src;

	if (!(j->fresh >> seg & 1) || k == 0)
		return;
	src = source_of(j, seg, &ldsrc);
	for (; t < end; t++) {
		char *to = (char *)j->left + (at + t * ld) * j->e.size;

		if (j->e.int8 != NULL)
			quantise_row(j, seg, t, src + t * ldsrc, to);
		else if (j->e.bf16 != NULL)
			j->e.bf16->round((uint16_t *)(void *)to,
			    src + t * ldsrc, k);
		else
			j->e.f32->trim((float *)(void *)to, src + t * ldsrc,
			    k);
	}
}

const void *
peft_left_of(const struct peft_products *j, size_t seg, size_t at, size_t t,
    size_t *ld)
{
	const float *src;

	if (j->halves[seg] != NULL) {
		*ld = peft_left_stride(&j->e, peft_left_size(j, seg));
		return j->halves[seg] + t * *ld + at;
	}
	if (j->left != NULL) {
		*ld = peft_left_stride(&j->e, peft_left_size(j, seg));
		return (char *)j->left + (peft_left_at(j, seg) + t * *ld +
		    at) * j->e.size;
	}
	src = source_of(j, seg, ld);
	return src + t * *ld + at;
}
