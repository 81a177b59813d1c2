/* SPDX-License-Identifier: Apache-2.0 */
/* The left-hand side of large products, rounded: once for all slabs, rows by
 * rows, segment behind segment; scales of int8 behind it all.  What becomes
 * int8 is rounded to bf16 before, whether it came so or not. */

#include <stdint.h>

#include "quant/product-impl.h"

enum { LINE = 64 };		/* of the cache, in bytes */

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
peft_left_rows(const struct peft_products *j)
{
	return peft_pieces(j->T, PEFT_LEFTROWS) * PEFT_LEFTROWS;
}

/* Is a segment rounded where it is, so that it has no place among the others?
 */
static bool
stays(const struct peft_products *j, size_t seg)
{
	return j->back && seg < j->nw && j->e.trim && j->over;
}

size_t
peft_left_at(const struct peft_products *j, size_t seg)
{
	size_t rows = peft_left_rows(j), i, n = 0;

	for (i = 0; i < seg; i++) {
		const struct peft_expander *e = peft_expander_at(j, i);

		if (!stays(j, i))
			n += rows * peft_left_stride(e,
			    peft_left_size(j, i)) * e->size;
	}
	return n;
}

/* int8: these lie behind the left-hand side, part by part. */
float *
peft_left_scales(const struct peft_products *j, size_t seg, size_t at)
{
	size_t n = at / j->e.part, i;
	char *end = (char *)j->left + peft_left_at(j, peft_left_segments(j));

	for (i = 0; i < seg; i++)
		n += peft_product_scales(peft_expander_at(j, i),
		    peft_left_size(j, i));
	return (float *)(void *)end + n * j->T;
}

void *
peft_left_end(const struct peft_products *j)
{
	uintptr_t end = (uintptr_t)peft_left_scales(j, peft_left_segments(j),
	    0);

	return (void *)((end + LINE - 1) / LINE * LINE);
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

/* int8: a row of the left-hand side, part by part; halves: what came so. */
static void
quantise_row(const struct peft_products *j, size_t seg, size_t t,
    const uint16_t *halves, const float *src, char *dst)
{
	size_t k = peft_left_size(j, seg), at, n;
	float *scales = peft_left_scales(j, seg, 0) + t;
	uint16_t part[PEFT_INT8_DEEP];

	for (at = 0; at < k; at += n, scales += j->T) {
		n = peft_least(PEFT_INT8_DEEP, k - at);
		if (halves == NULL)
			j->e.round(part, src + at, n);
		*scales = j->e.int8->quantise(dst + at * j->e.size,
		    halves == NULL ? part : halves + at, n);
	}
}

/* int8: rows t .. end of a segment. */
static void
quantise_rows(const struct peft_products *j, size_t seg, size_t t, size_t end)
{
	size_t k = peft_left_size(j, seg), ld = peft_left_stride(&j->e, k);
	size_t wide = peft_left_stride(&j->dense, k), ldsrc;
	const float *src = source_of(j, seg, &ldsrc);
	const uint16_t *halves = j->halves[seg];
	char *to = (char *)j->left + peft_left_at(j, seg);

	for (; t < end; t++)
		quantise_row(j, seg, t, halves == NULL ? NULL :
		    halves + t * wide, halves == NULL ? src + t * ldsrc :
		    NULL, to + t * ld * j->e.size);
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
	const struct peft_expander *e = peft_expander_at(j, seg);
	size_t ld = peft_left_stride(e, k);
	char *to = (char *)j->left + peft_left_at(j, seg);
	const float *src;

	if (!(j->fresh >> seg & 1) || k == 0 || !peft_is_rounded(e))
		return;
	if (e->int8 != NULL) {
		quantise_rows(j, seg, t, end);
		return;
	}
	src = source_of(j, seg, &ldsrc);
	if (stays(j, seg)) {
		to = (char *)j->p[seg].y;
		ld = ldsrc;
	}
	for (; t < end; t++)
		if (e->bf16 != NULL)
			e->bf16->round((uint16_t *)(void *)to + t * ld,
			    src + t * ldsrc, k);
		else
			e->f32->trim((float *)(void *)to + t * ld,
			    src + t * ldsrc, k);
}

const void *
peft_left_of(const struct peft_products *j, size_t seg, size_t at, size_t t,
    size_t *ld)
{
	const struct peft_expander *e = peft_expander_at(j, seg);
	const float *src;

	*ld = peft_left_stride(e, peft_left_size(j, seg));
	if (j->halves[seg] != NULL && e->int8 == NULL)
		return j->halves[seg] + t * *ld + at;
	if (peft_is_rounded(e) && !stays(j, seg))
		return (char *)j->left + peft_left_at(j, seg) + (t * *ld +
		    at) * e->size;
	src = source_of(j, seg, ld);
	return src + t * *ld + at;
}
