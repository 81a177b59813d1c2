/* SPDX-License-Identifier: Apache-2.0 */
/* Regular expressions, from Oniguruma's spelling into PCRE2's. */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "text/pattern-impl.h"

/*
 * Classes that PCRE2 draws otherwise: it lacks or has a few characters of
 * them.  Outside of brackets, but not within, Oniguruma takes the superscripts
 * and fractions of Latin-1 for parts of words.
 */
#define WORD_WITHIN "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define WORD WORD_WITHIN "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
#define SPACE "\\t-\\r\\x{85}\\p{Z}"

static const struct {
	char		 name;
	const char	*within, *members;
} classes[] = {
	{ 's', SPACE, SPACE }, { 'w', WORD_WITHIN, WORD },
	{ 'h', "0-9A-Fa-f", "0-9A-Fa-f" },
};

/* Is it a script's name? */
static bool
is_script(const char *name, size_t n)
{
	char text[64];
	pcre2_code *code;
	PCRE2_SIZE at;
	int why;

	if (n > 40)
		return false;
	snprintf(text, sizeof(text), "\\p{sc:%.*s}", (int)n, name);
	code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED, PCRE2_UTF,
	    &why, &at, NULL);
	pcre2_code_free(code);
	return code != NULL;
}

/* \p{Han} and its like, n bytes: to PCRE2 a script alone is also what others
 * share with it. */
static void
put_property(struct peft_buf *b, const char *p, size_t n)
{
	size_t from = p[3] == '^' ? 4 : 3;

	peft_buf_put(b, p, from);
	if (is_script(p + from, n - from - 1))
		peft_buf_puts(b, "sc:");
	peft_buf_put(b, p + from, n - from);
}

/* A backslash and what it makes special: put what that is to PCRE2.  Returns
 * its length. */
static int
escape(struct peft_buf *b, const char *p, bool inside, struct peft_err *err)
{
	const char *end;
	size_t i;

	for (i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (p[1] != classes[i].name && p[1] != classes[i].name - 32)
			continue;
		if (p[1] == classes[i].name)
			peft_buf_printf(b, inside ? "%s" : "[%s]", inside ?
			    classes[i].within : classes[i].members);
		else if (!inside)
			peft_buf_printf(b, "[^%s]", classes[i].members);
		else
			return peft_seterr(err, "\\%c within brackets is not "
			    "known here", p[1]);
		return 2;
	}
	if (!inside && (p[1] == 'b' || p[1] == 'B')) {
		peft_buf_puts(b, p[1] == 'b' ? "(?:(?<=[" WORD "])(?![" WORD
		    "])|(?<![" WORD "])(?=[" WORD "]))" : "(?:(?<=[" WORD
		    "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "]))");
		return 2;
	}
	if (p[1] == 'u' && strspn(p + 2, "0123456789ABCDEFabcdef") >= 4) {
		peft_buf_printf(b, "\\x{%.4s}", p + 2);
		return 6;
	}
	if (p[1] == '\0' || strchr("uUyYgGkKQERNOXCMcl", p[1]) != NULL)
		return peft_seterr(err, "\\%c is not known here", p[1]);
	end = strchr("pPx", p[1]) != NULL && p[2] == '{' ? strchr(p, '}') :
	    NULL;
	i = end == NULL ? 2 : (size_t)(end + 1 - p);
	if (end != NULL && p[1] != 'x')
		put_property(b, p, i);
	else
		peft_buf_put(b, p, i);
	return (int)i;
}

/* Things that both read, but not as the same. */
static int
check_rest(const char *p, bool inside, struct peft_err *err)
{
	const char *q = p;

	if (inside)
		return strncmp(p, "&&", 2) != 0 ? 0 : peft_seterr(err,
		    "&& within brackets is not known here");
	if (strncmp(p, "(?", 2) == 0)
		for (q += 2; *q == '-' || (*q >= 'a' && *q <= 'z'); q++)
			if (strchr("ix-", *q) == NULL)
				return peft_seterr(err, "the option (?%c is "
				    "not known here", *q);
	if (strncmp(p, "}+", 2) == 0 || strncmp(p, "{,", 2) == 0)
		return peft_seterr(err, "%.2s is not known here", p);
	return 0;
}

/* From the [ of a class on, up to what may be in it. */
static const char *
open_class(const char *p, struct peft_buf *b)
{
	peft_buf_putc(b, *p++);
	if (*p == '^')
		peft_buf_putc(b, *p++);
	if (*p == ']') {
		peft_buf_puts(b, "\\]");
		p++;
	}
	return p;
}

/* Within a class at p: its next member. */
static int
member(const char *p, struct peft_buf *b, struct peft_err *err)
{
	const char *end = strncmp(p, "[:", 2) == 0 ? strstr(p, ":]") : NULL;

	if (*p == '\\')
		return escape(b, p, true, err);
	if (end != NULL) {
		peft_buf_put(b, p, (size_t)(end + 2 - p));
		return (int)(end + 2 - p);
	}
	if (strncmp(p, "[^", 2) == 0)
		return peft_seterr(err, "[^ within brackets is not known "
		    "here");
	if (check_rest(p, true, err) == -1)
		return -1;
	peft_buf_putc(b, *p);
	return 1;
}

/* s[0..n), which has no brackets of its own, as a class. */
static int
put_class(const char *s, size_t n, struct peft_buf *b, struct peft_err *err)
{
	struct peft_buf class = { 0 };
	int r = -1;

	peft_buf_printf(&class, "[%.*s]", (int)n, s);
	if (class.failed)
		peft_seterr(err, "no memory");
	else
		r = peft_pattern_translate(class.data, b, err);
	peft_buf_free(&class);
	return r;
}

/* To behind what may stand in a class without brackets and &&. */
static const char *
members_end(const char *p)
{
	while (*p != '\0' && *p != '[' && *p != ']' && strncmp(p, "&&", 2) != 0)
		p += *p == '\\' && p[1] != '\0' ? 2 : 1;
	return p;
}

/* At p, [a&&[b]] or [a&&[^b]]: a look ahead at b, and a.  Returns its length,
 * 0 if it is not that. */
static int
intersection(const char *p, struct peft_buf *b, struct peft_err *err)
{
	const char *a = p + 1, *end = members_end(a), *inner, *close;
	bool not;

	if (end == a || *a == '^' || strncmp(end, "&&[", 3) != 0)
		return 0;
	not = end[3] == '^';
	inner = end + 3 + not;
	close = members_end(inner);
	if (close == inner || strncmp(close, "]]", 2) != 0)
		return 0;
	peft_buf_puts(b, not ? "(?:(?!" : "(?:(?=");
	if (put_class(inner, (size_t)(close - inner), b, err) == -1)
		return -1;
	peft_buf_puts(b, ")");
	if (put_class(a, (size_t)(end - a), b, err) == -1)
		return -1;
	peft_buf_puts(b, ")");
	return (int)(close + 2 - p);
}

/* Oniguruma's as PCRE2's. */
int
peft_pattern_translate(const char *p, struct peft_buf *b, struct peft_err *err)
{
	size_t depth = 0;	/* of brackets; inner ones add to outer ones */
	int n;

	while (*p != '\0') {
		n = depth == 0 && *p == '[' ? intersection(p, b, err) : 0;
		if (n == -1)
			return -1;
		if (n > 0) {
			p += n;
			continue;
		}
		if (depth == 0 && *p == '[') {
			p = open_class(p, b);
			depth = 1;
			continue;
		}
		if (depth > 0 && *p == '[' && p[1] != ':' && p[1] != '^') {
			depth++;
			n = 1;
		} else if (depth > 1 && *p == ']') {
			depth--;
			n = 1;
		} else if (depth > 0 && *p != ']')
			n = member(p, b, err);
		else if (*p == '\\')
			n = escape(b, p, false, err);
		else {
			n = check_rest(p, false, err) == -1 ? -1 : 1;
			peft_buf_putc(b, *p);
			depth = 0;
		}
		if (n == -1)
			return -1;
		p += n;
	}
	return 0;
}
