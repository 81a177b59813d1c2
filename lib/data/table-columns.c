/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: what separates fields, and which of them are of use. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "data/table-impl.h"

static char
separator_of(const char *s, size_t n)
{
	static const char signs[] = "\t,;";
	bool seen[3] = { false }, quoted = false;
	const char *p;
	size_t i;

	for (i = 0; i < n; i++) {
		quoted ^= s[i] == '"';
		if (!quoted && s[i] != '\0' &&
		    (p = strchr(signs, s[i])) != NULL)
			seen[p - signs] = true;
	}
	return seen[0] ? '\t' : seen[1] || !seen[2] ? ',' : ';';
}

/* The names of the first line, for a message. */
static void
list_names(const struct peft_table *t, struct peft_buf *b)
{
	const char *s;
	size_t i, n;

	for (i = 0; i < t->nfields && b->len < 200; i++) {
		s = peft_table_field(t, i, &n);
		peft_buf_printf(b, "%s\"%.*s\"", i == 0 ? "" : ", ",
		    n > 40 ? 40 : (int)n, s);
	}
}

/* The column of a name or number: its index, or -1. */
static long
find_column(const struct peft_table *t, const char *name, size_t len,
    bool numbers, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	const char *s;
	size_t i, n;

	if (numbers) {
		n = strtoul(name, NULL, 10);
		if (n >= 1 && n <= t->n)
			return (long)n - 1;
		return peft_seterr(err, "--columns: there is no column %.*s; "
		    "the first line has %zu", (int)len, name, t->n);
	}
	for (i = 0; i < t->n; i++) {
		s = peft_table_field(t, i, &n);
		if (n == len && memcmp(s, name, n) == 0)
			return (long)i;
	}
	list_names(t, &b);
	peft_seterr(err, "--columns: there is no column \"%.*s\"; there are "
	    "%s", (int)len, name, b.failed ? "others" : b.data);
	peft_buf_free(&b);
	return -1;
}

static int
set_key(struct peft_table *t, size_t i, const char *key, size_t len,
    bool asked, struct peft_err *err)
{
	size_t k;

	for (k = 0; k < t->n; k++)
		if (t->columns[k].key != NULL && strlen(t->columns[k].key) ==
		    len && memcmp(t->columns[k].key, key, len) == 0)
			return peft_seterr(err, "two columns are \"%.*s\"",
			    (int)len, key);
	if (t->columns[i].key != NULL)
		return peft_seterr(err, "--columns: column %zu is \"%s\" and "
		    "\"%.*s\"", i + 1, t->columns[i].key, (int)len, key);
	t->columns[i].asked = asked;
	t->columns[i].key = strndup(key, len);
	return t->columns[i].key == NULL ? peft_seterr(err, "no memory") : 0;
}

/* Are all COLUMNs numbers? */
static bool
by_number(const char *p)
{
	size_t len, eq;

	for (; *p != '\0'; p += len + (p[len] == ',')) {
		len = strcspn(p, ",");
		for (eq = 0; eq < len && p[eq] != '='; eq++)
			;
		if (eq >= len - 1 || len == 0)
			return false;
		while (++eq < len)
			if (!isdigit((unsigned char)p[eq]))
				return false;
	}
	return true;
}

static int
ask(struct peft_table *t, const char *p, bool numbers, struct peft_err *err)
{
	const char *column;
	size_t len, key;
	long i;

	for (; *p != '\0'; p += len + (p[len] == ',')) {
		len = strcspn(p, ",");
		for (key = 0; key < len && p[key] != '='; key++)
			;
		column = key < len ? p + key + 1 : p;
		if (key == 0 || (key < len && key + 1 == len))
			return peft_seterr(err, "--columns: '%.*s' is not "
			    "NAME=COLUMN", (int)len, p);
		i = find_column(t, column, len - (size_t)(column - p),
		    numbers, err);
		if (i == -1 || set_key(t, (size_t)i, p, key, true, err) == -1)
			return -1;
	}
	return 0;
}

static int
take_names(struct peft_table *t, struct peft_err *err)
{
	const char *s;
	size_t i, n;

	for (i = 0; i < t->n; i++) {
		s = peft_table_field(t, i, &n);
		if (n > 0 && set_key(t, i, s, n, false, err) == -1)
			return -1;
	}
	return 0;
}

struct peft_table *
peft_table_open(const char *first, size_t len, const char *columns,
    bool *has_record, struct peft_err *err)
{
	struct peft_table *t = peft_calloc(1, sizeof(*t), err);
	int r;

	if (t == NULL)
		return NULL;
	*has_record = columns != NULL && by_number(columns);
	t->separator = separator_of(first, len);
	r = peft_table_take(t, first, len, err);
	if (r == 0)
		peft_seterr(err, "a quoted field of the first line has no "
		    "end");
	if (r == 1 && (t->columns = peft_calloc(t->nfields,
	    sizeof(*t->columns), err)) != NULL) {
		t->n = t->nfields;
		r = columns == NULL ? take_names(t, err) : ask(t, columns,
		    *has_record, err);
		peft_table_begin(t);
		if (r == 0)
			return t;
	}
	peft_table_close(t);
	return NULL;
}
