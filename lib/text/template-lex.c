/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: from source to tokens; trim_blocks and lstrip_blocks are on, as
 * transformers has them. */

#include <stdlib.h>
#include <string.h>

#include "text/jinja-tree.h"

struct lexer {
	struct jj_pool	*pool;
	const char	*begin, *p, *end;
	int		 line;
	struct jj_token	*out;
	size_t		 n, cap;
	struct peft_err	*err;
	bool		 trim;		/* "-}}" before: strip what follows */
	bool		 newline;	/* "%}" before: drop one newline */
};

static int
wrong(const struct lexer *l, const char *what)
{
	return peft_seterr(l->err, "template line %d: %s", l->line, what);
}

static int
put(struct lexer *l, enum jj_tok kind, const char *s, size_t n)
{
	struct jj_token *grown;

	grown = peft_grow(l->out, l->n, &l->cap, sizeof(*grown), l->err);
	if (grown == NULL)
		return -1;
	l->out = grown;
	l->out[l->n++] = (struct jj_token){ .kind = kind, .line = l->line,
	    .s = s, .n = n };
	return 0;
}

static size_t
left(const struct lexer *l)
{
	return (size_t)(l->end - l->p);
}

static void
count_lines(struct lexer *l, const char *from, const char *to)
{
	for (; from < to; from++)
		l->line += *from == '\n';
}

/* The next {{, {% or {#, or the end. */
static const char *
find_open(const struct lexer *l)
{
	const char *p;

	for (p = l->p; p + 1 < l->end; p++)
		if (*p == '{' && (p[1] == '{' || p[1] == '%' || p[1] == '#'))
			return p;
	return l->end;
}

/* Where the text before a tag ends: "-" takes all white space away, and
 * lstrip_blocks what stands before a statement or comment on its line. */
static const char *
strip_before(const struct lexer *l, const char *from, const char *tag)
{
	const char *to = tag, *q;
	char sign = tag + 2 < l->end ? tag[2] : '\0';
	size_t n;

	if (sign == '-') {
		while ((n = peft_jj_space_end(from, (size_t)(to - from))) > 0)
			to -= n;
		return to;
	}
	if (tag[1] == '{' || sign == '+')
		return tag;
	for (q = to; q > from && q[-1] != '\n' && (n = peft_jj_space_end(from,
	    (size_t)(q - from))) > 0; q -= n)
		;
	return q == l->begin || q[-1] == '\n' ? q : tag;
}

/* The text up to a tag, without what white space control takes away. */
static int
put_text(struct lexer *l, const char *tag)
{
	const char *from = l->p, *to = tag;
	size_t n;

	if (l->trim)
		while ((n = peft_jj_space(from, (size_t)(to - from))) > 0)
			from += n;
	else if (l->newline && from < to && *from == '\n')
		from++;
	if (tag < l->end)
		to = strip_before(l, from, tag);
	count_lines(l, l->p, tag);
	return to > from ? put(l, JT_TEXT, from, (size_t)(to - from)) : 0;
}

static int
skip_comment(struct lexer *l)
{
	const char *p = l->p + 2;

	p += p < l->end && (*p == '-' || *p == '+');
	while (p + 1 < l->end && !(p[0] == '#' && p[1] == '}'))
		p++;
	if (p + 1 >= l->end)
		return wrong(l, "a comment without an end");
	count_lines(l, l->p, p);
	l->trim = p[-1] == '-';
	l->newline = !l->trim && p[-1] != '+';
	l->p = p + 2;
	return 0;
}

static int
lex_string(struct lexer *l)
{
	const char *p = l->p + 1, *close;
	size_t n = 0;
	char *s;

	for (close = p; close < l->end && *close != *l->p; close++)
		close += *close == '\\';
	if (close >= l->end)
		return wrong(l, "a string without an end");
	/* what is read is never shorter than what is made of it */
	if ((s = peft_jj_alloc(l->pool, (size_t)(close - p) + 1)) == NULL)
		return wrong(l, "no memory");
	for (; p < close; p++) {
		if (*p != '\\')
			s[n++] = *p;
		else if (p++, !peft_jj_unescape(&p, close, s, &n))
			return wrong(l, "an escape that is not known here");
	}
	if (put(l, JT_STRING, s, n) == -1)
		return -1;
	count_lines(l, l->p, close);
	l->p = close + 1;
	return 0;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_name(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

/* Literals are read by peft_jj_number. */
static int
lex_number(struct lexer *l)
{
	struct jj_token t = { .kind = JT_END };
	const char *from = l->p;

	if ((l->p = peft_jj_number(from, l->end, &t)) == NULL ||
	    (l->p < l->end && is_name(*l->p))) {
		l->p = from;
		return wrong(l, "a number that is not understood");
	}
	if (put(l, t.kind, from, (size_t)(l->p - from)) == -1)
		return -1;
	l->out[l->n - 1].i = t.i;
	l->out[l->n - 1].f = t.f;
	return 0;
}

static int
lex_op(struct lexer *l)
{
	static const char *const ops[] = { "==", "!=", "<=", ">=", "//", "**",
	    "+", "-", "*", "/", "%", "~", "<", ">", "=", "(", ")", "[", "]",
	    "{", "}", ".", ",", ":", "|", NULL };
	size_t i, n;

	for (i = 0; ops[i] != NULL; i++) {
		n = strlen(ops[i]);
		if (left(l) >= n && memcmp(l->p, ops[i], n) == 0) {
			l->p += n;
			return put(l, JT_OP, ops[i], n);
		}
	}
	return wrong(l, "a character that does not belong there");
}

static int
lex_one(struct lexer *l)
{
	const char *p = l->p;

	if (*p == '\'' || *p == '"')
		return lex_string(l);
	if (is_digit(*p))
		return lex_number(l);
	if (!is_name(*p))
		return lex_op(l);
	while (l->p < l->end && is_name(*l->p))
		l->p++;
	return put(l, JT_NAME, p, (size_t)(l->p - p));
}

/* At "}}", "%}", with a sign before it or not: consumed. */
static bool
at_close(struct lexer *l, char close)
{
	size_t sign = *l->p == '-' || (*l->p == '+' && close == '%');

	if (left(l) < sign + 2 || l->p[sign] != close || l->p[sign + 1] != '}')
		return false;
	l->trim = *l->p == '-';
	l->newline = sign == 0 && close == '%';
	l->p += sign + 2;
	return true;
}

/* From {{ or {% to its end; inside brackets that end is none. */
static int
lex_code(struct lexer *l, char close, enum jj_tok open, enum jj_tok end)
{
	const char *from;
	int nest = 0;
	size_t n;

	if (put(l, open, l->p, 2) == -1)
		return -1;
	l->p += 2;
	if (l->p < l->end && (*l->p == '-' || (*l->p == '+' && close == '%')))
		l->p++;
	for (;;) {
		for (from = l->p; (n = peft_jj_space(l->p, left(l))) > 0;)
			l->p += n;
		count_lines(l, from, l->p);
		if (l->p >= l->end)
			return wrong(l, "a tag without an end");
		if (nest == 0 && at_close(l, close))
			return put(l, end, l->p - 2, 2);
		nest += memchr("([{", *l->p, 3) != NULL;
		nest -= nest > 0 && memchr(")]}", *l->p, 3) != NULL;
		if (lex_one(l) == -1)
			return -1;
	}
}

static void
behind_tag(struct lexer *l, const char *from, const char *to)
{
	count_lines(l, from, to);
	l->trim = to[-3] == '-';
	l->newline = to[-3] != '-' && to[-3] != '+';
	l->p = to;
}

/* {% raw %}: what is written up to {% endraw %} is text.  1, 0 it is not
 * there, -1. */
static int
lex_raw(struct lexer *l)
{
	const char *text = peft_jj_word_tag(l->p, l->end, "raw"), *p, *after = NULL;

	if (text == NULL)
		return 0;
	for (p = text; p < l->end && (after = peft_jj_word_tag(p, l->end,
	    "endraw")) == NULL; p++)
		;
	if (after == NULL)
		return wrong(l, "a tag is not closed, at 'raw'");
	behind_tag(l, l->p, text);
	if (put_text(l, p) == -1)
		return -1;
	behind_tag(l, p, after);
	return 1;
}

static int
lex_all(struct lexer *l)
{
	int raw;

	while (l->p < l->end) {
		const char *tag = find_open(l);

		if (put_text(l, tag) == -1)
			return -1;
		l->p = tag;
		l->trim = l->newline = false;
		if (tag == l->end)
			break;
		if ((raw = lex_raw(l)) == -1)
			return -1;
		if (raw == 1)
			continue;
		if ((tag[1] == '#' ? skip_comment(l) : tag[1] == '{' ?
		    lex_code(l, '}', JT_BEGIN_EXPR, JT_END_EXPR) :
		    lex_code(l, '%', JT_BEGIN_STMT, JT_END_STMT)) == -1)
			return -1;
	}
	return put(l, JT_END, "the end", 7);
}

int
peft_jj_lex(struct jj_pool *pool, const char *src, size_t len,
    struct jj_token **out, struct peft_err *err)
{
	struct lexer l = { .pool = pool, .begin = src, .p = src,
	    .end = src + len, .line = 1, .err = err };

	if (lex_all(&l) == -1) {
		free(l.out);
		return -1;
	}
	*out = l.out;
	return 0;
}
