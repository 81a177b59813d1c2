/* SPDX-License-Identifier: Apache-2.0 */
/* Characters and what they are made of. */

#include <stdint.h>
#include <utf8proc.h>

#include "text/form-impl.h"

struct marks {
	unsigned	from, to, class;	/* combining class */
};
struct span {
	unsigned	from, to;
};

#include "text/nfc-tables.inc"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

unsigned
peft_form_class(unsigned cp)
{
	size_t lo = 0, hi = COUNT(marks), mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (marks[mid].to < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < COUNT(marks) && marks[lo].from <= cp ? marks[lo].class : 0;
}

bool
peft_form_active(unsigned cp)
{
	size_t lo = 0, hi = COUNT(active), mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (active[mid].to < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < COUNT(active) && active[lo].from <= cp;
}

/* Characters that decompose but are newer than Unicode 9, up to 17: to the
 * software to be matched they are none. */
static const struct span newer[] = {
	{ 0x32ff, 0x32ff }, { 0xa7f1, 0xa7f4 }, { 0xab69, 0xab69 },
	{ 0x105c0, 0x105ff }, { 0x10780, 0x107ba }, { 0x11380, 0x113ff },
	{ 0x11930, 0x1193f }, { 0x16100, 0x1613f }, { 0x16d40, 0x16d7f },
	{ 0x1ccd6, 0x1ccf9 }, { 0x1e030, 0x1e06d }, { 0x1f16c, 0x1f16c },
	{ 0x1fbf0, 0x1fbf9 },
};

static bool
is_newer(unsigned cp)
{
	size_t i;

	for (i = 0; i < COUNT(newer) && newer[i].to < cp; i++)
		;
	return i < COUNT(newer) && newer[i].from <= cp;
}

bool
peft_form_compat(unsigned cp)
{
	return utf8proc_get_property((utf8proc_int32_t)cp)->decomp_seqindex !=
	    UINT16_MAX && !is_newer(cp);
}

const struct peft_form_parts *
peft_form_parts_of(unsigned cp)
{
	size_t lo = 0, hi = COUNT(parts), mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (parts[mid].whole < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < COUNT(parts) && parts[lo].whole == cp ? &parts[lo] : NULL;
}

unsigned
peft_form_compose(unsigned a, unsigned b)
{
	size_t lo = 0, hi = COUNT(by_parts), mid;
	const struct peft_form_parts *p;

	if (a - LBASE < LCOUNT && b - VBASE < VCOUNT)
		return SBASE + ((a - LBASE) * VCOUNT + b - VBASE) * TCOUNT;
	if (a - SBASE < SCOUNT && (a - SBASE) % TCOUNT == 0 &&
	    b - TBASE - 1 < TCOUNT - 1)
		return a + b - TBASE;
	while (lo < hi) {
		mid = (lo + hi) / 2;
		p = &parts[by_parts[mid]];
		if (p->first < a || (p->first == a && p->second < b))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == COUNT(by_parts))
		return 0;
	p = &parts[by_parts[lo]];
	return p->first == a && p->second == b ? p->whole : 0;
}
