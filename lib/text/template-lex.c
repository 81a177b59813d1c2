/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: from source to tokens; trim_blocks and lstrip_blocks are on, as
 * transformers has them. */

#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"

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
fail(const struct lexer *l, const char *what)
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

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void
count_lines(struct lexer *l, const char *from, const char *to)
{
	for (; from < to; from++)
		l->line += *from == '\n';
}

/* The next {{, {% or {#. */
static const char *
find_open(const struct lexer *l)
{
	const char *p;

	for (p = l->p; p + 1 < l->end; p++)
		if (*p == '{' && (p[1] == '{' || p[1] == '%' || p[1] == '#'))
			return p;
	return l->end;
}

/* The text up to a tag, without what white space control takes away. */
static int
put_text(struct lexer *l, const char *tag)
{
	const char *from = l->p, *to = tag, *q;

	if (l->trim)
		while (from < to && is_space(*from))
			from++;
	else if (l->newline && from < to && *from == '\n')
		from++;
	if (tag < l->end) {
		char sign = tag + 2 < l->end ? tag[2] : '\0';

		if (sign == '-')
			while (to > from && is_space(to[-1]))
				to--;
		else if (tag[1] != '{' && sign != '+') {
			/* lstrip_blocks: a tag alone on its line so far */
			for (q = to; q > from && (q[-1] == ' ' ||
			    q[-1] == '\t'); q--)
				;
			if (q == l->begin || (q > l->begin && q[-1] == '\n'))
				to = q;
		}
	}
	count_lines(l, l->p, tag);
	return to > from ? put(l, JT_TEXT, from, (size_t)(to - from)) : 0;
}

static int
skip_comment(struct lexer *l)
{
	const char *p = l->p + 2;

	while (p + 1 < l->end && !(p[0] == '#' && p[1] == '}'))
		p++;
	if (p + 1 >= l->end)
		return fail(l, "a comment without an end");
	count_lines(l, l->p, p);
	l->trim = p[-1] == '-';
	l->newline = !l->trim;
	l->p = p + 2;
	return 0;
}

/* The code point of \xXX, \uXXXX. */
static unsigned
hex(const char **p, const char *end, int digits)
{
	unsigned v = 0;

	for (; digits > 0 && *p + 1 < end; digits--) {
		char c = *++*p;

		v = v << 4 | (unsigned)(c <= '9' ? c - '0' :
		    (c | 32) - 'a' + 10);
	}
	return v;
}

static int
lex_string(struct lexer *l)
{
	static const char names[] = "n\nt\tr\rb\bf\fv\va\a0";
	char quote = *l->p, *s;
	const char *p = l->p + 1, *name;
	size_t n = 0;

	while (p < l->end && *p != quote)
		p += *p == '\\' ? 2 : 1;
	if (p >= l->end)
		return fail(l, "a string without an end");
	s = jj_alloc(l->pool, (size_t)(p - l->p) * 2 + 4);
	if (s == NULL)
		return fail(l, "no memory");
	for (p = l->p + 1; *p != quote; p++) {
		if (*p != '\\') {
			s[n++] = *p;
			continue;
		}
		p++;
		if (*p == 'x' || *p == 'u')
			n += peft_utf8_put(s + n, hex(&p, l->end,
			    *p == 'x' ? 2 : 4) & 0xffff);
		else if (*p == '\n')
			;		/* a joined line */
		else {
			for (name = names; *name != '\0' && *name != *p;)
				name += 2;
			if (*name != '\0')
				s[n++] = name[1];
			else {
				if (*p != '\\' && *p != '\'' && *p != '"')
					s[n++] = '\\';
				s[n++] = *p;
			}
		}
	}
	if (put(l, JT_STRING, s, n) == -1)
		return -1;
	count_lines(l, l->p, p);
	l->p = p + 1;
	return 0;
}

static bool
is_name(char c)
{
	return (c >= '0' && c <= '9') || (unsigned)((c | 32) - (int)'a') < 26 || c == '_' ||
	    (c & 0x80) != 0;
}

static int
lex_number(struct lexer *l)
{
	const char *p = l->p;
	char text[64];
	size_t n;
	bool real = false;

	while (p < l->end && ((*p >= '0' && *p <= '9') || *p == '_'))
		p++;
	if (p + 1 < l->end && *p == '.' && p[1] >= '0' && p[1] <= '9') {
		real = true;
		for (p++; p < l->end && *p >= '0' && *p <= '9';)
			p++;
	}
	n = (size_t)(p - l->p);
	if (n >= sizeof(text))
		return fail(l, "a number that is too long");
	memcpy(text, l->p, n);
	text[n] = '\0';
	if (put(l, real ? JT_FLOAT : JT_INT, l->p, n) == -1)
		return -1;
	l->out[l->n - 1].i = strtoll(text, NULL, 10);
	l->out[l->n - 1].f = strtod(text, NULL);
	l->p = p;
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
		if ((size_t)(l->end - l->p) >= n &&
		    memcmp(l->p, ops[i], n) == 0) {
			l->p += n;
			return put(l, JT_OP, ops[i], n);
		}
	}
	return fail(l, "a character that does not belong there");
}

static int
lex_one(struct lexer *l)
{
	const char *p = l->p;

	if (*p == '\'' || *p == '"')
		return lex_string(l);
	if (*p >= '0' && *p <= '9')
		return lex_number(l);
	if (!is_name(*p))
		return lex_op(l);
	while (l->p < l->end && is_name(*l->p))
		l->p++;
	return put(l, JT_NAME, p, (size_t)(l->p - p));
}

/* From behind {{ or {% to its end. */
static int
lex_code(struct lexer *l, char close, enum jj_tok open, enum jj_tok end)
{
	int nest = 0;

	if (put(l, open, l->p, 2) == -1)
		return -1;
	l->p += 2;
	if (l->p < l->end && (*l->p == '-' || *l->p == '+'))
		l->p++;
	for (;;) {
		while (l->p < l->end && is_space(*l->p))
			l->line += *l->p++ == '\n';
		if (l->p >= l->end)
			return fail(l, "a tag without an end");
		if (nest == 0) {
			size_t sign = *l->p == '-' || *l->p == '+';

			if ((size_t)(l->end - l->p) >= sign + 2 &&
			    l->p[sign] == close && l->p[sign + 1] == '}') {
				l->trim = *l->p == '-';
				l->newline = !l->trim && *l->p != '+' &&
				    close == '%';
				l->p += sign + 2;
				return put(l, end, l->p, 0);
			}
		}
		nest += strchr("([{", *l->p) != NULL;
		nest -= strchr(")]}", *l->p) != NULL;
		if (nest < 0)
			nest = 0;
		if (lex_one(l) == -1)
			return -1;
	}
}

static int
lex_all(struct lexer *l)
{
	while (l->p < l->end) {
		const char *tag = find_open(l);

		if (put_text(l, tag) == -1)
			return -1;
		l->p = tag;
		l->trim = l->newline = false;
		if (tag == l->end)
			break;
		if ((tag[1] == '#' ? skip_comment(l) : tag[1] == '{' ?
		    lex_code(l, '}', JT_BEGIN_EXPR, JT_END_EXPR) :
		    lex_code(l, '%', JT_BEGIN_STMT, JT_END_STMT)) == -1)
			return -1;
	}
	return put(l, JT_END, l->end, 0);
}

int
jj_lex(struct jj_pool *pool, const char *src, size_t len,
    struct jj_token **out, size_t *n, struct peft_err *err)
{
	struct lexer l = { .pool = pool, .begin = src, .p = src,
	    .end = src + len, .line = 1, .err = err };

	/* keep_trailing_newline is off */
	if (len > 0 && src[len - 1] == '\n')
		l.end--;
	if (lex_all(&l) == -1) {
		free(l.out);
		return -1;
	}
	*out = l.out;
	*n = l.n;
	return 0;
}
