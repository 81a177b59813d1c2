/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a text may be cut before merging: between two characters that stand
 * side by side in no token.  No merge crosses such a place, so the parts can
 * be merged each for itself, and a text without pre-tokenizer becomes words.
 * Pairs of characters are kept as bits by a hash; that some pairs share a bit
 * only makes for fewer cuts.
 */

#include <stdlib.h>

#include "base/buf.h"
#include "text/tokenizer-impl.h"

enum { JOIN_BITS = 18 };

static uint32_t
bit_of(unsigned a, unsigned b)
{
	return (a * 0x9e3779b1u ^ b * 0x85ebca77u) * 0xc2b2ae3du >>
	    (32 - JOIN_BITS);
}

/* Symbols that are not the characters of their text: of these it cannot be
 * told what stands beside what. */
static bool
is_opaque(const struct peft_tokenizer *t, int32_t id)
{
	return id == t->unk || (t->byte_fallback &&
	    peft_fallback_byte(t->text[id].s, t->text[id].n) >= 0);
}

static void
add_pairs(struct peft_tokenizer *t, const struct peft_str *text)
{
	unsigned a = 0, b;
	size_t i, len;

	for (i = 0; i < text->n; i += len, a = b) {
		len = peft_utf8_len(text->s + i, text->n - i);
		b = peft_utf8_get(text->s + i, len);
		if (i > 0)
			t->joins[bit_of(a, b) / 64] |= UINT64_C(1) <<
			    bit_of(a, b) % 64;
	}
}

int
peft_joins_make(struct peft_tokenizer *t, struct peft_err *err)
{
	unsigned char *opaque = peft_calloc(t->ntokens, 1, err);
	bool all = true;
	size_t i;

	if (opaque == NULL)
		return -1;
	for (i = 0; i < t->ntokens; i++)
		opaque[i] = is_opaque(t, (int32_t)i);
	for (i = 0; i < t->bpe.n; i++)
		all &= !opaque[t->bpe.merge[i].left] &&
		    !opaque[t->bpe.merge[i].right];
	free(opaque);
	if (!all)
		return 0;
	t->joins = peft_calloc((1u << JOIN_BITS) / 64, sizeof(*t->joins),
	    err);
	if (t->joins == NULL)
		return -1;
	for (i = 0; i < t->bpe.n; i++)
		if (i == 0 || t->bpe.merge[i].result !=
		    t->bpe.merge[i - 1].result)
			add_pairs(t, &t->text[t->bpe.merge[i].result]);
	return 0;
}

bool
peft_joins(const struct peft_tokenizer *t, unsigned a, unsigned b)
{
	uint32_t bit = bit_of(a, b);

	return t->joins == NULL || (t->joins[bit / 64] >> bit % 64 & 1) != 0;
}
