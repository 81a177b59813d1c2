/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, line by line, as JSON objects. */

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "data/table-impl.h"

static const size_t max_record = (size_t)256 << 20;

static int
end_field(struct peft_table *t, struct peft_err *err)
{
	size_t *grown = peft_grow(t->ends, t->nfields, &t->cap,
	    sizeof(*grown), err);

	if (grown == NULL)
		return -1;
	t->ends = grown;
	t->ends[t->nfields++] = t->text.len;
	t->state = START;
	return 0;
}

static int
put_byte(struct peft_table *t, char c, struct peft_err *err)
{
	if (t->state == QUOTED && c == '"')
		t->state = CLOSED;
	else if (t->state == CLOSED && c == '"') {
		t->state = QUOTED;		/* two of them are one */
		peft_buf_putc(&t->text, c);
	} else if (t->state != QUOTED && c == t->separator)
		return end_field(t, err);
	else if (t->state == CLOSED)
		return peft_seterr(err, "field %zu: something follows its "
		    "closing quote", t->nfields + 1);
	else if (t->state == START && c == '"')
		t->state = QUOTED;
	else {
		if (t->state == START)
			t->state = BARE;
		peft_buf_putc(&t->text, c);
	}
	return 0;
}

void
peft_table_begin(struct peft_table *t)
{
	peft_buf_clear(&t->text);
	t->nfields = 0;
	t->state = START;
}

int
peft_table_take(struct peft_table *t, const char *line, size_t len,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (i + 1 == len && line[i] == '\r' && t->state != QUOTED)
			break;
		if (put_byte(t, line[i], err) == -1)
			return -1;
	}
	if (t->text.len > max_record)
		return peft_seterr(err, "a record of more than %zu bytes",
		    max_record);
	if (t->state == QUOTED)
		peft_buf_putc(&t->text, '\n');
	if (t->text.failed)
		return peft_seterr(err, "no memory for a record");
	if (t->state == QUOTED)
		return 0;
	return end_field(t, err) == -1 ? -1 : 1;
}

const char *
peft_table_field(const struct peft_table *t, size_t i, size_t *len)
{
	size_t from = i == 0 ? 0 : t->ends[i - 1];

	*len = t->ends[i] - from;
	return t->text.data == NULL ? "" : t->text.data + from;
}

static bool
is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && strncasecmp(s, word, n) == 0;
}

/* Is there such a column? */
static bool
has_column(const struct peft_table *t, const char *key)
{
	size_t i;

	for (i = 0; i < t->n; i++)
		if (t->columns[i].key != NULL &&
		    strcmp(t->columns[i].key, key) == 0)
			return true;
	return false;
}

/* A number, a list in JSON, or the name of a class. */
static void
put_class(struct peft_buf *b, const char *s, size_t n)
{
	char copy[64], *end = copy;
	size_t k = n < sizeof(copy) ? n : 0;

	memcpy(copy, s, k);
	copy[k] = '\0';
	if (k > 0 && isfinite(strtod(copy, &end)) && *end == '\0' &&
	    strpbrk(copy, " xX") == NULL)
		peft_json_putreal(b, strtod(copy, NULL));
	else if (n > 0 && s[0] == '[')
		peft_buf_put(b, s, n);
	else if (n > 0)
		peft_json_putstr(b, s, n);
	else
		peft_buf_puts(b, "null");
}

/* true or false, as people and spreadsheets write it, of an answer. */
static int
put_label(struct peft_buf *b, const struct peft_column *c, const char *s,
    size_t n, struct peft_err *err)
{
	if (is(s, n, "true") || is(s, n, "1") || is(s, n, "yes"))
		peft_buf_puts(b, "true");
	else if (is(s, n, "false") || is(s, n, "0") || is(s, n, "no"))
		peft_buf_puts(b, "false");
	else if (c->asked)
		return peft_seterr(err, "\"label\" is '%.*s', neither true nor "
		    "false", n > 40 ? 40 : (int)n, s);
	else
		peft_json_putstr(b, s, n);
	return 0;
}

static int
put_number(struct peft_buf *b, const char *key, const char *s, size_t n,
    struct peft_err *err)
{
	char copy[64], *end;
	double v;

	memcpy(copy, s, n < sizeof(copy) ? n : sizeof(copy) - 1);
	copy[n < sizeof(copy) ? n : sizeof(copy) - 1] = '\0';
	v = strtod(copy, &end);
	if (n == 0 || n >= sizeof(copy) || *end != '\0')
		return peft_seterr(err, "\"%s\" is '%s', not a number", key,
		    copy);
	peft_json_putreal(b, v);
	return 0;
}

/* Most fields are strings; lists stand in tables as JSON. */
static int
put_value(const struct peft_table *t, struct peft_buf *b,
    const struct peft_column *c, const char *s, size_t n, struct peft_err *err)
{
	static const char *const lists[] = { "messages", "conversations",
	    "segments", "choices", "tools", "documents", "history", "tokens",
	    "ner_tags", "labels", "tags", NULL };
	size_t i;

	if (strcmp(c->key, "label") == 0 && !has_column(t, "completion") &&
	    !has_column(t, "output") && !has_column(t, "messages") &&
	    !has_column(t, "conversations")) {
		put_class(b, s, n);
		return 0;
	}
	if (strcmp(c->key, "label") == 0 || strcmp(c->key, "kto_tag") == 0)
		return put_label(b, c, s, n, err);
	if (strcmp(c->key, "weight") == 0 || strcmp(c->key, "answer") == 0)
		return put_number(b, c->key, s, n, err);
	for (i = 0; lists[i] != NULL; i++)
		if (strcmp(c->key, lists[i]) == 0 && n > 0) {
			peft_buf_put(b, s, n);
			return 0;
		}
	if (lists[i] != NULL)
		peft_buf_puts(b, "null");
	else
		peft_json_putstr(b, s, n);
	return 0;
}

static int
put_record(struct peft_table *t, struct peft_buf *b, struct peft_err *err)
{
	char sign = '{';
	const char *s;
	size_t i, n;

	if (t->nfields != t->n)
		return peft_seterr(err, "%zu fields, the first line has %zu",
		    t->nfields, t->n);
	for (i = 0; i < t->n; i++) {
		if (t->columns[i].key == NULL)
			continue;
		peft_buf_putc(b, sign);
		peft_json_putstr(b, t->columns[i].key,
		    strlen(t->columns[i].key));
		peft_buf_putc(b, ':');
		s = peft_table_field(t, i, &n);
		if (put_value(t, b, &t->columns[i], s, n, err) == -1)
			return -1;
		sign = ',';
	}
	peft_buf_putc(b, '}');
	return b->failed ? peft_seterr(err, "no memory for a record") : 1;
}

int
peft_table_line(struct peft_table *t, const char *line, size_t len,
    struct peft_buf *json, struct peft_err *err)
{
	int r = peft_table_take(t, line, len, err);

	if (r == 0)
		return 0;
	if (r == 1)
		r = put_record(t, json, err);
	peft_table_begin(t);
	return r;
}

bool
peft_table_inside(const struct peft_table *t)
{
	return t->state == QUOTED;
}

const char *
peft_table_separator(const struct peft_table *t)
{
	return t->separator == '\t' ? "tabs" : t->separator == ',' ? "commas" :
	    "semicolons";
}

void
peft_table_close(struct peft_table *t)
{
	if (t == NULL)
		return;
	peft_columns_close(t->columns, t->n);
	free(t->ends);
	peft_buf_free(&t->text);
	free(t);
}
