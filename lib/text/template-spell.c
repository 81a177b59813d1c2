/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: escapes in strings, numbers, tags that are told by their text. */

#include <errno.h>
#include <stdlib.h>
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
	return *cp < 0x110000 && (*cp < 0xd800 || *cp > 0xdfff);
}

/* Up to three octal digits; *p stays on the last. */
static void
octal(const char **p, const char *end, unsigned *cp)
{
	int n;

	for (*cp = 0, n = 0; n < 3 && *p < end && **p >= '0' && **p <= '7';
	    n++, ++*p)
		*cp = *cp << 3 | (unsigned)(**p - '0');
	--*p;
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
	if (**p >= '0' && **p <= '7') {
		octal(p, end, &cp);
		*n += peft_utf8_put(s + *n, cp);
		return true;
	}
	if (**p == 'N')
		return false;		/* nobody has written one yet */
	s[(*n)++] = '\\';
	s[(*n)++] = **p;
	return true;
}

static int
digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' &&
	    (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : 16;
}

/* Digits with single underscores between them, which are left out; n is how
 * many text[0..max) has. */
static size_t
digits(const char **p, const char *end, int base, char *text, size_t n,
    size_t max)
{
	for (; *p < end; ++*p) {
		if (**p == '_' && *p + 1 < end && digit((*p)[1]) < base)
			++*p;
		if (digit(**p) >= base)
			break;
		if (n < max)
			text[n++] = **p;
	}
	return n;
}

/* 0x, 0o, 0b: its digits, to be read with a base; else 10. */
static int
base_of(const char **p, const char *end)
{
	static const char letters[] = "xob";
	static const int bases[] = { 16, 8, 2 };
	const char *l, *q = *p + 2;

	if (end - *p < 3 || **p != '0' ||
	    (l = memchr(letters, (*p)[1] | 32, 3)) == NULL)
		return 10;
	q += *q == '_';
	if (q == end || digit(*q) >= bases[l - letters])
		return 10;
	*p = q;
	return bases[l - letters];
}

const char *
peft_jj_number(const char *p, const char *end, struct jj_token *t)
{
	char text[80] = "", *stop;
	int base = base_of(&p, end);
	const char *from = p;
	enum { MAX = sizeof(text) - 4 };
	size_t n = digits(&p, end, base, text, 0, MAX);

	t->kind = JT_INT;
	if (base == 10 && end - p > 1 && *p == '.' && digit(p[1]) < 10) {
		t->kind = JT_FLOAT;
		text[n++] = *p++;
		n = digits(&p, end, 10, text, n, MAX);
	}
	if (base == 10 && end - p > 1 && (*p | 32) == 'e' &&
	    (digit(p[1]) < 10 || (end - p > 2 && strchr("+-", p[1]) != NULL &&
	    digit(p[2]) < 10))) {
		t->kind = JT_FLOAT;
		text[n++] = *p++;
		text[n++] = *p++;
		n = digits(&p, end, 10, text, n, sizeof(text) - 1);
	}
	text[n] = '\0';
	t->f = strtod(text, &stop);
	if (t->kind == JT_FLOAT)
		return n < MAX ? p : NULL;
	/* 007 is no number, 000 is */
	if (base == 10 && *from == '0' && strspn(text, "0") != n)
		return NULL;
	errno = 0;
	t->i = strtoll(text, &stop, base);
	return n < MAX && errno == 0 ? p : NULL;
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
