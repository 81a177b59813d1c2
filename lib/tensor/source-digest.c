/* SPDX-License-Identifier: Apache-2.0 */
/* What the hash of a model's weights is made of. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "tensor/digest-impl.h"

/* The bytes in row order, then whatever scales there are. */
void
peft_digest_weight(struct peft_digest *d)
{
	const struct peft_scales *s = &d->w.scales;
	enum { CHUNK = 1 << 22 };
	struct peft_sha256 h;
	size_t at, n;

	peft_sha256_init(&h);
	for (at = 0; at < d->w.nbytes; at += n) {
		n = d->w.nbytes - at < CHUNK ? d->w.nbytes - at : CHUNK;
		peft_sha256_add(&h, (const char *)d->w.data + at, n);
		/* the source may be at another weight already */
		if (d->lasts)
			peft_source_drop_range(d->source, d->i, at, at + n);
		else if (!d->had)
			peft_source_passed(d->source, d->i, at, at + n);
	}
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
		peft_buf_printf(&b, "%c%zu", i > 0 ? 'x' : ' ', d->w.shape[i]);
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
