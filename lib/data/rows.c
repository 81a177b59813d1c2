/* SPDX-License-Identifier: Apache-2.0 */
/* The records of one input, as text. */

#include <stdlib.h>
#include <string.h>

#include "base/in.h"
#include "data/rows.h"

static const size_t max_record = (size_t)256 << 20;

enum kind { UNKNOWN, LINES, LIST };

struct peft_rows {
	struct peft_in	*in;
	enum kind	 kind;
	bool		 bom;		/* the first line begins with one */
	/* a list, byte by byte */
	const char	*chunk;		/* [left] of the input */
	size_t		 left, lineno;
	struct peft_buf	 text;
	size_t		 taken;		/* elements so far */
	int		 end;		/* what ended the last: , or ] */
};

struct peft_rows *
peft_rows_open(const char *path, struct peft_err *err)
{
	struct peft_rows *r = peft_calloc(1, sizeof(*r), err);

	if (r != NULL && (r->in = peft_in_open(path, err)) == NULL) {
		free(r);
		r = NULL;
	}
	return r;
}

const char *
peft_rows_label(const struct peft_rows *r)
{
	return peft_in_label(r->in);
}

const char *
peft_rows_kind(const struct peft_rows *r)
{
	return r->kind == LIST ? "a JSON list" : "JSON lines";
}

void
peft_rows_close(struct peft_rows *r)
{
	if (r == NULL)
		return;
	peft_in_close(r->in);
	peft_buf_free(&r->text);
	free(r);
}

/* How does it begin?  Editors of some systems put a byte order mark first. */
static int
look(struct peft_rows *r, struct peft_err *err)
{
	const char *p;
	size_t n, i;
	int s = peft_in_peek(r->in, &p, &n, err);

	if (s == -1)
		return -1;
	r->kind = LINES;
	r->lineno = 1;
	if (s == 0)
		return 0;
	r->bom = n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0;
	for (i = r->bom ? 3 : 0; i < n && strchr(" \t\r\n", p[i]) != NULL &&
	    p[i] != '\0'; i++)
		;
	if (i < n && p[i] == '[')
		r->kind = LIST;
	return 0;
}

/* The next byte of a list; -1 at the end, -2 with *err set. */
static int
get(struct peft_rows *r, struct peft_err *err)
{
	int s;

	if (r->left == 0) {
		s = peft_in_some(r->in, &r->chunk, &r->left, err);
		if (s != 1)
			return s == 0 ? -1 : -2;
	}
	r->left--;
	r->lineno += *r->chunk == '\n';
	return (unsigned char)*r->chunk++;
}

static int
get_black(struct peft_rows *r, struct peft_err *err)
{
	int c;

	do
		c = get(r, err);
	while (c == ' ' || c == '\t' || c == '\r' || c == '\n');
	return c;
}

static int
not_closed(struct peft_rows *r, int c, struct peft_err *err)
{
	return c == -2 ? -1 : peft_seterr(err, "%s:%zu: the list is not "
	    "closed: the input was cut short", peft_rows_label(r), r->lineno);
}

/* An element that begins with c, up to the comma or bracket that ends it. */
static int
take(struct peft_rows *r, int c, struct peft_err *err)
{
	bool string = false, escape = false;
	size_t depth = 0;

	peft_buf_clear(&r->text);
	for (; c >= 0; c = get(r, err)) {
		if (escape)
			escape = false;
		else if (string) {
			escape = c == '\\';
			string = c != '"';
		} else if (c == '"')
			string = true;
		else if (depth == 0 && (c == ',' || c == ']')) {
			r->end = c;
			return r->text.failed ? peft_seterr(err, "%s: no memory "
			    "for a record", peft_rows_label(r)) : 1;
		} else if (c == '{' || c == '[')
			depth++;
		else if (depth > 0 && (c == '}' || c == ']'))
			depth--;
		peft_buf_putc(&r->text, c);
		if (r->text.len > max_record)
			return peft_seterr(err, "%s:%zu: a record of more than "
			    "%zu bytes", peft_rows_label(r), r->lineno,
			    max_record);
	}
	return not_closed(r, c, err);
}

/* Nothing but white space follows the list. */
static int
list_end(struct peft_rows *r, struct peft_err *err)
{
	int c = get_black(r, err);

	if (c >= 0)
		return peft_seterr(err, "%s:%zu: something follows the list",
		    peft_rows_label(r), r->lineno);
	return c == -2 ? -1 : 0;
}

static int
next_element(struct peft_rows *r, size_t *line, struct peft_err *err)
{
	int c;

	if (r->taken == 0) {
		do		/* the bracket, which look() saw */
			c = get(r, err);
		while (c >= 0 && c != '[');
		if (c < 0)
			return not_closed(r, c, err);
	}
	if (r->end == ']')
		return list_end(r, err);
	c = get_black(r, err);
	*line = r->lineno;
	if (c < 0)
		return not_closed(r, c, err);
	if (c == ']' && r->taken == 0) {
		r->taken = 1;
		r->end = c;
		return list_end(r, err);
	}
	r->taken++;
	return take(r, c, err);
}

int
peft_rows_next(struct peft_rows *r, const char **text, size_t *len,
    size_t *line, struct peft_err *err)
{
	char *s;
	int t;

	if (r->kind == UNKNOWN && look(r, err) == -1)
		return -1;
	if (r->kind == LIST) {
		if ((t = next_element(r, line, err)) == 1) {
			*text = r->text.data == NULL ? "" : r->text.data;
			*len = r->text.len;
		}
		return t;
	}
	if ((t = peft_in_line(r->in, &s, len, err)) != 1)
		return t;
	if (r->bom) {
		s += 3;
		*len -= 3;
		r->bom = false;
	}
	*text = s;
	*line = peft_in_lineno(r->in);
	return 1;
}
