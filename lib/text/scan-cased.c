/* SPDX-License-Identifier: Apache-2.0 */
/* Scanners that cut words where the case changes: o200k (GPT-4o, GPT-OSS,
 * Llama 4) and Tekken (Mistral). */

#include "text/scan-impl.h"

enum {		/* of upper case, of lower case; some are of both */
	UPPER = PEFT_B_UPPER | PEFT_B_CASELESS | PEFT_B_MARK,
	LOWER = PEFT_B_LOWER | PEFT_B_CASELESS | PEFT_B_MARK,
	WORD = UPPER | LOWER,
	LETTER = PEFT_B_UPPER | PEFT_B_LOWER | PEFT_B_CASELESS
};

/*
 * UPPER*LOWER+ : the end, or 0.  If no lower case follows the upper, the last
 * character that is both is taken for the lower; *capitals is where the run
 * of upper case ends.
 */
static size_t
mixed(const char *s, size_t n, size_t at, size_t *capitals)
{
	size_t both = 0, len;
	unsigned bits;

	for (; at < n; at += len) {
		bits = peft_bits_at(s + at, &len);
		if ((bits & UPPER) == 0)
			break;
		if (bits & LOWER)
			both = at + len;
	}
	*capitals = at;
	if (at < n && (peft_bits_at(s + at, &len) & LOWER))
		return peft_bit_run(s, n, at, LOWER);
	return both;
}

/*
 * [^\r\n\p{L}\p{N}]?UPPER*LOWER+|[^\r\n\p{L}\p{N}]?UPPER+LOWER*
 * with the first alternative tried in both ways before the second.
 */
static size_t
word(const char *s, size_t n, size_t at)
{
	size_t len, end, capitals, more = 0;
	unsigned bits = peft_bits_at(s + at, &len);
	bool prefix = !peft_is_newline(s[at]) && (bits & (LETTER |
	    PEFT_B_NUMBER)) == 0;

	if (prefix && (end = mixed(s, n, at + len, &more)) > 0)
		return end;
	if ((bits & WORD) != 0 && (end = mixed(s, n, at, &capitals)) > 0)
		return end;
	if (prefix && more > at + len)
		return more;
	return (bits & UPPER) != 0 ? capitals : 0;
}

static size_t
numbers(const char *s, size_t n, size_t at, size_t most)
{
	size_t len;

	for (; most > 0 && at < n; most--, at += len)
		if ((peft_bits_at(s + at, &len) & PEFT_B_NUMBER) == 0)
			break;
	return at;
}

static size_t
cased(const char *s, size_t n, size_t at, size_t digits, bool contractions)
{
	size_t end = word(s, n, at), next;

	if (end > 0)
		return end + (contractions && end < n && s[end] == '\'' ?
		    peft_contraction(s + end, n - end, 1) : 0);
	if ((end = numbers(s, n, at, digits)) > at)
		return end;
	/* " ?[^\s\p{L}\p{N}]+[\r\n/]*" */
	next = at + (s[at] == ' ');
	end = peft_bit_run(s, n, next, PEFT_B_MARK | PEFT_B_PUNCT |
	    PEFT_B_SYMBOL | PEFT_B_REST);
	if (end > next) {
		while (end < n && (peft_is_newline(s[end]) || s[end] == '/'))
			end++;
		return end;
	}
	if ((end = peft_to_newline(s, n, at)) > 0)
		return end;
	return peft_space_run(s, n, at);
}

size_t
peft_scan_o200k(const char *s, size_t n, size_t at)
{
	return cased(s, n, at, 3, true);
}

size_t
peft_scan_tekken(const char *s, size_t n, size_t at)
{
	return cased(s, n, at, 1, false);
}
