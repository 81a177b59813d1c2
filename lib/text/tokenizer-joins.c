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

/* The character at *s, which is valid, and past it. */
static inline unsigned
next_char(const unsigned char **s)
{
	const unsigned char *c = *s;

	if (c[0] < 0x80) {
		*s += 1;
		return c[0];
	}
	if (c[0] < 0xe0) {
		*s += 2;
		return (c[0] & 0x1fu) << 6 | (c[1] & 0x3fu);
	}
	*s += c[0] < 0xf0 ? 3 : 4;
	return peft_utf8_get((const char *)c, (size_t)(*s - c));
}

static void
add_pairs(struct peft_tokenizer *t, const struct peft_str *text)
{
	const unsigned char *s = (const unsigned char *)text->s;
	const unsigned char *end = s + text->n;
	uint32_t bit;
	unsigned a, b;

	if (s == end)
		return;
	for (a = next_char(&s); s < end; a = b) {
		b = next_char(&s);
		bit = bit_of(a, b);
		t->joins[bit / 64] |= UINT64_C(1) << bit % 64;
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
