/* SPDX-License-Identifier: Apache-2.0 */
/* A walk through large JSON. */

#include <string.h>

#include "base/buf.h"
#include "base/json-scan.h"
#include "text/jsonwalk.h"

int
peft_walk_fail(struct peft_walk *w, const char *why)
{
	return peft_seterr(w->err, "byte %zu: %s",
	    (size_t)(w->p - w->begin) + 1, why);
}

int
peft_walk_space(struct peft_walk *w)
{
	const uint64_t spaces = 0x2020202020202020u;
	uint64_t word;

	while (w->p < w->end && (*w->p == ' ' || *w->p == '\n' ||
	    *w->p == '\r' || *w->p == '\t')) {
		w->p++;
		while (w->end - w->p >= 8) {		/* indentation */
			memcpy(&word, w->p, 8);
			word ^= spaces;
			w->p += word == 0 ? 8 : __builtin_ctzll(word) / 8;
			if (word != 0)
				break;
		}
	}
	return w->p < w->end ? (unsigned char)*w->p : -1;
}

int
peft_walk_expect(struct peft_walk *w, char c)
{
	char why[] = "expected ' '";

	why[10] = c;
	if (peft_walk_peek(w) != c)
		return peft_walk_fail(w, why);
	w->p++;
	return 0;
}

static int
hex4(struct peft_walk *w, unsigned *out)
{
	int i, c;

	if (w->end - w->p < 4)
		return peft_walk_fail(w, "\\u without four digits");
	for (*out = 0, i = 0; i < 4; i++) {
		c = (unsigned char)*w->p++;
		if (c >= '0' && c <= '9')
			*out = *out << 4 | (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			*out = *out << 4 | (unsigned)((c | 32) - 'a' + 10);
		else
			return peft_walk_fail(w, "\\u without four digits");
	}
	return 0;
}

/* Behind a backslash: at most three bytes for six.  (A NUL is a character
 * like others: strings here have lengths.) */
static int
escape(struct peft_walk *w, char **dst)
{
	static const char names[] = "b\bf\fn\nr\rt\t\"\"\\\\//";
	unsigned cp, low;
	const char *name;
	int c = w->p < w->end ? (unsigned char)*w->p++ : -1;

	if (c != 'u') {
		for (name = names; *name != '\0'; name += 2)
			if (*name == c) {
				*(*dst)++ = name[1];
				return 0;
			}
		return peft_walk_fail(w, "unknown escape");
	}
	if (hex4(w, &cp) == -1)
		return -1;
	if (cp >= 0xd800 && cp <= 0xdfff) {
		if (cp > 0xdbff || w->end - w->p < 2 || w->p[0] != '\\' ||
		    w->p[1] != 'u')
			return peft_walk_fail(w, "half a surrogate pair");
		w->p += 2;
		if (hex4(w, &low) == -1)
			return -1;
		if (low < 0xdc00 || low > 0xdfff)
			return peft_walk_fail(w, "half a surrogate pair");
		cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
	}
	*dst += peft_utf8_put(*dst, cp);
	return 0;
}

/* The bytes of the character at w->p, which is no ASCII; the most frequent
 * are told without a call. */
static inline size_t
wide(const struct peft_walk *w)
{
	const unsigned char *s = (const unsigned char *)w->p;

	if (w->end - w->p >= 4 && (s[1] & 0xc0) == 0x80) {
		if (s[0] >= 0xc2 && s[0] <= 0xdf)
			return 2;
		if (s[0] >= 0xe1 && s[0] <= 0xec && (s[2] & 0xc0) == 0x80)
			return 3;
	}
	return peft_utf8_len(w->p, (size_t)(w->end - w->p));
}

/* A string to dst, which has room for all that is left of the file; ends
 * with a NUL. */
int
peft_walk_string(struct peft_walk *w, char *dst, size_t *n)
{
	const char *from = dst;
	size_t len;

	if (peft_walk_peek(w) != '"')
		return peft_walk_fail(w, "a string is missing");
	for (w->p++; w->p < w->end;) {
		unsigned char c;

		if (w->end - w->p >= 8) {
			len = peft_json_plain(w->p);
			memcpy(dst, w->p, 8);	/* there is room for all */
			dst += len;
			w->p += len;
			if (len == 8)
				continue;
		}
		c = (unsigned char)*w->p;
		if (c == '"') {
			w->p++;
			*dst = '\0';
			*n = (size_t)(dst - from);
			return 0;
		} else if (c == '\\') {
			w->p++;
			if (escape(w, &dst) == -1)
				return -1;
		} else if (c < 0x20) {
			return peft_walk_fail(w, "control character in a string");
		} else if (c < 0x80) {
			*dst++ = (char)c;
			w->p++;
		} else {
			if ((len = wide(w)) == 0)
				return peft_walk_fail(w, "not UTF-8");
			if (w->end - w->p >= 4)
				memcpy(dst, w->p, 4);
			else
				memcpy(dst, w->p, len);
			dst += len;
			w->p += len;
		}
	}
	return peft_walk_fail(w, "string without an end");
}

/* The bytes of a string that stand for themselves are passed together. */
int
peft_walk_skip_string(struct peft_walk *w)
{
	size_t n;

	for (w->p++; w->p < w->end; w->p += *w->p == '\\' ? 2 : 1) {
		for (n = 8; n == 8 && w->end - w->p >= 8; w->p += n)
			n = peft_json_printed(w->p);
		if (w->p == w->end || *w->p == '"')
			break;
	}
	if (w->p >= w->end) {
		w->p = w->end;
		return peft_walk_fail(w, "string without an end");
	}
	w->p++;
	return 0;
}

/* Pass over a value that peft_json() will judge. */
int
peft_walk_skip(struct peft_walk *w)
{
	size_t depth = 0;
	int c;

	do {
		if ((c = peft_walk_peek(w)) == -1)
			return peft_walk_fail(w, "the value has no end");
		if (c == '"') {
			if (peft_walk_skip_string(w) == -1)
				return -1;
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth-- == 0)
			return peft_walk_fail(w, "a value is missing");
		w->p++;
		if (depth > 0) {
			while (w->p < w->end && *w->p >= '0' && *w->p <= 'z' &&
			    *w->p != '[' && *w->p != ']')
				w->p++;
		} else
			while (w->p < w->end && strchr(",]} \t\r\n",
			    *w->p) == NULL)
				w->p++;
	} while (depth > 0);
	return 0;
}
