/* SPDX-License-Identifier: Apache-2.0 */
/* Classes of characters by tables of ranges. */

#include "text/unicode.h"

struct span {
	unsigned	from, to;
};
struct script {
	unsigned	from, to, script;
};

#include "text/class-tables.inc"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
is_in(const struct span *span, size_t n, unsigned cp)
{
	size_t lo = 0, hi = n, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (span[mid].to < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n && span[lo].from <= cp;
}

bool
peft_is_punctuation(unsigned cp)
{
	return is_in(punctuation, COUNT(punctuation), cp);
}

bool
peft_is_nonspacing(unsigned cp)
{
	return cp >= nonspacing[0].from && is_in(nonspacing,
	    COUNT(nonspacing), cp);
}

bool
peft_is_combining(unsigned cp)
{
	return cp >= combining[0].from && is_in(combining, COUNT(combining),
	    cp);
}

bool
peft_is_other(unsigned cp)
{
	return is_in(other, COUNT(other), cp);
}

int
peft_script_of(unsigned cp)
{
	size_t lo = 0, hi = COUNT(scripts), mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (scripts[mid].to < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < COUNT(scripts) && scripts[lo].from <= cp ?
	    (int)scripts[lo].script : -1;
}
