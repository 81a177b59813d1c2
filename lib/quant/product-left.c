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
	return e->int8 == NULL ? 0 : peft_pieces(k, e->chunk);
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

/* int8: scales of a chunk's rows, which lie behind the left-hand side. */
float *
peft_left_scales(const struct peft_products *j, const struct peft_chunk *c)
{
	size_t n = c->at / j->e.chunk, i;
	char *end = (char *)j->left + left_at(j, peft_segments(j)) * j->e.size;

	for (i = 0; i < c->seg; i++)
		n += peft_segment_chunks(j, i);
	return (float *)(void *)end + n * j->T;
}

/* int8: a row of the left-hand side, chunk by chunk. */
static void
quantise_row(const struct peft_products *j, size_t seg, size_t t,
    const float *src, char *dst)
{
	struct peft_chunk c = peft_chunk_settle(j,
	    (struct peft_chunk){ .seg = seg });

	for (; c.deep > 0 && c.seg == seg; c = peft_chunk_next(j, c))
		peft_left_scales(j, &c)[t] = j->e.int8->quantise(dst + c.at *
		    j->e.size, src + c.at, c.deep);
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
