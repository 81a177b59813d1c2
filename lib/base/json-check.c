/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of JSON, strictly: what cJSON would let pass is stopped here. */

#include <string.h>

#include "base/buf.h"
#include "base/json-check.h"

struct scan {
	const char	*begin, *p, *end;
	const char	*why;		/* what was wrong at p */
};

static int
fail(struct scan *s, const char *why)
{
	if (s->why == NULL)
		s->why = why;
	return -1;
}

static void
space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' ||
	    *s->p == '\n' || *s->p == '\r'))
		s->p++;
}

static int
peek(const struct scan *s)
{
	return s->p < s->end ? (unsigned char)*s->p : -1;
}

static int
hex4(struct scan *s, unsigned *out)
{
	unsigned v = 0;
	int i, c;

	for (i = 0; i < 4; i++, s->p++) {
		c = peek(s);
		if (c >= '0' && c <= '9')
			v = v << 4 | (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | (unsigned)((c | 32) - 'a' + 10);
		else
			return fail(s, "\\u without four digits");
	}
	*out = v;
	return 0;
}

/* Behind a backslash. */
static int
escape(struct scan *s)
{
	unsigned high, low;
	int c = peek(s);

	s->p++;
	if (c != 'u')
		return c != -1 && strchr("\"\\/bfnrt", c) != NULL ? 0 :
		    fail(s, "unknown escape");
	if (hex4(s, &high) == -1)
		return -1;
	if (high == 0)
		return fail(s, "\\u0000");
	if (high < 0xd800 || high > 0xdfff)
		return 0;
	if (high > 0xdbff || s->end - s->p < 6 || s->p[0] != '\\' ||
	    s->p[1] != 'u')
		return fail(s, "half a surrogate pair");
	s->p += 2;
	if (hex4(s, &low) == -1)
		return -1;
	return low >= 0xdc00 && low <= 0xdfff ? 0 :
	    fail(s, "half a surrogate pair");
}

static int
string(struct scan *s)
{
	size_t n;

	for (s->p++; s->p < s->end; s->p += n) {
		unsigned char c = (unsigned char)*s->p;

		n = 1;
		if (c == '"') {
			s->p++;
			return 0;
		}
		if (c == '\\') {
			s->p++;
			if (escape(s) == -1)
				return -1;
			n = 0;
		} else if (c < 0x20)
			return fail(s, "control character in a string");
		else if (c >= 0x80 && (n = peft_utf8_len(s->p,
		    (size_t)(s->end - s->p))) == 0)
			return fail(s, "not UTF-8");
	}
	return fail(s, "string without an end");
}

static int
digits(struct scan *s)
{
	const char *from = s->p;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->p++;
	return s->p > from ? 0 : fail(s, "a digit is missing");
}

static int
number(struct scan *s)
{
	if (peek(s) == '-')
		s->p++;
	if (peek(s) == '0')
		s->p++;
	else if (digits(s) == -1)
		return -1;
	if (peek(s) == '.') {
		s->p++;
		if (digits(s) == -1)
			return -1;
	}
	if ((peek(s) | 32) == 'e') {
		s->p++;
		if (peek(s) == '+' || peek(s) == '-')
			s->p++;
		return digits(s);
	}
	return 0;
}

static int
word(struct scan *s)
{
	static const char *const words[] = { "true", "false", "null" };
	size_t i, n;

	for (i = 0; i < 3; i++) {
		n = strlen(words[i]);
		if ((size_t)(s->end - s->p) >= n &&
		    memcmp(s->p, words[i], n) == 0) {
			s->p += n;
			return 0;
		}
	}
	return fail(s, peek(s) == -1 ? "the value is missing" :
	    "not a value");
}

static int value(struct scan *, int depth);

/* Behind [ or {: members up to the end character. */
static int
members(struct scan *s, char end, int depth)
{
	s->p++;
	space(s);
	if (peek(s) == end) {
		s->p++;
		return 0;
	}
	for (;; s->p++) {
		space(s);
		if (end == '}') {
			if (peek(s) != '"')
				return fail(s, "a key is missing");
			if (string(s) == -1)
				return -1;
			space(s);
			if (peek(s) != ':')
				return fail(s, "':' is missing");
			s->p++;
		}
		if (value(s, depth + 1) == -1)
			return -1;
		space(s);
		if (peek(s) == end) {
			s->p++;
			return 0;
		}
		if (peek(s) != ',')
			return fail(s, end == '}' ? "',' or '}' is missing" :
			    "',' or ']' is missing");
	}
}

static int
value(struct scan *s, int depth)
{
	int c;

	if (depth > PEFT_JSON_DEPTH)
		return fail(s, "nested too deep");
	space(s);
	c = peek(s);
	if (c == '{' || c == '[')
		return members(s, c == '{' ? '}' : ']', depth);
	if (c == '"')
		return string(s);
	if (c == '-' || (c >= '0' && c <= '9'))
		return number(s);
	return word(s);
}

int
peft_json_check(const char *text, size_t len, struct peft_err *err)
{
	struct scan s = { text, text, text + len, NULL };

	if (value(&s, 0) == 0) {
		space(&s);
		if (s.p < s.end)
			fail(&s, "text after the value");
	}
	if (s.why != NULL)
		return peft_seterr(err, "byte %zu: %s",
		    (size_t)(s.p - s.begin) + 1, s.why);
	return 0;
}
