/* SPDX-License-Identifier: Apache-2.0 */
/* Scanners of the known pre-tokenizers. */

#include <string.h>

#include "base/buf.h"
#include "text/scan.h"
#include "text/unicode.h"

/* The end of the run of characters of a class from at on. */
static inline size_t
run_of(const char *s, size_t n, size_t at, enum peft_class class)
{
	size_t len;

	for (; at < n; at += len)
		if (peft_class_at(s + at, &len) != class)
			break;
	return at;
}

/*
 * \s+(?!\S)|\s+ : a run of white space leaves its last character to what
 * follows, unless it is the only one or nothing follows.
 */
static size_t
space_run(const char *s, size_t n, size_t at)
{
	size_t last = at, end = at, len;

	while (end < n && peft_class_at(s + end, &len) == PEFT_SPACE) {
		last = end;
		end += len;
	}
	return end < n && last > at ? last : end;
}

/* The length of a contraction, 's|'t|'re|'ve|'m|'ll|'d, or 0. */
static size_t
contraction(const char *s, size_t n, int fold)
{
	int a = n > 1 ? s[1] : 0, b = n > 2 ? s[2] : 0;

	if (fold) {
		/* (?i:'s) also matches the long s, as Unicode folds it */
		if (n > 2 && memcmp(s + 1, "\xc5\xbf", 2) == 0)
			return 3;
		a |= 32;
		b |= 32;
	}
	if (a == 's' || a == 't' || a == 'm' || a == 'd')
		return 2;
	return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') ||
	    (a == 'l' && b == 'l') ? 3 : 0;
}

size_t
peft_scan_gpt2(const char *s, size_t n, size_t at)
{
	enum peft_class c;
	size_t len, next = at;

	if (s[at] == '\'' && (len = contraction(s + at, n - at, 0)) > 0)
		return at + len;
	if (s[at] == ' ' && at + 1 < n)
		next = at + 1;
	c = peft_class_at(s + next, &len);
	if (c == PEFT_SPACE)
		return space_run(s, n, at);
	return run_of(s, n, next + len, c);
}

static int
is_newline(char c)
{
	return c == '\r' || c == '\n';
}

/* \s*[\r\n]+ : white space up to its last line break, or 0. */
static size_t
to_newline(const char *s, size_t n, size_t at)
{
	size_t end = 0, len;

	for (; at < n && peft_class_at(s + at, &len) == PEFT_SPACE; at += len)
		if (is_newline(s[at]))
			end = at + 1;
	return end;
}

static inline size_t
cl100k(const char *s, size_t n, size_t at, size_t digits)
{
	enum peft_class c;
	size_t len, next, end;

	if (s[at] == '\'' && (len = contraction(s + at, n - at, 1)) > 0)
		return at + len;
	c = peft_class_at(s + at, &len);
	if (c == PEFT_NUMBER) {
		for (end = at + len; --digits > 0 && end < n; end += len)
			if (peft_class_at(s + end, &len) != PEFT_NUMBER)
				break;
		return end;
	}
	/* [^\r\n\p{L}\p{N}]?\p{L}+ */
	next = at + len;
	if (c == PEFT_LETTER || (!is_newline(s[at]) && next < n &&
	    peft_class_at(s + next, &len) == PEFT_LETTER))
		return run_of(s, n, next, PEFT_LETTER);
	/* " ?[^\s\p{L}\p{N}]+[\r\n]*" */
	next = at + (s[at] == ' ');
	end = run_of(s, n, next, PEFT_OTHER);
	if (end > next) {
		while (end < n && is_newline(s[end]))
			end++;
		return end;
	}
	if ((end = to_newline(s, n, at)) > 0)
		return end;
	return space_run(s, n, at);
}

size_t
peft_scan_llama3(const char *s, size_t n, size_t at)
{
	return cl100k(s, n, at, 3);
}

size_t
peft_scan_qwen2(const char *s, size_t n, size_t at)
{
	return cl100k(s, n, at, 1);
}

/* Digits sees some numbers that \p{N} does not. */
static int
is_digit(const char *s, size_t *len)
{
	enum peft_class c = peft_class_at(s, len);

	return c == PEFT_NUMBER || (c == PEFT_OTHER && *len == 4 &&
	    peft_gc(peft_utf8_get(s, 4)) == PEFT_CN_DIGITS);
}

size_t
peft_scan_numbers(const char *s, size_t n, size_t at)
{
	size_t end = at, len;
	int digit = is_digit(s + at, &len);

	while (end < n && is_digit(s + end, &len) == digit)
		end += len;
	return end;
}

size_t
peft_scan_digits(const char *s, size_t n, size_t at)
{
	size_t len;

	return is_digit(s + at, &len) ? at + len : peft_scan_numbers(s, n, at);
}

size_t
peft_scan_spaces(const char *s, size_t n, size_t at)
{
	const char *p = memchr(s + at, ' ', n - at);

	return p == NULL ? n : (size_t)(p - s) + 1;
}

size_t
peft_scan_metaspace(const char *s, size_t n, size_t at)
{
	const char *p = memmem(s + at + 1, n - at - 1, "\xe2\x96\x81", 3);

	return p == NULL ? n : (size_t)(p - s);
}

static const struct {
	const char	*pattern;
	peft_scan	*scan;
} regexes[] = {
	{ "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
	    "\\s+(?!\\S)|\\s+", peft_scan_gpt2 },
	{ "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
	    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
	    "\\s+(?!\\S)|\\s+", peft_scan_llama3 },
	{ "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|"
	    "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|"
	    "\\s+(?!\\S)|\\s+", peft_scan_qwen2 },
};

peft_scan *
peft_scan_of_split(const char *regex, const char *string,
    enum peft_behavior behavior, bool invert)
{
	size_t i;

	if (regex == NULL)
		return string != NULL && strcmp(string, " ") == 0 && !invert &&
		    behavior == PEFT_S_PREVIOUS ? peft_scan_spaces : NULL;
	/* where all is found, all of it is kept by these */
	if (!(behavior == PEFT_S_ISOLATED || (behavior == PEFT_S_REMOVED &&
	    invert)))
		return NULL;
	for (i = 0; i < sizeof(regexes) / sizeof(regexes[0]); i++)
		if (strcmp(regexes[i].pattern, regex) == 0)
			return regexes[i].scan;
	return NULL;
}
