/* SPDX-License-Identifier: Apache-2.0 */
/* Scanners of the known pre-tokenizers. */

#include <string.h>

#include "base/buf.h"
#include "text/scan-impl.h"

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
size_t
peft_space_run(const char *s, size_t n, size_t at)
{
	size_t last = at, end = at, len;

	while (end < n && peft_class_at(s + end, &len) == PEFT_SPACE) {
		last = end;
		end += len;
	}
	return end < n && last > at ? last : end;
}

/* The length of a contraction, 's|'t|'re|'ve|'m|'ll|'d, or 0. */
size_t
peft_contraction(const char *s, size_t n, int fold)
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

	if (s[at] == '\'' && (len = peft_contraction(s + at, n - at, 0)) > 0)
		return at + len;
	if (s[at] == ' ' && at + 1 < n)
		next = at + 1;
	c = peft_class_at(s + next, &len);
	if (c == PEFT_SPACE)
		return peft_space_run(s, n, at);
	return run_of(s, n, next + len, c);
}

/* \s*[\r\n]+ : white space up to its last line break, or 0. */
size_t
peft_to_newline(const char *s, size_t n, size_t at)
{
	size_t end = 0, len;

	for (; at < n && peft_class_at(s + at, &len) == PEFT_SPACE; at += len)
		if (peft_is_newline(s[at]))
			end = at + 1;
	return end;
}

static inline size_t
cl100k(const char *s, size_t n, size_t at, size_t digits)
{
	enum peft_class c;
	size_t len, next, end;

	if (s[at] == '\'' && (len = peft_contraction(s + at, n - at, 1)) > 0)
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
	if (c == PEFT_LETTER || (!peft_is_newline(s[at]) && next < n &&
	    peft_class_at(s + next, &len) == PEFT_LETTER))
		return run_of(s, n, next, PEFT_LETTER);
	/* " ?[^\s\p{L}\p{N}]+[\r\n]*" */
	next = at + (s[at] == ' ');
	end = run_of(s, n, next, PEFT_OTHER);
	if (end > next) {
		while (end < n && peft_is_newline(s[end]))
			end++;
		return end;
	}
	if ((end = peft_to_newline(s, n, at)) > 0)
		return end;
	return peft_space_run(s, n, at);
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

size_t
peft_scan_cl100k(const char *s, size_t n, size_t at)
{
	return peft_space_after(s, n, at) == n ? n : cl100k(s, n, at, 3);
}

enum {
	MARKED = PEFT_B_UPPER | PEFT_B_LOWER | PEFT_B_CASELESS | PEFT_B_MARK,
	SIGN = PEFT_B_PUNCT | PEFT_B_SYMBOL | PEFT_B_REST
};

size_t
peft_scan_qwen35(const char *s, size_t n, size_t at)
{
	size_t len, next, end;
	unsigned bits;

	if (s[at] == '\'' && (len = peft_contraction(s + at, n - at, 1)) > 0)
		return at + len;
	bits = peft_bits_at(s + at, &len);
	if (bits & PEFT_B_NUMBER)
		return at + len;
	/* [^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+ */
	next = at + len;
	if ((end = peft_bit_run(s, n, next, MARKED)) > next &&
	    !peft_is_newline(s[at]))
		return end;
	if (bits & MARKED)
		return next;
	/* " ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" */
	next = at + (s[at] == ' ');
	if ((end = peft_bit_run(s, n, next, SIGN)) > next) {
		while (end < n && peft_is_newline(s[end]))
			end++;
		return end;
	}
	if ((end = peft_to_newline(s, n, at)) > 0)
		return end;
	return peft_space_run(s, n, at);
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
