/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: what their first line says. */

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

/* What the columns are, by the line that was taken in. */
static int
name_columns(struct peft_table *t, const char *columns, struct peft_err *err)
{
	struct peft_name *names = peft_calloc(t->nfields, sizeof(*names), err);
	size_t i;

	if (names == NULL)
		return -1;
	for (i = 0; i < t->nfields; i++)
		names[i].s = peft_table_field(t, i, &names[i].len);
	t->columns = peft_columns_open(names, t->nfields, columns, err);
	t->n = t->nfields;
	free(names);
	return t->columns == NULL ? -1 : 0;
}

struct peft_table *
peft_table_open(const char *first, size_t len, const char *columns,
    bool *has_record, struct peft_err *err)
{
	struct peft_table *t = peft_calloc(1, sizeof(*t), err);
	int r;

	if (t == NULL)
		return NULL;
	*has_record = columns != NULL && peft_columns_numbered(columns);
	t->separator = separator_of(first, len);
	r = peft_table_take(t, first, len, err);
	if (r == 0)
		peft_seterr(err, "a quoted field of the first line has no "
		    "end");
	if (r == 1 && name_columns(t, columns, err) == 0) {
		peft_table_begin(t);
		return t;
	}
	peft_table_close(t);
	return NULL;
}
