/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a Parquet file, from the columns that Arrow hands over. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "data/arrow.h"
#include "data/columns.h"
#include "data/parquet-arrow.h"
#include "data/parquet.h"

struct peft_parquet {
	char			*path;
	struct peft_arrow_file	*file;
	struct ArrowSchema	 schema;	/* of a row, a structure */
	struct peft_column	*columns;	/* [schema.n_children] */
	struct ArrowArray	 rows;		/* some of them */
	int64_t			 at;		/* the next in rows */
	int			 group;		/* the row group they are of */
};

static int
name_columns(struct peft_parquet *p, const char *columns, struct peft_err *err)
{
	size_t i, n = (size_t)p->schema.n_children;
	struct peft_name *names = peft_calloc(n + 1, sizeof(*names), err);

	if (names == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		names[i].s = p->schema.children[i]->name;
		names[i].len = strlen(names[i].s);
	}
	p->columns = peft_columns_open(names, n, columns, err);
	free(names);
	return p->columns == NULL ? -1 : 0;
}

/* Those that are wanted have a form in JSON. */
static int
check_columns(const struct peft_parquet *p, struct peft_err *err)
{
	int64_t i;

	for (i = 0; i < p->schema.n_children; i++)
		if (p->columns[i].key != NULL &&
		    peft_arrow_check(p->schema.children[i], err) == -1)
			return peft_errprefix(err, "column \"%.60s\"",
			    p->schema.children[i]->name);
	return 0;
}

struct peft_parquet *
peft_parquet_open(const char *path, const char *columns, struct peft_err *err)
{
	struct peft_parquet *p = peft_calloc(1, sizeof(*p), err);
	char why[300];

	if (p == NULL || (p->path = peft_strdup(path, err)) == NULL) {
		peft_parquet_close(p);
		return NULL;
	}
	p->file = peft_arrow_open(path, &p->schema, why, sizeof(why));
	if (p->file == NULL)
		peft_seterr(err, "is Parquet, but does not open: %s", why);
	else if (name_columns(p, columns, err) == 0 &&
	    check_columns(p, err) == 0)
		return p;
	peft_errprefix(err, "%s", path);
	peft_parquet_close(p);
	return NULL;
}

static int
next_rows(struct peft_parquet *p, struct peft_err *err)
{
	char why[300];
	int r;

	if (p->rows.release != NULL)
		p->rows.release(&p->rows);
	memset(&p->rows, 0, sizeof(p->rows));
	p->at = 0;
	r = peft_arrow_next(p->file, &p->rows, &p->group, why, sizeof(why));
	return r != -1 ? r : peft_seterr(err, "%s: row group %d: is damaged: "
	    "%s", p->path, p->group + 1, why);
}

/* As a structure of columns has it, under the names that were asked for. */
static int
put_row(const struct peft_parquet *p, struct peft_buf *b, struct peft_err *err)
{
	const struct ArrowSchema *s;
	const struct ArrowArray *a;
	int64_t i, row = p->at + p->rows.offset;
	char sign = '{';

	for (i = 0; i < p->schema.n_children; i++) {
		s = p->schema.children[i];
		a = p->rows.children[i];
		if (p->columns[i].key == NULL || peft_arrow_null(s, a, row))
			continue;
		peft_buf_putc(b, sign);
		sign = ',';
		peft_json_putstr(b, p->columns[i].key,
		    strlen(p->columns[i].key));
		peft_buf_putc(b, ':');
		if (peft_arrow_put(b, s, a, row, err) == -1)
			return peft_errprefix(err, "column \"%.60s\"",
			    s->name);
	}
	peft_buf_puts(b, sign == '{' ? "{}" : "}");
	return b->failed ? peft_seterr(err, "%s: no memory for a row",
	    p->path) : 0;
}

int
peft_parquet_next(struct peft_parquet *p, struct peft_buf *b,
    struct peft_err *err)
{
	int r;

	while (p->at >= p->rows.length)
		if ((r = next_rows(p, err)) != 1)
			return r;
	r = put_row(p, b, err);
	p->at++;
	return r == 0 ? 1 : b->failed ? -1 : 2;
}

void
peft_parquet_close(struct peft_parquet *p)
{
	if (p == NULL)
		return;
	if (p->rows.release != NULL)
		p->rows.release(&p->rows);
	peft_columns_close(p->columns, (size_t)p->schema.n_children);
	if (p->schema.release != NULL)
		p->schema.release(&p->schema);
	peft_arrow_close(p->file);
	free(p->path);
	free(p);
}

const char *
peft_parquet_version(void)
{
	return peft_arrow_version();
}
