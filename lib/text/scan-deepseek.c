/* SPDX-License-Identifier: Apache-2.0 */
/* DeepSeek's three scanners (V3, R1), which follow one another. */

#include "base/buf.h"
#include "text/scan-impl.h"

enum {
	LETTER = PEFT_B_UPPER | PEFT_B_LOWER | PEFT_B_CASELESS,
	MARKED = LETTER | PEFT_B_MARK,
	SIGN = PEFT_B_PUNCT | PEFT_B_SYMBOL
};

/* \p{N}{1,3} and what is between. */
size_t
peft_scan_thousands(const char *s, size_t n, size_t at)
{
	size_t len, end = at, k;

	for (k = 0; end < n && k < 3; k++, end += len)
		if ((peft_bits_at(s + end, &len) & PEFT_B_NUMBER) == 0)
			break;
	for (; k == 0 && end < n; end += len)
		if (peft_bits_at(s + end, &len) & PEFT_B_NUMBER)
			break;
	return end;
}

static bool
is_cjk(const char *s, size_t n, size_t *len)
{
	unsigned cp;

	*len = peft_utf8_len(s, n);
	cp = peft_utf8_get(s, *len);
	return (cp >= 0x4e00 && cp <= 0x9fa5) || (cp >= 0x3040 &&
	    cp <= 0x30ff);
}

/* Han and kana, and what is between. */
size_t
peft_scan_cjk(const char *s, size_t n, size_t at)
{
	size_t len;
	bool kind = is_cjk(s + at, n - at, &len);

	for (at += len; at < n && is_cjk(s + at, n - at, &len) == kind;
	    at += len)
		;
	return at;
}

static bool
is_ascii_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/*
 * [!-/:-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|
 * " ?[\p{P}\p{S}]+[\r\n]*"|\s*[\r\n]+|\s+(?!\S)|\s+
 * where the first class has ASCII's signs: the end of the match at s + at, or
 * 0.
 */
static size_t
match(const char *s, size_t n, size_t at)
{
	size_t len, next, end;
	unsigned bits = peft_bits_at(s + at, &len);

	next = at + len;
	if (len == 1 && (bits & SIGN) && next < n &&
	    is_ascii_letter(s[next])) {
		while (next < n && is_ascii_letter(s[next]))
			next++;
		return next;
	}
	if (!peft_is_newline(s[at]) && (bits & (LETTER | SIGN)) == 0 &&
	    (end = peft_bit_run(s, n, next, MARKED)) > next)
		return end;
	if (bits & MARKED)
		return peft_bit_run(s, n, at, MARKED);
	next = at + (s[at] == ' ');
	if ((end = peft_bit_run(s, n, next, SIGN)) > next) {
		while (end < n && peft_is_newline(s[end]))
			end++;
		return end;
	}
	if ((bits & PEFT_B_SPACE) == 0)
		return 0;
	end = peft_to_newline(s, n, at);
	return end > 0 ? end : peft_space_run(s, n, at);
}

/* What does not match is a piece up to what does. */
size_t
peft_scan_deepseek(const char *s, size_t n, size_t at)
{
	size_t end = match(s, n, at), len;

	if (end > 0)
		return end;
	do {
		peft_bits_at(s + at, &len);
		at += len;
	} while (at < n && match(s, n, at) == 0);
	return at;
}
