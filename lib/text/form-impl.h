/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_FORM_IMPL_H
#define PEFT_TEXT_FORM_IMPL_H

#include <stdbool.h>

/* What normalisation asks of characters. */

enum {		/* Hangul syllables are composed by arithmetic */
	SBASE = 0xac00, LBASE = 0x1100, VBASE = 0x1161, TBASE = 0x11a7,
	LCOUNT = 19, VCOUNT = 21, TCOUNT = 28, SCOUNT = LCOUNT * VCOUNT * TCOUNT
};

/* A character that is two others, canonically; second may be 0. */
struct peft_form_parts {
	unsigned	whole, first, second;
};

unsigned	peft_form_class(unsigned cp);	/* combining class */
/* May NFC change this character, or join it to the one before? */
bool		peft_form_active(unsigned cp);
/* Has it a compatible form, or a canonical one, other than itself? */
bool		peft_form_compat(unsigned cp);
/* NULL: none, or a Hangul syllable. */
const struct peft_form_parts *peft_form_parts_of(unsigned cp);
/* The character that two make together, or 0. */
unsigned	peft_form_compose(unsigned a, unsigned b);

#endif
