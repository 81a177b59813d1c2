/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_UNICODE_H
#define PEFT_TEXT_UNICODE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * What pre-tokenizers ask of characters.  The tables come from the software
 * that is to be matched (tests/parity/unicode_tables.py), not from the
 * newest Unicode.
 */
enum peft_gc {		/* general categories, in the letters of the table */
	PEFT_CN = 'A', PEFT_CC, PEFT_CF, PEFT_CS, PEFT_CO, PEFT_LL, PEFT_LM,
	PEFT_LO, PEFT_LT, PEFT_LU, PEFT_MC, PEFT_ME, PEFT_MN, PEFT_ND,
	PEFT_NL, PEFT_NO, PEFT_PC, PEFT_PD, PEFT_PE, PEFT_PF, PEFT_PI,
	PEFT_PO, PEFT_CC_SPACE, PEFT_PS, PEFT_SC, PEFT_SK, PEFT_SM = 'a',
	PEFT_SO, PEFT_ZL, PEFT_ZP, PEFT_ZS,
	PEFT_CN_DIGITS = 'n'	/* a number to the pre-tokenizer Digits */
};
enum peft_gc	peft_gc(unsigned cp);

/* \p{L}, \p{N}, \s and the rest. */
enum peft_class { PEFT_OTHER, PEFT_LETTER, PEFT_NUMBER, PEFT_SPACE };

enum peft_class	peft_class_of(unsigned cp);
/* A character of words, Rust's \w. */
bool		peft_is_word(unsigned cp);

/* Classes as parts of Hugging Face tokenizers see them, each by a Unicode of
 * its own (classes.c): punctuation; marks that take no space; all marks;
 * control and format characters, private use. */
bool		peft_is_punctuation(unsigned cp);
bool		peft_is_nonspacing(unsigned cp);
bool		peft_is_combining(unsigned cp);
bool		peft_is_other(unsigned cp);
/* A number for the script of a character, with Han and the kana as one; -1 if
 * it has none, as a space. */
int		peft_script_of(unsigned cp);

/* The class of the character at s, which must be valid UTF-8, and its
 * length. */
enum peft_class	peft_class_wide(const char *s, size_t *len);
extern const unsigned char peft_class_ascii[128];

static inline enum peft_class
peft_class_at(const char *s, size_t *len)
{
	unsigned char c = (unsigned char)*s;

	if (c >= 0x80)
		return peft_class_wide(s, len);
	*len = 1;
	return (enum peft_class)peft_class_ascii[c];
}

/* The same in finer kinds, one bit each. */
enum peft_bit {
	PEFT_B_UPPER = 1,		/* Lu, Lt */
	PEFT_B_LOWER = 2,		/* Ll */
	PEFT_B_CASELESS = 4,		/* Lm, Lo */
	PEFT_B_MARK = 8, PEFT_B_NUMBER = 16, PEFT_B_PUNCT = 32,
	PEFT_B_SYMBOL = 64, PEFT_B_SPACE = 128, PEFT_B_REST = 256
};
extern const unsigned short peft_bits_ascii[128];
unsigned	peft_bits_wide(const char *s, size_t *len);

static inline unsigned
peft_bits_at(const char *s, size_t *len)
{
	unsigned char c = (unsigned char)*s;

	if (c >= 0x80)
		return peft_bits_wide(s, len);
	*len = 1;
	return peft_bits_ascii[c];
}

/* Where the white space that ends at s + at begins, down to s + from. */
size_t		peft_space_before(const char *s, size_t from, size_t at);
/* Where the white space that begins at s + at ends, up to s + n. */
size_t		peft_space_after(const char *s, size_t n, size_t at);

/* The first byte of s[0..n) that is not UTF-8, or n. */
size_t		peft_utf8_span(const char *s, size_t n);

#endif
