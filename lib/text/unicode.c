/* SPDX-License-Identifier: Apache-2.0 */
/* Categories and classes of characters. */

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "text/unicode.h"

#include "text/unicode-tables.inc"

enum { BLOCK = sizeof(blocks[0]) - 1,
    LIMIT = BLOCK * (sizeof(block_of) / sizeof(block_of[0])) };

#define O PEFT_OTHER
#define L PEFT_LETTER
#define N PEFT_NUMBER
#define S PEFT_SPACE
const unsigned char peft_class_ascii[128] = {
	O, O, O, O, O, O, O, O, O, S, S, S, S, S, O, O,
	O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
	N, N, N, N, N, N, N, N, N, N, O, O, O, O, O, O,
	O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
	L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
	O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
	L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
};

/* By category: the letters of enum peft_gc, from 'A' on. */
static const unsigned char class_of_gc[] = {
	O, O, O, O, O, L, L, L, L, L, O, O, O, N, N, N,	/* A-P */
	O, O, O, O, O, O, S, O, O, O, O, O, O, O, O, O,	/* Q-Z */
	O, O, S, S, S, O, O, O, O, O, O, O, O, O,	/* a-n */
};
#undef O
#undef L
#undef N
#undef S

enum peft_gc
peft_gc(unsigned cp)
{
	if (cp < LIMIT)
		return (enum peft_gc)blocks[block_of[cp / BLOCK]][cp % BLOCK];
	/* all that is above: tags, variation selectors, private use */
	if (cp == 0xe0001 || (cp >= 0xe0020 && cp <= 0xe007f))
		return PEFT_CF;
	if (cp >= 0xe0100 && cp <= 0xe01ef)
		return PEFT_MN;
	return cp >= 0xf0000 && (cp & 0xfffe) != 0xfffe ? PEFT_CO : PEFT_CN;
}

enum peft_class
peft_class_of(unsigned cp)
{
	return (enum peft_class)class_of_gc[peft_gc(cp) - 'A'];
}

/* The character at str, which is not ASCII. */
static inline unsigned
wide(const char *str, size_t *len)
{
	const unsigned char *s = (const unsigned char *)str;
	unsigned cp;

	if (s[0] < 0xe0) {
		*len = 2;
		cp = (s[0] & 0x1fu) << 6 | (s[1] & 0x3f);
	} else if (s[0] < 0xf0) {
		*len = 3;
		cp = (s[0] & 0x0fu) << 12 | (s[1] & 0x3fu) << 6 |
		    (s[2] & 0x3f);
	} else {
		*len = 4;
		cp = (s[0] & 7u) << 18 | (s[1] & 0x3fu) << 12 |
		    (s[2] & 0x3fu) << 6 | (s[3] & 0x3f);
	}
	return cp;
}

enum peft_class
peft_class_wide(const char *s, size_t *len)
{
	return peft_class_of(wide(s, len));
}

#define U PEFT_B_UPPER
#define L PEFT_B_LOWER
#define C PEFT_B_CASELESS
#define M PEFT_B_MARK
#define N PEFT_B_NUMBER
#define P PEFT_B_PUNCT
#define S PEFT_B_SYMBOL
#define W PEFT_B_SPACE
#define R PEFT_B_REST
static const unsigned short bits_of_gc[] = {
	R, R, R, R, R, L, C, C, U, U, M, M, M, N, N, N,	/* A-P */
	P, P, P, P, P, P, W, P, S, S, 0, 0, 0, 0, 0, 0,	/* Q-Z */
	S, S, W, W, W, 0, 0, 0, 0, 0, 0, 0, 0, R,	/* a-n */
};

const unsigned short peft_bits_ascii[128] = {
	R, R, R, R, R, R, R, R, R, W, W, W, W, W, R, R,
	R, R, R, R, R, R, R, R, R, R, R, R, R, R, R, R,
	W, P, P, P, S, P, P, P, P, P, P, S, P, P, P, P,
	N, N, N, N, N, N, N, N, N, N, P, P, S, S, S, P,
	P, U, U, U, U, U, U, U, U, U, U, U, U, U, U, U,
	U, U, U, U, U, U, U, U, U, U, U, P, P, P, S, P,
	S, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
	L, L, L, L, L, L, L, L, L, L, L, P, S, P, S, R,
};
#undef U
#undef L
#undef C
#undef M
#undef N
#undef P
#undef S
#undef W
#undef R

unsigned
peft_bits_wide(const char *s, size_t *len)
{
	return bits_of_gc[peft_gc(wide(s, len)) - 'A'];
}

bool
peft_is_word(unsigned cp)
{
	enum peft_gc gc = peft_gc(cp);

	return (gc >= PEFT_LL && gc <= PEFT_NL) || gc == PEFT_PC ||
	    cp == 0x200c || cp == 0x200d ||
	    /* symbols that are Alphabetic: letters in circles and squares */
	    (cp >= 0x24b6 && cp <= 0x24e9) ||
	    (cp >= 0x1f130 && cp <= 0x1f149) ||
	    (cp >= 0x1f150 && cp <= 0x1f169) ||
	    (cp >= 0x1f170 && cp <= 0x1f189);
}

size_t
peft_space_before(const char *s, size_t from, size_t at)
{
	size_t i, len;

	for (; at > from; at = i) {
		for (i = at - 1; i > from && (s[i] & 0xc0) == 0x80;)
			i--;
		if (peft_class_at(s + i, &len) != PEFT_SPACE)
			break;
	}
	return at;
}

size_t
peft_space_after(const char *s, size_t n, size_t at)
{
	size_t len;

	while (at < n && peft_class_at(s + at, &len) == PEFT_SPACE)
		at += len;
	return at;
}

size_t
peft_utf8_span(const char *s, size_t n)
{
	size_t i = 0, len;
	uint64_t w;

	while (i < n) {
		while (n - i >= 8) {		/* ASCII, eight at a time */
			memcpy(&w, s + i, 8);
			if (w & 0x8080808080808080u)
				break;
			i += 8;
		}
		if (i < n && (len = peft_utf8_len(s + i, n - i)) == 0)
			return i;
		i += i < n ? len : 0;
	}
	return n;
}
