/* SPDX-License-Identifier: Apache-2.0 */
/* Searching for strings and regular expressions. */

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/pattern.h"

struct peft_pattern {
	char			*text;
	size_t			 len;
	pcre2_code		*code;		/* NULL: a string */
	pcre2_match_context	*limits;
};

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

/* Oniguruma's as PCRE2's. */
static int
translate(const char *p, struct peft_buf *b, struct peft_err *err)
{
	size_t depth = 0;	/* of brackets; inner ones add to outer ones */
	int n;

	while (*p != '\0') {
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

static int
compile(struct peft_pattern *p, struct peft_err *err)
{
	pcre2_compile_context *c = pcre2_compile_context_create(NULL);
	struct peft_buf b = { 0 };
	unsigned char why[128];
	PCRE2_SIZE at;
	int code = 0, r;

	r = translate(p->text, &b, err);
	b.failed |= c == NULL;
	if (c != NULL)
		pcre2_set_newline(c, PCRE2_NEWLINE_LF);
	if (r == 0 && !b.failed)
		p->code = pcre2_compile((PCRE2_SPTR)(b.data == NULL ? "" :
		    b.data), b.len, PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE |
		    PCRE2_DOLLAR_ENDONLY, &code, &at, c);
	pcre2_compile_context_free(c);
	if (r == 0 && p->code == NULL) {
		pcre2_get_error_message(code, why, sizeof(why));
		r = peft_seterr(err, "%s", b.failed ? "no memory" :
		    (const char *)why);
	}
	peft_buf_free(&b);
	if (r == -1)
		return peft_errprefix(err, "pattern '%.200s'", p->text);
	/* without it matching is slow but the same */
	(void)pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE);
	if ((p->limits = pcre2_match_context_create(NULL)) == NULL)
		return peft_seterr(err, "no memory");
	pcre2_set_match_limit(p->limits, 10000000);
	pcre2_set_heap_limit(p->limits, 256 * 1024);
	return 0;
}

struct peft_pattern *
peft_pattern_string(const char *s, struct peft_err *err)
{
	struct peft_pattern *p = peft_calloc(1, sizeof(*p), err);

	if (p == NULL)
		return NULL;
	p->len = strlen(s);
	if ((p->text = peft_strdup(s, err)) == NULL) {
		free(p);
		return NULL;
	}
	return p;
}

struct peft_pattern *
peft_pattern_regex(const char *s, struct peft_err *err)
{
	struct peft_pattern *p = peft_pattern_string(s, err);

	if (p != NULL && compile(p, err) == -1) {
		peft_pattern_close(p);
		return NULL;
	}
	return p;
}

void
peft_pattern_close(struct peft_pattern *p)
{
	if (p == NULL)
		return;
	pcre2_code_free(p->code);
	pcre2_match_context_free(p->limits);
	free(p->text);
	free(p);
}

static int
search(const struct peft_pattern *p, const char *s, size_t n, size_t at,
    pcre2_match_data *data)
{
	int r = pcre2_match(p->code, (PCRE2_SPTR)s, n, at,
	    PCRE2_NO_UTF_CHECK, data, p->limits);

	/* the compiled form has a small stack; the other a large heap */
	if (r == PCRE2_ERROR_JIT_STACKLIMIT)
		r = pcre2_match(p->code, (PCRE2_SPTR)s, n, at,
		    PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, p->limits);
	return r;
}

int
peft_pattern_find(const struct peft_pattern *p, const char *s, size_t n,
    size_t at, size_t *begin, size_t *end, struct peft_err *err)
{
	pcre2_match_data *data;
	const char *hit;
	int r;

	if (p->code == NULL) {
		hit = n - at < p->len ? NULL : memmem(s + at, n - at, p->text,
		    p->len);
		if (hit == NULL)
			return 0;
		*begin = (size_t)(hit - s);
		*end = *begin + p->len;
		return 1;
	}
	if ((data = pcre2_match_data_create(1, NULL)) == NULL)
		return peft_seterr(err, "no memory to search");
	if ((r = search(p, s, n, at, data)) >= 0) {
		*begin = pcre2_get_ovector_pointer(data)[0];
		*end = pcre2_get_ovector_pointer(data)[1];
	}
	pcre2_match_data_free(data);
	if (r >= 0)
		return 1;
	return r == PCRE2_ERROR_NOMATCH ? 0 : peft_seterr(err, "the pattern "
	    "'%.200s' takes too long", p->text);
}
