/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_JSON_SCAN_H
#define PEFT_BASE_JSON_SCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"

/* In the top bit of each of 8 bytes: is it a quote, backslash or control
 * character?  Of bytes that are not ASCII it says nothing; and a borrow may
 * spoil bytes behind the first hit, none before it. */
static inline uint64_t
peft_json_special(uint64_t w)
{
	const uint64_t ones = 0x0101010101010101u;

	return (w - ones * 0x20) | ((w ^ ones * '"') - ones) |
	    ((w ^ ones * '\\') - ones);
}

/* How many of the 8 bytes, from the first on, have their top bit clear. */
static inline size_t
peft_json_clear(uint64_t hits)
{
	hits &= 0x8080808080808080u;
	return hits == 0 ? 8 : (size_t)__builtin_ctzll(hits) / 8;
}

/* How many of the 8 bytes at p, from the first on, are ASCII that stands for
 * itself in a string. */
static inline size_t
peft_json_plain(const char *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return peft_json_clear(w | peft_json_special(w));
}

/* The same, but that bytes of other characters than ASCII count too. */
static inline size_t
peft_json_printed(const char *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return peft_json_clear(~w & peft_json_special(w));
}

/* A text of JSON that is being read; what is wrong is at p. */
struct peft_json_scan {
	const char	*begin, *p, *end;
	const char	*why;		/* the first thing that was wrong */
	struct peft_err	*err;
	bool		 said;		/* err says it already */
	bool		 nul;		/* \u0000 is a character */
};

/* Always -1. */
int	peft_json_fail(struct peft_json_scan *, const char *why);
void	peft_json_space(struct peft_json_scan *);
/* The next byte, or -1. */
int	peft_json_peek(const struct peft_json_scan *);
/* Behind a string's first quote, to behind its last, in which all is right;
 * *escaped is set if there are escapes. */
int	peft_json_string_end(struct peft_json_scan *, bool *escaped);
/* Behind a number; *plain is cleared if it has a point or an exponent. */
int	peft_json_number_end(struct peft_json_scan *, bool *plain);

#endif
