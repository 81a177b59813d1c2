/* SPDX-License-Identifier: Apache-2.0 */
/* Where tokens lie: without white space, in characters. */

#include <string.h>

#include "base/buf.h"
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

/*
 * ByteLevel's trim_offsets: white space at a token's ends is not its own.
 * What is counted is white space of the token, what is cut off as many
 * characters of the text; they are the same but where text was put in.
 */
void
peft_work_trim(struct peft_work *w, struct peft_str own)
{
	struct peft_token *tok = &w->out->at[w->out->n - 1];
	/* in characters it begins at 0 wherever it does so within the first,
	 * as it may behind what was lost */
	bool first = w->out->n - 1 == w->from ||
	    tok->begin < peft_utf8_len(w->text, w->len);
	size_t lead = spaces(own.s, own.n, false), i;
	size_t tail = spaces(own.s, own.n, true);
	const char *text = w->text;
	uint32_t at;

	if (lead == 1 && first && w->t->trim_keeps_first)
		lead = 0;
	for (; lead > 0 && tok->begin < tok->end; lead--)
		do
			tok->begin++;
		while (tok->begin < w->len &&
		    (text[tok->begin] & 0xc0) == 0x80);
	for (at = tok->end, i = 0; i < tail && at > 0; i++)
		do
			at--;
		while (at > 0 && (text[at] & 0xc0) == 0x80);
	if (i == tail)
		tok->end = at;
	if (tok->end < tok->begin) {
		while (tok->begin > 0 && tok->begin < w->len &&
		    (text[tok->begin] & 0xc0) == 0x80)
			tok->begin--;
		tok->end = tok->begin;
	}
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
