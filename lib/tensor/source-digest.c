/* SPDX-License-Identifier: Apache-2.0 */
/* What the hash of a model's weights is made of. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tensor/digest-impl.h"

/* GPT-2's matrices are [in, out] in Hugging Face's files and [out, in] in
 * GGUF: of floats, which both can have, the former is what counts. */
static bool
is_turned(const struct peft_weight *w)
{
	return w->turned && w->ndim == 2 && peft_is_float(w->dtype);
}

static void
add_turned(struct peft_sha256 *h, const struct peft_weight *w)
{
	enum { MANY = 1 << 12 };
	const size_t size = peft_dtypes[w->dtype].bytes;
	const char *p = w->data;
	char some[MANY];
	size_t n = 0, r, c;

	for (c = 0; c < w->cols; c++)
		for (r = 0; r < w->rows; r++) {
			memcpy(some + n, p + (r * w->cols + c) * size, size);
			if ((n += size) == MANY) {
				peft_sha256_add(h, some, n);
				n = 0;
			}
		}
	peft_sha256_add(h, some, n);
}

static void
add_bytes(struct peft_sha256 *h, const struct peft_digest *d)
{
	enum { CHUNK = 1 << 22 };
	size_t at, n;

	for (at = 0; at < d->w.nbytes; at += n) {
		n = d->w.nbytes - at < CHUNK ? d->w.nbytes - at : CHUNK;
		peft_sha256_add(h, (const char *)d->w.data + at, n);
		/* the source may be at another weight already */
		if (d->lasts)
			peft_source_drop_range(d->source, d->i, at, at + n);
		else if (!d->had)
			peft_source_passed(d->source, d->i, at, at + n);
	}
}

/* Scales of blocks of several rows: as many of the same values may stand for
 * blocks of another form. */
static void
add_blocks(struct peft_sha256 *h, const struct peft_weight *w)
{
	const struct peft_scales *s = &w->scales;
	size_t rows = s->group_rows < w->rows ? s->group_rows : w->rows;
	size_t cols = s->group < w->cols ? s->group : w->cols;
	char text[64];
	int n;

	if (s->group_rows <= 1 || (rows == w->rows && cols == w->cols))
		return;
	n = snprintf(text, sizeof(text), "%zux%zu", rows, cols);
	peft_sha256_add(h, text, (size_t)n);
}

/* The bytes in row order, then whatever scales there are. */
void
peft_digest_weight(struct peft_digest *d)
{
	const struct peft_scales *s = &d->w.scales;
	struct peft_sha256 h;

	peft_sha256_init(&h);
	if (is_turned(&d->w))
		add_turned(&h, &d->w);
	else
		add_bytes(&h, d);
	if (s->absmax != NULL)
		peft_sha256_add(&h, s->absmax, s->nabsmax * sizeof(float));
	if (s->qabsmax != NULL) {
		peft_sha256_add(&h, s->qabsmax, s->nabsmax);
		peft_sha256_add(&h, s->nested_absmax,
		    s->nnested * sizeof(float));
		peft_sha256_add(&h, s->nested_map, 256 * sizeof(float));
		peft_sha256_add(&h, &s->nested_offset, sizeof(float));
	}
	if (s->exponents != NULL)
		peft_sha256_add(&h, s->exponents, s->nabsmax);
	if (s->group > 0 && s->zero == NULL)
		peft_sha256_add(&h, &s->zero0, sizeof(s->zero0));
	if (s->zero != NULL)
		peft_sha256_add(&h, s->zero, s->nabsmax * sizeof(*s->zero));
	if (s->order != NULL)
		peft_sha256_add(&h, s->order, d->w.cols * sizeof(*s->order));
	add_blocks(&h, &d->w);
	peft_sha256_hex(&h, d->hex);
}

static int
by_name(const void *a, const void *b)
{
	const struct peft_digest *x = a, *y = b;

	return strcmp(x->w.name, y->w.name);
}

static void
add_line(struct peft_sha256 *h, const struct peft_digest *d)
{
	struct peft_buf b = { 0 };
	int i;

	peft_buf_printf(&b, "%s %s", d->w.name, peft_dtypes[d->w.dtype].name);
	for (i = 0; i < d->w.ndim; i++)
		peft_buf_printf(&b, "%c%zu", i > 0 ? 'x' : ' ',
		    d->w.shape[is_turned(&d->w) ? 1 - i : i]);
	peft_buf_printf(&b, " %s\n", d->hex);
	peft_sha256_add(h, b.data, b.len);
	peft_buf_free(&b);
}

void
peft_digest_of_all(struct peft_digest *d, size_t n, char *hex)
{
	struct peft_sha256 h;
	size_t i;

	qsort(d, n, sizeof(*d), by_name);
	peft_sha256_init(&h);
	for (i = 0; i < n; i++)
		add_line(&h, &d[i]);
	memcpy(hex, "sha256:", 7);
	peft_sha256_hex(&h, hex + 7);
}
