/* SPDX-License-Identifier: Apache-2.0 */
/* The records of one input, as text. */

#include <stdlib.h>
#include <string.h>

#include "data/rows-impl.h"

enum { CHUNK = 1 << 16 };
static const size_t max_record = (size_t)256 << 20;

struct peft_rows *
peft_rows_open(const char *path, const char *columns, struct peft_err *err)
{
	struct peft_rows *r = peft_calloc(1, sizeof(*r), err);

	if (r == NULL)
		return NULL;
	r->path = path;
	r->columns = columns;
	if ((r->in = peft_in_open(path, err)) != NULL)
		return r;
	free(r);
	return NULL;
}

void
peft_rows_partial(struct peft_rows *r)
{
	peft_in_partial(r->in);
}

const char *
peft_rows_label(const struct peft_rows *r)
{
	return peft_in_label(r->in);
}

const char *
peft_rows_kind(const struct peft_rows *r)
{
	static const char *const tables[] = { "a table with tabs",
	    "a table with commas", "a table with semicolons" };
	const char *sign;

	if (r->kind == PARQUET)
		return "Parquet";
	if (r->kind != TABLE)
		return r->kind == LIST ? "a JSON list" : "JSON lines";
	sign = peft_table_separator(r->table);
	return tables[sign[0] == 't' ? 0 : sign[0] == 'c' ? 1 : 2];
}

bool
peft_rows_unended(const struct peft_rows *r)
{
	return r->kind == TABLE && peft_in_unended(r->in);
}

void
peft_rows_close(struct peft_rows *r)
{
	if (r == NULL)
		return;
	peft_in_close(r->in);
	peft_table_close(r->table);
	peft_parquet_close(r->parquet);
	peft_buf_free(&r->text);
	free(r->chunk);
	free(r);
}

int
peft_rows_line(struct peft_rows *r, char **s, size_t *len, struct peft_err *err)
{
	int t = peft_in_line(r->in, s, len, err);

	if (t == 1 && r->bom) {
		*s += 3;
		*len -= 3;
		r->bom = false;
	}
	return t;
}

/* The next byte of a list; -1 at the end, -2 with *err set. */
static int
get(struct peft_rows *r, struct peft_err *err)
{
	ssize_t n;

	if (r->at == r->have) {
		n = peft_in_read(r->in, r->chunk, CHUNK, err);
		if (n <= 0)
			return n == 0 ? -1 : -2;
		r->at = 0;
		r->have = (size_t)n;
	}
	r->lineno += r->chunk[r->at] == '\n';
	return (unsigned char)r->chunk[r->at++];
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
		if (r->chunk == NULL &&
		    (r->chunk = peft_calloc(CHUNK, 1, err)) == NULL)
			return -1;
		do		/* the bracket, which peft_rows_look() saw */
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

/* A record of a table, which may have several lines. */
static int
next_of_table(struct peft_rows *r, size_t *line, struct peft_err *err)
{
	size_t len;
	char *s;
	int t;

	*line = peft_in_lineno(r->in);
	if (r->pending) {
		r->pending = false;
		return 1;
	}
	peft_buf_clear(&r->text);
	while ((t = peft_rows_line(r, &s, &len, err)) == 1) {
		if (!peft_table_inside(r->table)) {
			*line = peft_in_lineno(r->in);
			if (len == 0 || (len == 1 && s[0] == '\r'))
				continue;
		}
		t = peft_table_line(r->table, s, len, &r->text, err);
		if (t != 0)
			return t == 1 ? 1 : 2;
	}
	if (t == 0 && peft_table_inside(r->table))
		return peft_seterr(err, "%s:%zu: a quoted field has no end: the "
		    "input was cut short", peft_rows_label(r), *line);
	return t;
}

static int
next_of_parquet(struct peft_rows *r, size_t *line, struct peft_err *err)
{
	int t;

	peft_buf_clear(&r->text);
	t = peft_parquet_next(r->parquet, &r->text, err);
	*line = ++r->lineno;
	return r->text.len <= max_record ? t : peft_seterr(err, "%s:%zu: a "
	    "record of more than %zu bytes", peft_rows_label(r), *line,
	    max_record);
}

int
peft_rows_next(struct peft_rows *r, const char **text, size_t *len,
    size_t *line, struct peft_err *err)
{
	char *s;
	int t;

	if (r->kind == UNKNOWN && peft_rows_look(r, err) == -1)
		return -1;
	if (r->kind == LINES) {
		if ((t = peft_rows_line(r, &s, len, err)) == 1) {
			*text = s;
			*line = peft_in_lineno(r->in);
		}
		return t;
	}
	t = r->kind == LIST ? next_element(r, line, err) :
	    r->kind == TABLE ? next_of_table(r, line, err) :
	    next_of_parquet(r, line, err);
	*text = r->text.data == NULL ? "" : r->text.data;
	*len = r->text.len;
	return t;
}
