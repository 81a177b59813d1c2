/* SPDX-License-Identifier: Apache-2.0 */
/* Which columns of a table are of use, and as what. */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "data/columns.h"

struct table {
	const struct peft_name	*names;		/* [n] */
	struct peft_column	*columns;	/* [n] */
	size_t			 n;
};

/* The names there are, for a message. */
static void
list_names(const struct table *t, struct peft_buf *b)
{
	const struct peft_name *name;
	size_t i;

	for (i = 0; i < t->n && b->len < 200; i++) {
		name = &t->names[i];
		peft_buf_printf(b, "%s\"%.*s\"", i == 0 ? "" : ", ",
		    name->len > 40 ? 40 : (int)name->len, name->s);
	}
}

/* The column of a name or number: its index, or -1. */
static long
find_column(const struct table *t, const char *name, size_t len,
    bool numbers, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t i, n;

	if (numbers) {
		n = strtoul(name, NULL, 10);
		if (n >= 1 && n <= t->n)
			return (long)n - 1;
		return peft_seterr(err, "--columns: there is no column %.*s; "
		    "there are %zu", (int)len, name, t->n);
	}
	for (i = 0; i < t->n; i++)
		if (t->names[i].len == len &&
		    memcmp(t->names[i].s, name, len) == 0)
			return (long)i;
	list_names(t, &b);
	peft_seterr(err, "--columns: there is no column \"%.*s\"; there are "
	    "%s", (int)len, name, b.failed || b.data == NULL ? "others" :
	    b.data);
	peft_buf_free(&b);
	return -1;
}

static int
set_key(struct table *t, size_t i, const char *key, size_t len, bool asked,
    struct peft_err *err)
{
	struct peft_column *c = t->columns;
	size_t k;

	for (k = 0; k < t->n; k++)
		if (c[k].key != NULL && strlen(c[k].key) == len &&
		    memcmp(c[k].key, key, len) == 0)
			return peft_seterr(err, "two columns are \"%.*s\"",
			    (int)len, key);
	if (c[i].key != NULL)
		return peft_seterr(err, "--columns: column %zu is \"%s\" and "
		    "\"%.*s\"", i + 1, c[i].key, (int)len, key);
	c[i].asked = asked;
	c[i].key = strndup(key, len);
	return c[i].key == NULL ? peft_seterr(err, "no memory") : 0;
}

bool
peft_columns_numbered(const char *p)
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
ask(struct table *t, const char *p, struct peft_err *err)
{
	bool numbers = peft_columns_numbered(p);
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
take_names(struct table *t, struct peft_err *err)
{
	const struct peft_name *name;
	size_t i;

	for (i = 0; i < t->n; i++) {
		name = &t->names[i];
		if (name->len > 0 && set_key(t, i, name->s, name->len, false,
		    err) == -1)
			return -1;
	}
	return 0;
}

struct peft_column *
peft_columns_open(const struct peft_name *names, size_t n,
    const char *columns, struct peft_err *err)
{
	struct table t = { .names = names, .n = n };
	int r;

	if ((t.columns = peft_calloc(n + 1, sizeof(*t.columns), err)) == NULL)
		return NULL;
	r = columns == NULL ? take_names(&t, err) : ask(&t, columns, err);
	if (r == 0)
		return t.columns;
	peft_columns_close(t.columns, n);
	return NULL;
}

void
peft_columns_close(struct peft_column *c, size_t n)
{
	size_t i;

	for (i = 0; c != NULL && i < n; i++)
		free(c[i].key);
	free(c);
}
