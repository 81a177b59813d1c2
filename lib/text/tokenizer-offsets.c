/* SPDX-License-Identifier: Apache-2.0 */
/* Where tokens lie: without white space, in characters. */

#include <string.h>

#include "text/tokenizer-work.h"
#include "text/unicode.h"

/* Characters of white space at an end of a token's text.  In a byte-level
 * vocabulary U+0120 is a space. */
static size_t
spaces(const char *s, size_t n, bool at_end)
{
	size_t count = 0, len, i;

	for (; n > 0; n -= len, count++) {
		for (i = at_end ? n - 1 : 0; i > 0 && (s[i] & 0xc0) == 0x80;)
			i--;
		if (n - i >= 2 && memcmp(s + i, "\xc4\xa0", 2) == 0)
			len = 2;
		else if (peft_class_at(s + i, &len) != PEFT_SPACE)
			break;
		s += at_end ? 0 : len;
	}
	return count;
}

/* An added token's text is all that it swallowed, but an unknown one is not
 * what it stands for, unless it was spelt out. */
static struct peft_str
own_text(const struct peft_tokenizer *t, const struct peft_token *tok,
    const char *text)
{
	struct peft_str own = t->text[tok->id];
	struct peft_str all = { text + tok->begin, tok->end - tok->begin };

	if (!(t->flags[tok->id] & PEFT_T_ADDED) || (tok->id == t->unk &&
	    t->model != PEFT_M_UNIGRAM && memmem(all.s, all.n, own.s,
	    own.n) == NULL))
		return own;
	return all;
}

/*
 * ByteLevel's trim_offsets: white space at a token's ends is not its own.
 * What is counted is white space of the token, what is cut off as many
 * characters of the text; they are the same but where text was put in.
 */
static void
trim(const struct peft_tokenizer *t, struct peft_token *tok, bool first,
    const char *text, size_t len)
{
	struct peft_str own = own_text(t, tok, text);
	size_t lead, tail, i;
	uint32_t at;

	lead = spaces(own.s, own.n, false);
	tail = spaces(own.s, own.n, true);
	if (lead == 1 && first && t->trim_keeps_first)
		lead = 0;
	for (; lead > 0 && tok->begin < tok->end; lead--)
		do
			tok->begin++;
		while (tok->begin < len && (text[tok->begin] & 0xc0) == 0x80);
	for (at = tok->end, i = 0; i < tail && at > 0; i++)
		do
			at--;
		while (at > 0 && (text[at] & 0xc0) == 0x80);
	if (i == tail)
		tok->end = at;
	if (tok->end < tok->begin)
		tok->end = tok->begin;
}

void
peft_tokens_trim(const struct peft_tokenizer *t, struct peft_tokens *out,
    size_t from, const char *text, size_t len)
{
	size_t i;

	for (i = from; i < out->n; i++)
		trim(t, &out->at[i], i == from || out->at[i].begin == 0,
		    text, len);
}

/* A place in a text, in bytes and in characters. */
struct cursor {
	const char	*text;
	size_t		 len;
	uint32_t	 byte, chars;	/* characters that begin before it */
};

static uint32_t
go_to(struct cursor *c, uint32_t byte)
{
	for (; c->byte < byte && c->byte < c->len; c->byte++)
		c->chars += (c->text[c->byte] & 0xc0) != 0x80;
	for (; c->byte > byte; c->byte--)
		c->chars -= (c->text[c->byte - 1] & 0xc0) != 0x80;
	return c->chars;
}

void
peft_tokens_to_chars(struct peft_tokens *t, const char *text, size_t len)
{
	struct cursor c = { text, len, 0, 0 };
	uint32_t begin;
	size_t i;

	for (i = 0; i < t->n; i++) {
		struct peft_token *tok = &t->at[i];

		begin = go_to(&c, tok->begin);
		/* a token that begins within a character has all of it */
		if (tok->begin < len && (text[tok->begin] & 0xc0) == 0x80)
			begin--;
		tok->end = go_to(&c, tok->end);
		tok->begin = begin;
	}
}
