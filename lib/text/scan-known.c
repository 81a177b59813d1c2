/* SPDX-License-Identifier: Apache-2.0 */
/* Which scanner is which regular expression. */

#include <string.h>

#include "text/scan.h"

#define CONTRACTION "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define BEFORE "[^\\r\\n\\p{L}\\p{N}]?"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"

static const struct {
	const char	*pattern;
	peft_scan	*scan;
} regexes[] = {
	{ "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|"
	    "\\s+(?!\\S)|\\s+", peft_scan_gpt2 },
	{ CONTRACTION "|" BEFORE "\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+"
	    "[\\r\\n]*|" SPACES, peft_scan_llama3 },
	{ "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}|"
	    " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
	    peft_scan_llama3 },
	{ CONTRACTION "|" BEFORE "\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+"
	    "[\\r\\n]*|" SPACES, peft_scan_qwen2 },
	{ CONTRACTION "|" BEFORE "[\\p{L}\\p{M}]+|\\p{N}| ?"
	    "[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SPACES, peft_scan_qwen35 },
	{ BEFORE UPPER "*" LOWER "+" CONTRACTION "?|" BEFORE UPPER "+" LOWER
	    "*" CONTRACTION "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|"
	    SPACES, peft_scan_o200k },
	{ BEFORE UPPER "*" LOWER "+|" BEFORE UPPER "+" LOWER "*|\\p{N}| ?"
	    "[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SPACES, peft_scan_tekken },
	{ "\\p{N}{1,3}", peft_scan_thousands },
	{ "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", peft_scan_cjk },
	{ "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
	    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+"
	    "[\\r\\n]*|" SPACES, peft_scan_deepseek },
};

#define COUNT (sizeof(regexes) / sizeof(regexes[0]))

const char *
peft_scan_known(size_t i, peft_scan **scan)
{
	if (i >= COUNT)
		return NULL;
	*scan = regexes[i].scan;
	return regexes[i].pattern;
}

/* Are they the same but for line breaks, which may be spelt out? */
static bool
is_same(const char *a, const char *b)
{
	for (; *a != '\0'; a++, b++)
		if (*a == '\\' && a[1] == (*b == '\n' ? 'n' : *b == '\r' ?
		    'r' : 0))
			a++;
		else if (*a != *b)
			return false;
	return *b == '\0';
}

peft_scan *
peft_scan_of_split(const char *regex, const char *string,
    enum peft_behavior behavior, bool invert)
{
	size_t i;

	if (regex == NULL)
		return string != NULL && strcmp(string, " ") == 0 && !invert &&
		    behavior == PEFT_S_PREVIOUS ? peft_scan_spaces : NULL;
	/* what scanners cut they keep */
	if (behavior != PEFT_S_ISOLATED)
		return NULL;
	for (i = 0; i < COUNT; i++)
		if (is_same(regexes[i].pattern, regex))
			return regexes[i].scan;
	return NULL;
}
