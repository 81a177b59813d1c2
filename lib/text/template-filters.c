/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: filters of single values, a table row each. */

#include <string.h>

#include "text/jinja-format.h"

#define FILTER(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *in,			\
    const struct jj_args *a, struct jj_value *out)

FILTER(f_trim)
{
	struct jj_value s;

	if (peft_jj_tostr(r, in, &s) == -1)
		return -1;
	if (a->at[0] != NULL && a->at[0]->kind != JJ_STR &&
	    a->at[0]->kind != JJ_NONE)
		return peft_jj_fail(r, "trim of %s",
		    peft_jj_kind_name(a->at[0]));
	*out = peft_jj_strip(&s, a->at[0] != NULL &&
	    a->at[0]->kind == JJ_STR ? a->at[0] : NULL, true, true);
	return 0;
}

/* transformers' own: ensure_ascii indent separators sort_keys */
FILTER(f_tojson)
{
	const struct jj_value *indent = a->at[1], *sep = a->at[2];
	struct jj_dumps how = { .comma = ", ", .colon = ": " };
	struct jj_value space = peft_jj_cstr(" ");
	int64_t n;

	how.ascii = a->at[0] != NULL && peft_jj_truth(a->at[0]);
	how.sort = a->at[3] != NULL && peft_jj_truth(a->at[3]);
	if (indent != NULL && indent->kind == JJ_STR)
		how.indent = peft_jj_copy(&r->pool, indent->s, indent->n);
	else if (indent != NULL && peft_jj_is_whole(indent, &n)) {
		if (n > 64)
			return peft_jj_fail(r, "an indent of more than 64");
		space = peft_jj_repeat(&r->pool, &space, n < 0 ? 0 :
		    (size_t)n);
		how.indent = space.s;
	}
	if (how.indent != NULL)
		how.comma = ",";
	if (sep != NULL && sep->kind == JJ_LIST && sep->n == 2 &&
	    sep->items[0].kind == JJ_STR && sep->items[1].kind == JJ_STR) {
		how.comma = peft_jj_copy(&r->pool, sep->items[0].s,
		    sep->items[0].n);
		how.colon = peft_jj_copy(&r->pool, sep->items[1].s,
		    sep->items[1].n);
		if (how.comma == NULL || how.colon == NULL)
			return peft_jj_nomem(r);
	} else if (sep != NULL && sep->kind != JJ_NONE)
		return peft_jj_fail(r, "separators are two strings");
	return peft_jj_tojson(r, in, &how, out);
}

FILTER(f_length)
{
	size_t n;

	(void)a;
	switch (in->kind) {
	case JJ_UNDEFINED:
		n = 0;
		break;
	case JJ_STR:
		n = peft_jj_chars(in);
		break;
	case JJ_LIST:
		if (in->form == JJ_GENERATOR)
			return peft_jj_fail(r, "the length of a generator");
		n = in->n;
		break;
	case JJ_DICT:
		n = in->dict->n;
		break;
	default:
		return peft_jj_fail(r, "the length of %s",
		    peft_jj_kind_name(in));
	}
	*out = peft_jj_int((int64_t)n);
	return 0;
}

FILTER(f_string)
{
	(void)a;
	return peft_jj_tostr(r, in, out);
}

FILTER(f_default)
{
	bool use = in->kind == JJ_UNDEFINED || (a->at[1] != NULL &&
	    peft_jj_truth(a->at[1]) && !peft_jj_truth(in));

	(void)r;
	*out = !use ? *in : a->at[0] != NULL ? *a->at[0] : peft_jj_cstr("");
	return 0;
}

FILTER(f_escape)
{
	(void)a;
	return peft_jj_escape(r, in, out);
}

FILTER(f_forceescape)
{
	struct jj_value s;

	(void)a;
	if (peft_jj_tostr(r, in, &s) == -1)
		return -1;
	s.safe = false;
	return peft_jj_escape(r, &s, out);
}

FILTER(f_safe)
{
	(void)a;
	if (peft_jj_tostr(r, in, out) == -1)
		return -1;
	out->safe = true;
	return 0;
}

/* "%s"|format(x) */
FILTER(f_format)
{
	struct jj_value s, all = peft_jj_list(&r->pool, a->n), names, key;
	size_t i, named = 0;

	if (peft_jj_tostr(r, in, &s) == -1)
		return -1;
	names = peft_jj_dict(&r->pool, JJ_DICT);
	if (names.kind == JJ_NONE)
		return peft_jj_nomem(r);
	all.tuple = true;
	for (i = 0; i < all.n; i++) {
		key = peft_jj_str(a->name[i], a->len[i], NULL);
		named += a->name[i] != NULL;
		if (a->name[i] != NULL && peft_jj_dict_set(r, names.dict,
		    &key, &a->v[i]) == -1)
			return -1;
		all.items[i] = a->v[i];
	}
	if (named > 0 && named < all.n)
		return peft_jj_fail(r, "format by names and by places");
	return peft_jj_percent(r, &s, named > 0 ? &names : &all, out);
}

/* Runs of letters, digits and underscores. */
FILTER(f_wordcount)
{
	bool in_word = false, word;
	struct jj_value s;
	int64_t n = 0;
	size_t i, len;

	(void)a;
	if (peft_jj_tostr(r, in, &s) == -1)
		return -1;
	for (i = 0; i < s.n; i += len, in_word = word) {
		len = peft_utf8_len(s.s + i, s.n - i);
		len = len == 0 ? 1 : len;
		word = peft_jj_is_word(peft_utf8_get(s.s + i, len), false);
		n += word && !in_word;
	}
	*out = peft_jj_int(n);
	return 0;
}

/* Lines after the first, indented; width first blank */
FILTER(f_indent)
{
	struct jj_text t = { .text = { 0 } };
	struct jj_value s, space = peft_jj_cstr(" ");
	bool first = a->at[1] != NULL && peft_jj_truth(a->at[1]);
	bool blank = a->at[2] != NULL && peft_jj_truth(a->at[2]);
	int64_t n = 4;
	size_t i;

	if (in->kind != JJ_STR)
		return peft_jj_fail(r, "indent of %s", peft_jj_kind_name(in));
	s = *in;
	if (a->at[0] != NULL && a->at[0]->kind == JJ_STR)
		space = *a->at[0];
	else if (a->at[0] != NULL && (!peft_jj_is_whole(a->at[0], &n) ||
	    n > 256))
		return peft_jj_fail(r, "indent by more than there may be");
	else
		space = peft_jj_repeat(&r->pool, &space, n < 0 ? 0 :
		    (size_t)n);
	if (s.n == 0 && first)
		peft_jj_put_str(&t, &space);
	for (i = 0; i < s.n; i++) {
		if ((i == 0 ? first : s.s[i - 1] == '\n') &&
		    (blank || i == 0 || s.s[i] != '\n'))
			peft_jj_put_str(&t, &space);
		peft_jj_put(&t, s.s + i, 1, s.mark == NULL ? 0 : s.mark[i]);
		if (t.text.len > JJ_MAXOUT) {
			peft_jj_text_free(&t);
			return peft_jj_fail(r, "a text that is too long");
		}
	}
	return peft_jj_take(r, &t, out);
}

/* attr("name"): never an entry, unlike a.name */
FILTER(f_attr)
{
	const struct jj_value *name = a->at[0];

	if (name->kind != JJ_STR)
		return peft_jj_fail(r, "attr by %s", peft_jj_kind_name(name));
	*out = peft_jj_undefined;
	return in->kind == JJ_DICT ? 0 :
	    peft_jj_attr(r, in, name->s, name->n, out);
}

/* Unlike the method's, a generator. */
FILTER(f_items)
{
	if (peft_jj_items_of(r, in, a, out) == -1)
		return -1;
	out->form = JJ_OWN;
	return peft_jj_generate(r, out);
}

static const struct jj_builtin filters[] = {
	{ .name = "trim", .f = f_trim, .params = "chars" },
	{ .name = "tojson", .f = f_tojson,
	    .params = "ensure_ascii indent separators sort_keys" },
	{ .name = "length", .f = f_length, .params = "" },
	{ .name = "count", .f = f_length, .params = "" },
	{ .name = "string", .f = f_string, .params = "" },
	{ .name = "safe", .f = f_safe, .params = "" },
	{ .name = "default", .f = f_default,
	    .params = "default_value boolean" },
	{ .name = "d", .f = f_default, .params = "default_value boolean" },
	{ .name = "escape", .f = f_escape, .params = "" },
	{ .name = "e", .f = f_escape, .params = "" },
	{ .name = "forceescape", .f = f_forceescape, .params = "" },
	{ .name = "format", .f = f_format, .params = "*" },
	{ .name = "wordcount", .f = f_wordcount, .params = "" },
	{ .name = "center", .f = peft_jj_center, .params = "width" },
	{ .name = "indent", .f = f_indent, .params = "width first blank" },
	{ .name = "attr", .f = f_attr, .params = "name", .need = 1 },
	{ .name = "upper", .f = peft_jj_upper, .params = "" },
	{ .name = "lower", .f = peft_jj_lower, .params = "" },
	{ .name = "capitalize", .f = peft_jj_capitalize, .params = "" },
	{ .name = "title", .f = peft_jj_headline, .params = "" },
	{ .name = "replace", .f = peft_jj_replace, .params = "old new count",
	    .need = 2 },
	{ .name = "urlencode", .f = peft_jj_urlencode, .params = "" },
	{ .name = "items", .f = f_items, .params = "" },
};

const struct jj_builtin *
peft_jj_filter(const char *name, size_t len)
{
	const struct jj_builtin *b = peft_jj_find(filters,
	    sizeof(filters) / sizeof(filters[0]), name, len, JJ_UNDEFINED);

	if (b == NULL)
		b = peft_jj_list_filter(name, len);
	if (b == NULL)
		b = peft_jj_number_filter(name, len);
	if (b == NULL)
		b = peft_jj_shape_filter(name, len);
	return b != NULL ? b : peft_jj_select_filter(name, len);
}
