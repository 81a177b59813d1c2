/* SPDX-License-Identifier: Apache-2.0 */
/* Scanners of the known pre-tokenizers. */

#include <string.h>

#include "text/scan.h"
#include "text/unicode.h"

/* The end of the run of characters of a class from at on, at most `most'. */
static size_t
run_of(const char *s, size_t n, size_t at, enum peft_class class, size_t most)
{
	size_t len;

	for (; at < n && most > 0; at += len, most--)
		if (peft_class_at(s + at, n - at, &len) != class)
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

	while (end < n && peft_class_at(s + end, n - end, &len) ==
	    PEFT_SPACE) {
		last = end;
		end += len;
	}
	return end < n && last > at ? last : end;
}

/* The length of a contraction's tail behind an apostrophe, or 0. */
static size_t
contraction(const char *s, size_t n, size_t at, int fold)
{
	static const char *const tails[] = { "s", "t", "re", "ve", "m", "ll",
	    "d" };
	size_t i, j, len;

	if (s[at] != '\'')
		return 0;
	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		len = strlen(tails[i]);
		if (n - at - 1 < len)
			continue;
		for (j = 0; j < len; j++)
			if ((fold ? s[at + 1 + j] | 32 : s[at + 1 + j]) !=
			    tails[i][j])
				break;
		if (j == len)
			return len + 1;
	}
	/* (?i:'s) also matches the long s, U+017F, as Unicode folds it */
	if (fold && n - at > 2 && memcmp(s + at + 1, "\xc5\xbf", 2) == 0)
		return 3;
	return 0;
}

size_t
peft_scan_gpt2(const char *s, size_t n, size_t at)
{
	enum peft_class c;
	size_t len, next = at;

	if ((len = contraction(s, n, at, 0)) > 0)
		return at + len;
	if (s[at] == ' ' && at + 1 < n)
		next = at + 1;
	c = peft_class_at(s + next, n - next, &len);
	if (c == PEFT_SPACE)
		return space_run(s, n, at);
	return run_of(s, n, next, c, (size_t)-1);
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

	for (; at < n && peft_class_at(s + at, n - at, &len) == PEFT_SPACE;
	    at += len)
		if (is_newline(s[at]))
			end = at + 1;
	return end;
}

static size_t
cl100k(const char *s, size_t n, size_t at, size_t digits)
{
	enum peft_class c;
	size_t len, next, end;

	if ((len = contraction(s, n, at, 1)) > 0)
		return at + len;
	c = peft_class_at(s + at, n - at, &len);
	/* [^\r\n\p{L}\p{N}]?\p{L}+ */
	next = at + (c == PEFT_LETTER ? 0 : len);
	if (c != PEFT_NUMBER && !is_newline(s[at]) && next < n &&
	    (end = run_of(s, n, next, PEFT_LETTER, (size_t)-1)) > next)
		return end;
	if (c == PEFT_NUMBER)
		return run_of(s, n, at, PEFT_NUMBER, digits);
	/* " ?[^\s\p{L}\p{N}]+[\r\n]*" */
	next = at + (s[at] == ' ');
	end = run_of(s, n, next, PEFT_OTHER, (size_t)-1);
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

/* To the next number, or one number. */
static size_t
numbers(const char *s, size_t n, size_t at, size_t most)
{
	size_t end = run_of(s, n, at, PEFT_NUMBER, most), len;

	if (end > at)
		return end;
	while (end < n && peft_class_at(s + end, n - end, &len) !=
	    PEFT_NUMBER)
		end += len;
	return end;
}

size_t
peft_scan_digits(const char *s, size_t n, size_t at)
{
	return numbers(s, n, at, 1);
}

size_t
peft_scan_numbers(const char *s, size_t n, size_t at)
{
	return numbers(s, n, at, (size_t)-1);
}

size_t
peft_scan_spaces(const char *s, size_t n, size_t at)
{
	const char *p = memchr(s + at, ' ', n - at);

	return p == NULL ? n : (size_t)(p - s) + 1;
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
peft_scan_of_regex(const char *pattern)
{
	size_t i;

	for (i = 0; i < sizeof(regexes) / sizeof(regexes[0]); i++)
		if (strcmp(regexes[i].pattern, pattern) == 0)
			return regexes[i].scan;
	return NULL;
}
