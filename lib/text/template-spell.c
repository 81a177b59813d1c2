/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: escapes in strings, tags that are told by their text. */

#include <string.h>

#include "text/jinja-tree.h"

/* Digits of a code point behind \x, \u, \U; moves *p to the last of them. */
static bool
code_point(const char **p, const char *end, int digits, unsigned *cp)
{
	static const char hex[] = "0123456789abcdef";
	const char *d;

	for (*cp = 0; digits > 0; digits--) {
		if (*p + 1 >= end || *++*p == '\0' ||
		    (d = strchr(hex, **p | (**p > '9' ? 32 : 0))) == NULL)
			return false;
		*cp = *cp << 4 | (unsigned)(d - hex);
	}
	return *cp != 0 && *cp < 0x110000 && (*cp < 0xd800 || *cp > 0xdfff);
}

/* Behind a backslash, as Python reads it; *p stays on the last byte. */
bool
peft_jj_unescape(const char **p, const char *end, char *s, size_t *n)
{
	static const char names[] = "n\nt\tr\rb\bf\fv\va\a\\\\''\"\"";
	static const char wide[] = "xuU";
	const char *name, *w;
	unsigned cp;

	if (**p == '\n')			/* a joined line */
		return true;
	for (name = names; *name != '\0'; name += 2)
		if (*name == **p) {
			s[(*n)++] = name[1];
			return true;
		}
	if ((w = memchr(wide, **p, 3)) != NULL) {
		if (!code_point(p, end, 2 << (w - wide), &cp))
			return false;
		*n += peft_utf8_put(s + *n, cp);
		return true;
	}
	if ((**p >= '0' && **p <= '7') || **p == 'N')
		return false;		/* nobody has written one yet */
	s[(*n)++] = '\\';
	s[(*n)++] = **p;
	return true;
}

/* The end of the tag of one word at p, or NULL if it is none. */
const char *
peft_jj_word_tag(const char *p, const char *end, const char *word)
{
	size_t n, len = strlen(word);

	if (end - p < 2 || p[0] != '{' || p[1] != '%')
		return NULL;
	p += 2;
	p += p < end && (*p == '-' || *p == '+');
	while ((n = peft_jj_space(p, (size_t)(end - p))) > 0)
		p += n;
	if ((size_t)(end - p) < len || memcmp(p, word, len) != 0)
		return NULL;
	for (p += len; (n = peft_jj_space(p, (size_t)(end - p))) > 0;)
		p += n;
	p += p < end && (*p == '-' || *p == '+');
	return end - p >= 2 && p[0] == '%' && p[1] == '}' ? p + 2 : NULL;
}
