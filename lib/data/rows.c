/* SPDX-License-Identifier: Apache-2.0 */
/* The records of one input, as text. */

#include <stdlib.h>
#include <string.h>

#include "base/in.h"
#include "data/rows.h"
#include "data/table.h"

enum { CHUNK = 1 << 16 };
static const size_t max_record = (size_t)256 << 20;

enum kind { UNKNOWN, LINES, LIST, TABLE };

struct peft_rows {
	struct peft_in	*in;
	enum kind	 kind;
	const char	*columns;
	struct peft_table *table;
	bool		 bom;		/* the first line begins with one */
	bool		 pending;	/* a record of its first line in text */
	/* a list, byte by byte */
	char		*chunk;		/* [CHUNK], for bytes at, at + 1, ... */
	size_t		 at, have, lineno;
	struct peft_buf	 text;
	size_t		 taken;		/* elements so far */
	int		 end;		/* what ended the last: , or ] */
};

struct peft_rows *
peft_rows_open(const char *path, const char *columns, struct peft_err *err)
{
	struct peft_rows *r = peft_calloc(1, sizeof(*r), err);

	if (r == NULL)
		return NULL;
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
	peft_buf_free(&r->text);
	free(r->chunk);
	free(r);
}

/* A line without a byte order mark at the start of the input. */
static int
get_line(struct peft_rows *r, char **s, size_t *len, struct peft_err *err)
{
	int t = peft_in_line(r->in, s, len, err);

	if (t == 1 && r->bom) {
		*s += 3;
		*len -= 3;
		r->bom = false;
	}
	return t;
}

static int
open_table(struct peft_rows *r, struct peft_err *err)
{
	bool has_record;
	size_t len;
	char *s;
	int t;

	peft_in_tail(r->in);
	do
		t = get_line(r, &s, &len, err);
	while (t == 1 && strspn(s, " \t\r") == len);
	if (t != 1)
		return t;
	r->table = peft_table_open(s, len, r->columns, &has_record, err);
	if (r->table != NULL && has_record) {
		peft_buf_clear(&r->text);
		t = peft_table_line(r->table, s, len, &r->text, err);
		r->pending = t == 1;
	}
	return r->table == NULL || t == -1 ? peft_errprefix(err, "%s:%zu",
	    peft_rows_label(r), peft_in_lineno(r->in)) : 0;
}

/* Files that hold no text, by their first bytes. */
static int
check_kind(const struct peft_rows *r, const char *p, size_t n,
    struct peft_err *err)
{
	static const struct {
		const char	*magic, *what;
		size_t		 n;
	} kinds[] = {
		{ "PAR1", "is Parquet, which this program does not read: have "
		    "duckdb or pandas make JSON lines of it", 4 },
		{ "ARROW1", "is Arrow, which this program does not read: have "
		    "pandas make JSON lines of it", 6 },
		{ "PK\3\4", "is a zip file or a spreadsheet: unpack it, or "
		    "save it as CSV", 4 },
		{ "\3757zXZ", "is packed with xz: only gzip and zstd are "
		    "unpacked here", 6 },
		{ "BZh", "is packed with bzip2: only gzip and zstd are "
		    "unpacked here", 3 },
		{ "\377\376", "is UTF-16: make it UTF-8 (iconv -f UTF-16)", 2 },
		{ "\376\377", "is UTF-16: make it UTF-8 (iconv -f UTF-16)", 2 },
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (n >= kinds[i].n && memcmp(p, kinds[i].magic,
		    kinds[i].n) == 0)
			return peft_seterr(err, "%s: %s", peft_rows_label(r),
			    kinds[i].what);
	return 0;
}

/* Nothing but the end of the line at p? */
static bool
alone(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	return p < end && *p == '\n';
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
	if (check_kind(r, p, n, err) == -1)
		return -1;
	r->bom = n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0;
	for (i = r->bom ? 3 : 0; i < n && strchr(" \t\r\n", p[i]) != NULL &&
	    p[i] != '\0'; i++)
		;
	if (i == n)
		return 0;
	r->kind = p[i] == '[' ? LIST : p[i] == '{' ? LINES : TABLE;
	if (r->kind == LINES && alone(p + i + 1, p + n))
		return peft_seterr(err, "%s: its first record goes over several "
		    "lines: records are lines, or in one list (jq -c . makes "
		    "lines)", peft_rows_label(r));
	if (r->kind != TABLE && r->columns != NULL)
		return peft_seterr(err, "%s: --columns is for tables, and this "
		    "is JSON", peft_rows_label(r));
	return r->kind == TABLE ? open_table(r, err) : 0;
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
	while ((t = get_line(r, &s, &len, err)) == 1) {
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

int
peft_rows_next(struct peft_rows *r, const char **text, size_t *len,
    size_t *line, struct peft_err *err)
{
	char *s;
	int t;

	if (r->kind == UNKNOWN && look(r, err) == -1)
		return -1;
	if (r->kind == LINES) {
		if ((t = get_line(r, &s, len, err)) == 1) {
			*text = s;
			*line = peft_in_lineno(r->in);
		}
		return t;
	}
	t = r->kind == LIST ? next_element(r, line, err) :
	    next_of_table(r, line, err);
	*text = r->text.data == NULL ? "" : r->text.data;
	*len = r->text.len;
	return t;
}
