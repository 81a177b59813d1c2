/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of characters. */

#include "base/buf.h"
#include "text/unicode.h"

struct range {
	unsigned	from, to;
	enum peft_class	class;
};

#include "text/unicode-tables.inc"

enum { NRANGE = sizeof(ranges) / sizeof(ranges[0]) };

enum peft_class
peft_class_of(unsigned cp)
{
	size_t lo = 0, hi = NRANGE, mid;

	if (cp < 0x80) {
		if ((cp | 32) - 'a' < 26)
			return PEFT_LETTER;
		if (cp - '0' < 10)
			return PEFT_NUMBER;
		return cp == ' ' || cp - '\t' < 5 ? PEFT_SPACE : PEFT_OTHER;
	}
	while (lo < hi) {		/* the first range that ends at cp or later */
		mid = (lo + hi) / 2;
		if (ranges[mid].to < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < NRANGE && ranges[lo].from <= cp ? ranges[lo].class :
	    PEFT_OTHER;
}

enum peft_class
peft_class_at(const char *s, size_t n, size_t *len)
{
	if ((unsigned char)s[0] < 0x80) {
		*len = 1;
		return peft_class_of((unsigned char)s[0]);
	}
	if ((*len = peft_utf8_len(s, n)) == 0) {
		*len = 1;		/* not UTF-8: a byte of no class */
		return PEFT_OTHER;
	}
	return peft_class_of(peft_utf8_get(s, *len));
}
