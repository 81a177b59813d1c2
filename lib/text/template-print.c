/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: values as Python's str() prints them. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja-print.h"

/* Python's repr of a float: the shortest that reads back, with ".0". */
static void
put_real(struct jj_text *t, double f)
{
	char text[40], *e;
	int digits, exp;

	for (digits = 1; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*e", digits - 1, f);
		if (strtod(text, NULL) == f)
			break;
	}
	e = strchr(text, 'e');
	exp = e == NULL ? 0 : atoi(e + 1);
	if (e != NULL && exp >= -4 && exp < 16)
		snprintf(text, sizeof(text), "%.*f", digits - 1 > exp ?
		    digits - 1 - exp : 1, f);
	peft_jj_put(t, text, strlen(text), 0);
}

bool
peft_jj_put_simple(struct jj_text *t, const struct jj_value *v,
    const struct jj_words *w)
{
	const char *s;
	char text[32];

	switch (v->kind) {
	case JJ_NONE:
		s = w->none;
		break;
	case JJ_BOOL:
		s = v->b ? w->yes : w->no;
		break;
	case JJ_INT:
		snprintf(text, sizeof(text), "%lld", (long long)v->i);
		s = text;
		break;
	case JJ_FLOAT:
		if (isfinite(v->f)) {
			put_real(t, v->f);
			return true;
		}
		s = isnan(v->f) ? w->nan : v->f < 0 ? w->minus : w->plus;
		break;
	default:
		return false;
	}
	peft_jj_put(t, s, strlen(s), 0);
	return true;
}

struct jj_char
peft_jj_char(const struct jj_value *v, size_t i)
{
	size_t len = peft_utf8_len(v->s + i, v->n - i);

	len = len == 0 ? 1 : len;
	return (struct jj_char){ peft_utf8_get(v->s + i, len), len,
	    v->mark == NULL ? 0 : v->mark[i] };
}

/* Characters that Python's repr shows as they are. */
static bool
is_printable(unsigned cp)
{
	static const unsigned hidden[][2] = { { 0x00, 0x1f }, { 0x7f, 0xa0 },
	    { 0xad, 0xad }, { 0x600, 0x605 }, { 0x61c, 0x61c },
	    { 0x6dd, 0x6dd }, { 0x70f, 0x70f }, { 0x890, 0x891 },
	    { 0x8e2, 0x8e2 }, { 0x1680, 0x1680 }, { 0x180e, 0x180e },
	    { 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x206f },
	    { 0x3000, 0x3000 }, { 0xd800, 0xf8ff }, { 0xfeff, 0xfeff },
	    { 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0x110bd, 0x110bd },
	    { 0x110cd, 0x110cd }, { 0x13430, 0x1343f },
	    { 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
	    { 0xe0000, 0xe00ff }, { 0xe01f0, 0x10ffff } };
	size_t i;

	for (i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (cp >= hidden[i][0] && cp <= hidden[i][1])
			return false;
	return true;
}

static void
put_escaped(struct jj_text *t, unsigned cp, int mark)
{
	const char *name = cp == '\n' ? "\\n" : cp == '\r' ? "\\r" :
	    cp == '\t' ? "\\t" : NULL;
	char text[16];

	if (name == NULL)
		snprintf(text, sizeof(text), cp < 0x100 ? "\\x%02x" :
		    cp < 0x10000 ? "\\u%04x" : "\\U%08x", cp);
	peft_jj_put(t, name != NULL ? name : text,
	    strlen(name != NULL ? name : text), mark);
}

/* Single quotes unless there is one inside and no double quote. */
static void
put_repr(struct jj_text *t, const struct jj_value *v)
{
	bool dbl = memchr(v->s, '\'', v->n) != NULL &&
	    memchr(v->s, '"', v->n) == NULL;
	char quote = dbl ? '"' : '\'';
	struct jj_char c;
	size_t i;

	peft_jj_put(t, &quote, 1, 0);
	for (i = 0; i < v->n; i += c.len) {
		c = peft_jj_char(v, i);
		if (!is_printable(c.cp)) {
			put_escaped(t, c.cp, c.mark);
			continue;
		}
		if (v->s[i] == '\\' || v->s[i] == quote)
			peft_jj_put(t, "\\", 1, c.mark);
		peft_jj_put(t, v->s + i, c.len, c.mark);
	}
	peft_jj_put(t, &quote, 1, 0);
}

static int print(struct jj_render *, struct jj_text *, const struct jj_value *);

static void
puts_plain(struct jj_text *t, const char *s)
{
	peft_jj_put(t, s, strlen(s), 0);
}

static int
print_list(struct jj_render *r, struct jj_text *t, const struct jj_value *v)
{
	size_t i;

	puts_plain(t, v->tuple ? "(" : "[");
	for (i = 0; i < v->n; i++) {
		if (i > 0)
			puts_plain(t, ", ");
		if (print(r, t, &v->items[i]) == -1)
			return -1;
	}
	puts_plain(t, v->tuple ? (v->n == 1 ? ",)" : ")") : "]");
	return 0;
}

/* Of most ranges it is known where they end. */
static int
print_range(struct jj_render *r, struct jj_text *t, const struct jj_value *v)
{
	char text[64];

	if (v->n == 0 || (v->n > 1 && v->items[1].i != v->items[0].i + 1))
		return peft_jj_fail(r, "a range that is empty or has steps "
		    "cannot be printed");
	snprintf(text, sizeof(text), "range(%lld, %lld)",
	    (long long)v->items[0].i, (long long)v->items[v->n - 1].i + 1);
	puts_plain(t, text);
	return 0;
}

/* Where a generator lies in memory is for nobody to see. */
static int
print_view(struct jj_render *r, struct jj_text *t, const struct jj_value *v)
{
	if (v->form == JJ_GENERATOR)
		return peft_jj_fail(r, "a generator cannot be printed");
	if (v->form == JJ_RANGE)
		return print_range(r, t, v);
	puts_plain(t, v->form == JJ_KEYS ? "dict_keys(" : v->form ==
	    JJ_VALUES ? "dict_values(" : "dict_items(");
	if (print_list(r, t, v) == -1)
		return -1;
	puts_plain(t, ")");
	return 0;
}

static int
print_dict(struct jj_render *r, struct jj_text *t, const struct jj_dict *d)
{
	size_t i;

	puts_plain(t, "{");
	for (i = 0; i < d->n; i++) {
		if (i > 0)
			puts_plain(t, ", ");
		if (print(r, t, &d->keys[i]) == -1)
			return -1;
		puts_plain(t, ": ");
		if (print(r, t, &d->values[i]) == -1)
			return -1;
	}
	puts_plain(t, "}");
	return 0;
}

/* repr(v) */
static int
print(struct jj_render *r, struct jj_text *t, const struct jj_value *v)
{
	static const struct jj_words python = { "None", "True", "False",
	    "nan", "inf", "-inf" };
	int s = 0;

	if (peft_jj_enter(r, t) == -1)
		return -1;
	if (v->kind == JJ_STR)
		put_repr(t, v);
	else if (v->kind == JJ_UNDEFINED)
		puts_plain(t, "Undefined");
	else if (v->kind == JJ_LIST && v->form != JJ_OWN)
		s = print_view(r, t, v);
	else if (v->kind == JJ_LIST)
		s = print_list(r, t, v);
	else if (v->kind == JJ_DICT)
		s = print_dict(r, t, v->dict);
	else if (!peft_jj_put_simple(t, v, &python))
		s = peft_jj_fail(r, "%s cannot be printed",
		    peft_jj_kind_name(v));
	r->depth--;
	return s;
}

int
peft_jj_repr(struct jj_render *r, const struct jj_value *v,
    struct jj_value *out)
{
	struct jj_text t = { .text = { 0 } };

	if (print(r, &t, v) == -1) {
		peft_jj_text_free(&t);
		return -1;
	}
	return peft_jj_take(r, &t, out);
}

int
peft_jj_enter(struct jj_render *r, const struct jj_text *t)
{
	if (++r->depth > 400)
		return peft_jj_fail(r, "nested too deep");
	if (t->text.len > JJ_MAXOUT)
		return peft_jj_fail(r, "a text that is too long");
	return peft_jj_spend(r, 16);
}

int
peft_jj_tostr(struct jj_render *r, const struct jj_value *v,
    struct jj_value *out)
{
	if (v->kind == JJ_STR || v->kind == JJ_UNDEFINED) {
		*out = v->kind == JJ_STR ? *v : peft_jj_cstr("");
		return 0;
	}
	return peft_jj_repr(r, v, out);
}
