/* SPDX-License-Identifier: Apache-2.0 */
/* A report, which is a JSON object, as a table. */

#include <stdio.h>
#include <string.h>

#include "eval/inspect-impl.h"

static void
put_value(struct peft_buf *b, const cJSON *v)
{
	if (cJSON_IsString(v))
		peft_buf_plain(b, v->valuestring);
	else
		peft_json_print(b, v, 0, false);
}

/* The name of a row is its key, or what it has as "name" or "layer". */
static bool
is_name(const cJSON *e)
{
	return e->string != NULL && (strcmp(e->string, "name") == 0 ||
	    strcmp(e->string, "layer") == 0);
}

/* KEY VALUE  KEY VALUE ... behind a name, in a column of `width'. */
static void
put_row(struct peft_buf *b, const cJSON *row, int width)
{
	const cJSON *e, *first = row->string != NULL ? NULL : row->child;
	struct peft_buf name = { 0 };

	if (first != NULL && is_name(first))
		put_value(&name, first);
	else if (row->string != NULL)
		peft_buf_plain(&name, row->string);
	peft_buf_printf(b, "%-*s", width, name.failed || name.data == NULL ?
	    "" : name.data);
	cJSON_ArrayForEach(e, row) {
		if (is_name(e))
			continue;
		peft_buf_printf(b, " %s ", e->string);
		put_value(b, e);
	}
	peft_buf_putc(b, '\n');
	peft_buf_free(&name);
}

/* Objects of objects and lists of objects take a line a member. */
static bool
is_rows(const cJSON *v)
{
	return (cJSON_IsArray(v) || cJSON_IsObject(v)) && v->child != NULL &&
	    cJSON_IsObject(v->child) && v->child->child != NULL;
}

static void
put_rows(struct peft_buf *b, const cJSON *list)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, list) {
		if (cJSON_IsObject(list) && !cJSON_IsObject(e)) {
			peft_buf_printf(b, "%-14s %s ", list->string,
			    e->string);
			put_value(b, e);
			peft_buf_putc(b, '\n');
		} else if (cJSON_IsObject(list)) {
			peft_buf_printf(b, "%-14s ", list->string);
			put_row(b, e, 7);
		} else if (cJSON_IsNumber(e->child)) {
			peft_buf_printf(b, "%-14s ", e->child->string);
			put_row(b, e, 4);
		} else {
			peft_buf_puts(b, "  ");
			put_row(b, e, 52);
		}
	}
}

static void
put_tensor(struct peft_buf *b, const cJSON *t)
{
	static const char *const stats[] = { "mean", "rms", "max", NULL };
	static const char *const bad[] = { "nan", "inf", NULL };
	const cJSON *v;
	size_t i;

	peft_buf_printf(b, "  %-52s %-7s ",
	    peft_json_get(t, "name")->valuestring,
	    peft_json_get(t, "type")->valuestring);
	peft_json_print(b, peft_json_get(t, "shape"), 0, false);
	for (i = 0; stats[i] != NULL; i++)
		if ((v = peft_json_get(t, stats[i])) != NULL &&
		    cJSON_IsNumber(v))
			peft_buf_printf(b, " %s %.3g", stats[i],
			    v->valuedouble);
	for (i = 0; bad[i] != NULL; i++)
		if ((v = peft_json_get(t, bad[i])) != NULL &&
		    v->valuedouble > 0)
			peft_buf_printf(b, " %s %.0f", bad[i], v->valuedouble);
	peft_buf_putc(b, '\n');
}

void
peft_inspect_table(struct peft_buf *b, const cJSON *report)
{
	const cJSON *e, *t;

	cJSON_ArrayForEach(e, report) {
		if (strcmp(e->string, "tensors") == 0)
			continue;
		if (is_rows(e)) {
			put_rows(b, e);
			continue;
		}
		peft_buf_printf(b, "%-14s ", e->string);
		put_value(b, e);
		peft_buf_putc(b, '\n');
	}
	cJSON_ArrayForEach(t, peft_json_get(report, "tensors"))
		put_tensor(b, t);
}
