/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary: texts by id, ids by text, and what the texts stand for. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/tokenizer-list.h"

/* GPT-2's printable alphabet for bytes: the byte of a character, or -1. */
static int
char_byte(unsigned cp)
{
	if ((cp >= 33 && cp <= 126) || (cp >= 161 && cp <= 172) ||
	    (cp >= 174 && cp <= 255))
		return (int)cp;
	/* the other 68, in order, from U+0100 on */
	if (cp < 256 || cp > 256 + 67)
		return -1;
	cp -= 256;
	return (int)(cp < 33 ? cp : cp < 67 ? cp - 33 + 127 : 173);
}

unsigned
peft_byte_char(unsigned char b)
{
	if (char_byte(b) == b)
		return b;
	return 256u + (b < 33 ? b : b < 173 ? b - 127u + 33 : 67u);
}

int
peft_fallback_byte(const char *s, size_t n)
{
	static const char digits[] = "0123456789ABCDEFabcdef";
	const char *high, *low;
	long value;

	if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>')
		return -1;
	high = memchr(digits, s[3], 22);
	low = memchr(digits, s[4], 22);
	if (high == NULL || low == NULL)
		return -1;
	value = (high - digits) - (high - digits > 15 ? 6 : 0);
	value = value * 16 + (low - digits) - (low - digits > 15 ? 6 : 0);
	return (int)value;
}

/* Texts are looked at in any order, as those of a table. */
static int
grow(struct peft_tokenizer *t, size_t cap, struct peft_err *err)
{
	struct peft_str *text = peft_table_alloc(cap, sizeof(*text), err);
	unsigned char *flags = realloc(t->flags, cap);

	if (flags != NULL)
		t->flags = flags;
	if (text == NULL || flags == NULL) {
		free(text);
		return peft_seterr(err, "no memory for %zu tokens", cap);
	}
	if (t->ntokens > 0)
		memcpy(text, t->text, t->ntokens * sizeof(*text));
	free(t->text);
	t->vocab.strs = t->text = text;
	t->cap = cap;
	return 0;
}

int
peft_vocab_reserve(struct peft_tokenizer *t, size_t n, struct peft_err *err)
{
	size_t cap = t->cap < 64 ? 64 : t->cap;

	if (n <= t->ntokens)
		return 0;
	if (n > PEFT_MAXVOCAB)
		return peft_seterr(err, "an id of %zu", n - 1);
	if (cap * 2 < n)
		cap = n + n / 16;	/* all at once, and some behind */
	while (cap < n)
		cap *= 2;
	if (cap > t->cap && grow(t, cap, err) == -1)
		return -1;
	memset(t->text + t->ntokens, 0, (n - t->ntokens) * sizeof(*t->text));
	memset(t->flags + t->ntokens, 0, n - t->ntokens);
	t->ntokens = n;
	return 0;
}

int
peft_vocab_add(struct peft_tokenizer *t, const char *s, size_t n, size_t id,
    struct peft_err *err)
{
	if (peft_vocab_reserve(t, id + 1, err) == -1)
		return -1;
	if (t->text[id].s != NULL)
		return peft_seterr(err, "tokens '%.100s' and '%.100s' have "
		    "the same id, %zu", t->text[id].s, s, id);
	t->text[id] = (struct peft_str){ s, (uint32_t)n };
	t->flags[id] = PEFT_T_VOCAB;
	t->longest = n > t->longest ? n : t->longest;
	t->nvocab++;
	return 0;
}

enum { SOME = 32 };		/* that are added together */

/* The keys of ids from .. to - 1; their slots come into the cache. */
static void
keys(const struct peft_lookup *l, size_t from, size_t to, uint64_t *key)
{
	const struct peft_str *str;
	size_t i;

	for (i = from; i < to; i++) {
		str = &l->strs[i];
		key[i - from] = str->n == 0 ? 0 : peft_lookup_key(str->s,
		    str->n);
		peft_lookup_hint(l, key[i - from], str->n);
	}
}

/* Where tokens have scores the same may be there twice, and the last one
 * counts. */
int
peft_vocab_index(struct peft_tokenizer *t, struct peft_err *err)
{
	const struct peft_str *text;
	size_t i;

	if (peft_lookup_open(&t->vocab, t->nvocab, t->text, err) == -1)
		return -1;
	for (i = 0; (i = peft_lookup_add_all(&t->vocab, i, t->ntokens)) <
	    t->ntokens; i++) {
		text = &t->text[i];
		if (t->score == NULL)
			return peft_seterr(err, "the token '%.100s' is in the "
			    "vocabulary twice", text->s);
		peft_lookup_slot(&t->vocab, peft_lookup_key(text->s, text->n),
		    text->s, text->n)->id = (int32_t)i;
	}
	t->has_vocab = true;
	return 0;
}

size_t
peft_visible_bytes(const char *s, size_t n, char *dst)
{
	size_t i, len, k = 0;
	int b;

	for (i = 0; i < n; i += len) {
		len = peft_utf8_len(s + i, n - i);
		b = char_byte(peft_utf8_get(s + i, len));
		if (b < 0)
			return SIZE_MAX;
		dst[k++] = (char)b;
	}
	return k;
}

/* What each token stands for, if its characters are bytes. */
static void
all_bytes(struct peft_tokenizer *t, char *dst)
{
	size_t i, n;

	for (i = 0; i < t->ntokens; i++) {
		t->bytes[i] = t->text[i];
		n = peft_visible_bytes(t->text[i].s, t->text[i].n, dst);
		if (n == SIZE_MAX)
			continue;
		t->bytes[i] = (struct peft_str){ dst, (uint32_t)n };
		dst += n;
	}
}

static bool
is_piece(const struct peft_tokenizer *t, size_t id)
{
	return t->bytes[id].n > 0 && t->bytes[id].s != t->text[id].s &&
	    (t->flags[id] & PEFT_T_VOCAB);
}

static int
byte_level(struct peft_tokenizer *t, struct peft_err *err)
{
	size_t i, k, n, total = 1;
	uint64_t key[SOME];

	for (i = 0; i < t->ntokens; i++)
		total += t->text[i].n;
	t->bytes = peft_calloc(t->ntokens, sizeof(*t->bytes), err);
	t->byte_arena = t->bytes == NULL ? NULL : peft_calloc(total, 1, err);
	if (t->byte_arena == NULL || peft_lookup_open(&t->pieces, t->nvocab,
	    t->bytes, err) == -1)
		return -1;
	all_bytes(t, t->byte_arena);
	for (i = 0; i < t->ntokens; i += n) {
		n = t->ntokens - i < SOME ? t->ntokens - i : SOME;
		keys(&t->pieces, i, i + n, key);
		for (k = 0; k < n; k++)
			if (is_piece(t, i + k))
				peft_lookup_add(&t->pieces, (int32_t)(i + k),
				    key[k]);
	}
	return 0;
}

int
peft_vocab_bytes(struct peft_tokenizer *t, struct peft_err *err)
{
	char name[8], c;
	int b;

	if (t->byte_level && byte_level(t, err) == -1)
		return -1;
	for (b = 0; b < 256; b++) {
		c = (char)b;
		snprintf(name, sizeof(name), "<0x%02X>", (unsigned)b & 0xff);
		t->byte_id[b] = t->byte_level ?
		    peft_lookup_find(&t->pieces, &c, 1) : t->byte_fallback ?
		    peft_lookup_find(&t->vocab, name, 6) : -1;
	}
	if (!t->byte_level) {
		t->bytes = t->text;
		t->pieces = t->vocab;
	}
	return 0;
}
