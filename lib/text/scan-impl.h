/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_SCAN_IMPL_H
#define PEFT_TEXT_SCAN_IMPL_H

#include "text/scan.h"
#include "text/unicode.h"

/* Parts that the scanners share. */

static inline int
peft_is_newline(char c)
{
	return c == '\r' || c == '\n';
}

/* The end of the run of characters of a kind, which have one of these bits
 * of enum peft_bit. */
static inline size_t
peft_bit_run(const char *s, size_t n, size_t at, unsigned bits)
{
	size_t len;

	for (; at < n; at += len)
		if ((peft_bits_at(s + at, &len) & bits) == 0)
			break;
	return at;
}

/* \s+(?!\S)|\s+ : where white space that begins at s + at is cut. */
size_t	peft_space_run(const char *s, size_t n, size_t at);
/* \s*[\r\n]+ : white space up to its last line break, or 0. */
size_t	peft_to_newline(const char *s, size_t n, size_t at);
/* The length of a contraction at s, 's|'t|'re|'ve|'m|'ll|'d with the
 * apostrophe that is there, or 0; fold: (?i: ) */
size_t	peft_contraction(const char *s, size_t n, int fold);

#endif
