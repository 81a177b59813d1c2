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
peft_product_scales(const struct peft_expander *e, size_t k)
{
	return e->int8 == NULL ? 0 : peft_pieces(k, e->part);
}

/* Elements of segments before this one. */
static size_t
left_at(const struct peft_products *j, size_t seg)
{
	size_t rows = peft_pieces(j->T, PEFT_LEFTROWS) * PEFT_LEFTROWS;
	size_t i, n = 0;

	for (i = 0; i < seg; i++)
		n += rows * peft_left_stride(&j->e, peft_segment_size(j, i));
	return n;
}

/* int8: these lie behind the left-hand side, part by part. */
float *
peft_left_scales(const struct peft_products *j, size_t seg, size_t at)
{
	size_t n = at / j->e.part, i;
	char *end = (char *)j->left + left_at(j, peft_segments(j)) * j->e.size;

	for (i = 0; i < seg; i++)
		n += peft_product_scales(&j->e, peft_segment_size(j, i));
	return (float *)(void *)end + n * j->T;
}

/* int8: a row of the left-hand side, part by part. */
static void
quantise_row(const struct peft_products *j, size_t seg, size_t t,
    const float *src, char *dst)
{
	size_t k = peft_segment_size(j, seg), part = j->e.part, at;
	float *scales = peft_left_scales(j, seg, 0) + t;

	for (at = 0; at < k; at += part, scales += j->T)
		*scales = j->e.int8->quantise(dst + at * j->e.size, src + at,
		    peft_least(part, k - at));
}

/* Rows of a segment. */
void
peft_left_round(const struct peft_products *j, size_t task)
{
	size_t seg = task % peft_segments(j), k = peft_segment_size(j, seg);
	size_t t = task / peft_segments(j) * PEFT_LEFTROWS;
	size_t at = left_at(j, seg);
	size_t end = peft_least(t + PEFT_LEFTROWS, j->T);
	size_t ld = peft_left_stride(&j->e, k);
	const float *src = (j->back ? j->p[seg].y : j->x);
	size_t ldsrc = j->back ? j->p[seg].ldy : j->ldx;

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

/* The left-hand side of a chunk, from row t on. */
const void *
peft_left_of(const struct peft_products *j, const struct peft_chunk *c,
    size_t t, size_t *ld)
{
	if (j->left != NULL) {
		*ld = peft_left_stride(&j->e, peft_segment_size(j, c->seg));
		return (char *)j->left + (left_at(j, c->seg) + t * *ld +
		    c->at) * j->e.size;
	}
	*ld = j->back ? j->p[c->seg].ldy : j->ldx;
	return (j->back ? j->p[c->seg].y : j->x) + t * *ld + c->at;
}
