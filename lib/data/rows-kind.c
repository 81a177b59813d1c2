/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of records: of which kind they are. */

#include <string.h>

#include "data/rows-impl.h"

static int
open_table(struct peft_rows *r, struct peft_err *err)
{
	bool has_record;
	size_t len;
	char *s;
	int t;

	peft_in_tail(r->in);
	do
		t = peft_rows_line(r, &s, &len, err);
	while (t == 1 && strspn(s, " \t\r") == len);
	if (t != 1) {
		/* --partial dropped the one line there is: nothing is left */
		r->kind = LINES;
		return t;
	}
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
		{ "{\0", "is UTF-16: make it UTF-8 (iconv -f UTF-16LE)", 2 },
		{ "[\0", "is UTF-16: make it UTF-8 (iconv -f UTF-16LE)", 2 },
		{ "\0{", "is UTF-16: make it UTF-8 (iconv -f UTF-16BE)", 2 },
		{ "\0[", "is UTF-16: make it UTF-8 (iconv -f UTF-16BE)", 2 },
	};
	size_t i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (n >= kinds[i].n && memcmp(p, kinds[i].magic,
		    kinds[i].n) == 0)
			return peft_seterr(err, "%s: %s", peft_rows_label(r),
			    kinds[i].what);
	return 0;
}

/* Its index is at its end, and its columns are apart: not for a pipe. */
static int
open_parquet(struct peft_rows *r, struct peft_err *err)
{
	if (r->path == NULL || strcmp(r->path, "-") == 0)
		return peft_seterr(err, "%s: is Parquet, which cannot be read "
		    "from a pipe: name the file", peft_rows_label(r));
	r->kind = PARQUET;
	r->lineno = 0;
	r->parquet = peft_parquet_open(r->path, r->columns, err);
	return r->parquet == NULL ? -1 : 0;
}

/* Nothing but the end of the line at p? */
static bool
alone(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t' || *p == '\r'))
		p++;
	return p < end && *p == '\n';
}

int
peft_rows_look(struct peft_rows *r, struct peft_err *err)
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
	if (n >= 4 && memcmp(p, "PAR1", 4) == 0)
		return open_parquet(r, err);
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
