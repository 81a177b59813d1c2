/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: values as Python prints them. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"

/* Python's repr of a float: the shortest that reads back, with ".0". */
static void
put_float(struct peft_buf *b, double f)
{
	char text[40];
	int digits;

	if (!isfinite(f)) {
		peft_buf_puts(b, isnan(f) ? "nan" : f < 0 ? "-inf" : "inf");
		return;
	}
	for (digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, f);
		if (strtod(text, NULL) == f)
			break;
	}
	if (strchr(text, 'e') != NULL && fabs(f) < 1e16 && fabs(f) >= 1e-4)
		snprintf(text, sizeof(text), "%.0f", f);
	peft_buf_puts(b, text);
	if (strpbrk(text, ".e") == NULL)
		peft_buf_puts(b, ".0");
}

/* Single quotes unless there is one inside and no double quote. */
static void
put_repr(struct peft_buf *b, const struct jj_value *v)
{
	bool single = memchr(v->s, '\'', v->n) != NULL &&
	    memchr(v->s, '"', v->n) == NULL;
	char quote = single ? '"' : '\'';
	size_t i;

	peft_buf_putc(b, quote);
	for (i = 0; i < v->n; i++) {
		char c = v->s[i];

		if (c == '\n' || c == '\r' || c == '\t') {
			peft_buf_putc(b, '\\');
			peft_buf_putc(b, c == '\n' ? 'n' : c == '\r' ? 'r' :
			    't');
		} else if (c == '\\' || c == quote) {
			peft_buf_putc(b, '\\');
			peft_buf_putc(b, c);
		} else if ((unsigned char)c < 0x20 || c == 0x7f)
			peft_buf_printf(b, "\\x%02x", (unsigned char)c);
		else
			peft_buf_putc(b, c);
	}
	peft_buf_putc(b, quote);
}

static void
put_list(struct peft_buf *b, const struct jj_value *v)
{
	size_t i;

	peft_buf_putc(b, v->tuple ? '(' : '[');
	for (i = 0; i < v->n; i++) {
		if (i > 0)
			peft_buf_puts(b, ", ");
		jj_print(b, &v->items[i], true);
	}
	if (v->tuple && v->n == 1)
		peft_buf_putc(b, ',');
	peft_buf_putc(b, v->tuple ? ')' : ']');
}

static void
put_dict(struct peft_buf *b, const struct jj_dict *d)
{
	size_t i;

	peft_buf_putc(b, '{');
	for (i = 0; i < d->n; i++) {
		if (i > 0)
			peft_buf_puts(b, ", ");
		jj_print(b, &d->keys[i], true);
		peft_buf_puts(b, ": ");
		jj_print(b, &d->values[i], true);
	}
	peft_buf_putc(b, '}');
}

void
jj_print(struct peft_buf *b, const struct jj_value *v, bool repr)
{
	switch (v->kind) {
	case JJ_UNDEFINED:
		break;
	case JJ_BOOL:
		peft_buf_puts(b, v->b ? "True" : "False");
		break;
	case JJ_INT:
		peft_buf_printf(b, "%lld", (long long)v->i);
		break;
	case JJ_FLOAT:
		put_float(b, v->f);
		break;
	case JJ_STR:
		if (repr)
			put_repr(b, v);
		else
			peft_buf_put(b, v->s, v->n);
		break;
	case JJ_LIST:
		put_list(b, v);
		break;
	case JJ_DICT:
		put_dict(b, v->dict);
		break;
	default:
		peft_buf_puts(b, v->kind == JJ_NONE ? "None" : "");
	}
}

static void
newline(struct peft_buf *b, int indent, int depth)
{
	if (indent >= 0)
		peft_buf_printf(b, "\n%*s", indent * depth, "");
}

static void
json_separator(struct peft_buf *b, int indent, size_t i, int depth)
{
	if (i > 0)
		peft_buf_puts(b, indent >= 0 ? "," : ", ");
	newline(b, indent, depth);
}

void
jj_tojson(struct peft_buf *b, const struct jj_value *v, int indent, int depth)
{
	size_t i;

	switch (v->kind) {
	case JJ_BOOL:
		peft_buf_puts(b, v->b ? "true" : "false");
		break;
	case JJ_STR:
		peft_json_putstr(b, v->s, v->n);
		break;
	case JJ_LIST:
		peft_buf_putc(b, '[');
		for (i = 0; i < v->n; i++) {
			json_separator(b, indent, i, depth + 1);
			jj_tojson(b, &v->items[i], indent, depth + 1);
		}
		if (v->n > 0)
			newline(b, indent, depth);
		peft_buf_putc(b, ']');
		break;
	case JJ_DICT:
		peft_buf_putc(b, '{');
		for (i = 0; i < v->dict->n; i++) {
			struct peft_buf key = { 0 };

			json_separator(b, indent, i, depth + 1);
			jj_print(&key, &v->dict->keys[i], false);
			peft_json_putstr(b, key.data == NULL ? "" : key.data,
			    key.len);
			peft_buf_free(&key);
			peft_buf_puts(b, ": ");
			jj_tojson(b, &v->dict->values[i], indent, depth + 1);
		}
		if (v->dict->n > 0)
			newline(b, indent, depth);
		peft_buf_putc(b, '}');
		break;
	case JJ_INT:
	case JJ_FLOAT:
		jj_print(b, v, true);
		break;
	default:
		peft_buf_puts(b, "null");
	}
}

struct jj_value
jj_tostr(struct jj_render *r, const struct jj_value *v)
{
	struct peft_buf b = { 0 };
	unsigned char *mark = NULL;
	struct jj_value out;

	if (v->kind == JJ_STR)
		return *v;
	jj_print(&b, v, false);
	/* a list or a dict holds what the caller gave */
	if ((v->kind == JJ_LIST || v->kind == JJ_DICT) &&
	    (mark = jj_alloc(&r->pool, b.len + 1)) != NULL)
		memset(mark, 1, b.len);
	out = jj_str(jj_copy(&r->pool, b.data, b.len), b.len, mark);
	if (out.s == NULL)
		out = jj_cstr("");
	peft_buf_free(&b);
	return out;
}
