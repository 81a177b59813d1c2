/* SPDX-License-Identifier: Apache-2.0 */
/* kv_b_proj out of its two halves (tensor/weight.h). */

#include "quant/quant.h"
#include "quant/decode.h"

enum { MANY = 64 };		/* rows that are turned at a time */

/* Rows i .. i+ni of a head, columns c .. c+nc of them: in the file they are
 * columns. */
static void
turned(const struct peft_weight *k, size_t top, size_t i, size_t ni,
    size_t c, size_t nc, float *dst)
{
	float line[MANY];
	size_t j, r;

	for (j = 0; j < nc; j++) {
		peft_decode_part(k, top + c + j, i, ni, line);
		for (r = 0; r < ni; r++)
			dst[r * nc + j] = line[r];
	}
}

void
peft_decode_kvb(const struct peft_weight *w, size_t first, size_t n,
    float *dst)
{
	const struct peft_kvb *b = &w->scales.kvb;
	const size_t rank = w->cols, each = w->rows / b->heads;
	const size_t nvalues = each - b->keys;
	struct peft_weight k = { .dtype = b->type[0], .data = w->data,
	    .rows = b->heads * rank, .cols = b->keys };
	struct peft_weight v = { .dtype = b->type[1], .rows = b->heads *
	    nvalues, .cols = rank, .data = (const char *)w->data + b->first };
	size_t h, i, c, ni, nc;

	for (; n > 0; n -= ni * nc, first += ni * nc, dst += ni * nc) {
		h = first / rank / each;
		i = first / rank % each;
		c = first % rank;
		nc = rank - c < n ? rank - c : n;
		ni = 1;
		if (i >= b->keys) {
			peft_decode_part(&v, h * nvalues + i - b->keys, c, nc,
			    dst);
			continue;
		}
		if (nc == rank) {		/* several whole rows */
			ni = n / rank < MANY ? n / rank : MANY;
			ni = ni < b->keys - i ? ni : b->keys - i;
		}
		turned(&k, h * rank, i, ni, c, nc, dst);
	}
}
