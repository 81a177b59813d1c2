/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of JSON, strictly: spaces, strings, numbers. */

#include <string.h>

#include "base/buf.h"
#include "base/json-scan.h"

int
peft_json_fail(struct peft_json_scan *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	return -1;
}

void
peft_json_space(struct peft_json_scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' ||
	    *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

int
peft_json_peek(const struct peft_json_scan *s)
{
	return s->p < s->end ? (unsigned char)*s->p : -1;
}

static int
hex4(struct peft_json_scan *s, unsigned *out)
{
	unsigned v = 0;
	int i, c;

	for (i = 0; i < 4; i++, s->p++) {
		c = peft_json_peek(s);
		if (c >= '0' && c <= '9')
			v = v << 4 | (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | (unsigned)((c | 32) - 'a' + 10);
		else
			return peft_json_fail(s, "\\u without four digits");
	}
	*out = v;
	return 0;
}

/* Behind a backslash: is it right? */
static int
escape(struct peft_json_scan *s)
{
	unsigned high, low;
	int c = peft_json_peek(s);

	s->p++;
	if (c != 'u')
		return c > 0 && strchr("\"\\/bfnrt", c) != NULL ? 0 :
		    peft_json_fail(s, "unknown escape");
	if (hex4(s, &high) == -1)
		return -1;
	if (high == 0 && !s->nul)
		return peft_json_fail(s, "\\u0000");
	if (high < 0xd800 || high > 0xdfff)
		return 0;
	if (high > 0xdbff || s->end - s->p < 6 || s->p[0] != '\\' ||
	    s->p[1] != 'u')
		return peft_json_fail(s, "half a surrogate pair");
	s->p += 2;
	if (hex4(s, &low) == -1)
		return -1;
	return low >= 0xdc00 && low <= 0xdfff ? 0 :
	    peft_json_fail(s, "half a surrogate pair");
}

/* Behind the quote: to the end of it, and whether there are escapes. */
int
peft_json_string_end(struct peft_json_scan *s, bool *escaped)
{
	size_t n;

	for (; s->p < s->end; s->p += n) {
		unsigned char c;

		while (s->end - s->p >= 8) {
			n = peft_json_plain(s->p);
			s->p += n;
			if (n < 8)
				break;
		}
		if (s->p == s->end)
			break;
		c = (unsigned char)*s->p;
		n = 1;
		if (c == '"') {
			s->p++;
			return 0;
		}
		if (c == '\\') {
			*escaped = true;
			s->p++;
			if (escape(s) == -1)
				return -1;
			n = 0;
		} else if (c < 0x20)
			return peft_json_fail(s, "control character in a string");
		else if (c >= 0x80 && (n = peft_utf8_len(s->p,
		    (size_t)(s->end - s->p))) == 0)
			return peft_json_fail(s, "not UTF-8");
	}
	return peft_json_fail(s, "string without an end");
}

static int
digits(struct peft_json_scan *s)
{
	const char *from = s->p;

	while (peft_json_peek(s) >= '0' && peft_json_peek(s) <= '9')
		s->p++;
	return s->p > from ? 0 : peft_json_fail(s, "a digit is missing");
}

int
peft_json_number_end(struct peft_json_scan *s, bool *plain)
{
	if (peft_json_peek(s) == '-')
		s->p++;
	if (peft_json_peek(s) == '0')
		s->p++;
	else if (digits(s) == -1)
		return -1;
	if (peft_json_peek(s) == '.') {
		*plain = false;
		s->p++;
		if (digits(s) == -1)
			return -1;
	}
	if ((peft_json_peek(s) | 32) == 'e') {
		*plain = false;
		s->p++;
		if (peft_json_peek(s) == '+' || peft_json_peek(s) == '-')
			s->p++;
		return digits(s);
	}
	return 0;
}
