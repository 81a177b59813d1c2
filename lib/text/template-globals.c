/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: methods of dicts, lists and loops, and global functions. */

#include <string.h>
#include <time.h>

#include "text/jinja-watch.h"

#define METHOD(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *self,			\
    const struct jj_args *a, struct jj_value *out)

/* Also a filter, of what may be undefined: pairs of keys and values. */
int
peft_jj_items_of(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	struct jj_value pair;
	size_t i;

	(void)a;
	if (in->kind != JJ_DICT && in->kind != JJ_UNDEFINED)
		return peft_jj_fail(r, "the items of %s",
		    peft_jj_kind_name(in));
	*out = peft_jj_list(&r->pool, in->kind == JJ_DICT ? in->dict->n : 0);
	for (i = 0; i < out->n; i++) {
		pair = peft_jj_list(&r->pool, 2);
		if (pair.n != 2)
			return peft_jj_nomem(r);
		pair.tuple = true;
		pair.items[0] = in->dict->keys[i];
		pair.items[1] = in->dict->values[i];
		out->items[i] = pair;
	}
	out->form = JJ_ITEMS;
	return 0;
}

METHOD(m_keys)
{
	(void)a;
	if (peft_jj_items(r, self, out) == -1)
		return -1;
	out->form = JJ_KEYS;
	return 0;
}

METHOD(m_values)
{
	size_t i;

	(void)a;
	*out = peft_jj_list(&r->pool, self->dict->n);
	for (i = 0; i < out->n; i++)
		out->items[i] = self->dict->values[i];
	out->form = JJ_VALUES;
	return 0;
}

METHOD(m_get)
{
	const struct jj_value *v;

	if (peft_jj_dict_get(r, self->dict, a->at[0], &v) == -1)
		return -1;
	*out = v != NULL ? *v : a->at[1] != NULL ? *a->at[1] : peft_jj_none;
	return 0;
}

METHOD(m_copy)
{
	size_t i;

	(void)a;
	*out = peft_jj_dict(&r->pool, JJ_DICT);
	if (out->kind == JJ_NONE)
		return peft_jj_nomem(r);
	for (i = 0; i < self->dict->n; i++)
		if (peft_jj_dict_set(r, out->dict, &self->dict->keys[i],
		    &self->dict->values[i]) == -1)
			return -1;
	return 0;
}

static int
count_in(struct jj_render *r, const struct jj_value *list,
    const struct jj_value *x, size_t *n, size_t *first)
{
	bool same;
	size_t i;

	for (*n = i = 0; i < list->n; i++) {
		if (peft_jj_equal(r, &list->items[i], x, &same) == -1)
			return -1;
		if (same && (*n)++ == 0)
			*first = i;
	}
	return 0;
}

METHOD(m_count)
{
	size_t n, first = 0;

	if (count_in(r, self, a->at[0], &n, &first) == -1)
		return -1;
	*out = peft_jj_int((int64_t)n);
	return 0;
}

METHOD(m_index)
{
	size_t n, first = 0;

	if (count_in(r, self, a->at[0], &n, &first) == -1)
		return -1;
	*out = peft_jj_int((int64_t)first);
	return n > 0 ? 0 : peft_jj_fail(r, "it is not in the list");
}

static const struct jj_builtin methods[] = {
	{ .name = "items", .f = peft_jj_items_of, .params = "",
	    .of = JJ_DICT },
	{ .name = "keys", .f = m_keys, .params = "", .of = JJ_DICT },
	{ .name = "values", .f = m_values, .params = "", .of = JJ_DICT },
	{ .name = "copy", .f = m_copy, .params = "", .of = JJ_DICT },
	{ .name = "get", .f = m_get, .params = "key default", .need = 1,
	    .of = JJ_DICT },
	{ .name = "count", .f = m_count, .params = "value", .need = 1,
	    .of = JJ_LIST },
	{ .name = "index", .f = m_index, .params = "value", .need = 1,
	    .of = JJ_LIST },
	{ .name = "cycle", .f = peft_jj_loop_cycle, .params = "*", .need = 1,
	    .of = JJ_LOOP },
	{ .name = "changed", .f = peft_jj_loop_changed, .params = "*",
	    .of = JJ_LOOP },
};

const struct jj_builtin *
peft_jj_method(enum jj_kind of, const char *name, size_t len)
{
	if (of == JJ_INT || of == JJ_FLOAT)
		return peft_jj_number_method(of, name, len);
	if (of == JJ_CYCLER)
		return peft_jj_cycler_method(name, len);
	if (of == JJ_STR)
		return peft_jj_string_method(name, len);
	return peft_jj_find(methods, sizeof(methods) / sizeof(methods[0]),
	    name, len, of);
}

METHOD(g_raise)
{
	struct jj_value s;

	(void)self;
	(void)out;
	return peft_jj_tostr(r, a->at[0], &s) == -1 ? -1 :
	    peft_jj_fail(r, "%.*s", s.n < 380 ? (int)s.n : 380, s.s);
}

/* The pairs of a dict, or of a list of them. */
static int
add_pairs(struct jj_render *r, struct jj_dict *d, const struct jj_value *from)
{
	struct jj_value list, pair;
	size_t i;

	if ((from->kind == JJ_DICT ? peft_jj_items_of(r, from, NULL, &list) :
	    peft_jj_items(r, from, &list)) == -1)
		return -1;
	for (i = 0; i < list.n; i++) {
		if (peft_jj_items(r, &list.items[i], &pair) == -1)
			return -1;
		if (pair.n != 2)
			return peft_jj_fail(r, "a dict of what are no pairs");
		if (peft_jj_dict_set(r, d, &pair.items[0], &pair.items[1]) ==
		    -1)
			return -1;
	}
	return 0;
}

static int
from_args(struct jj_render *r, const struct jj_args *a, enum jj_kind kind,
    struct jj_value *out)
{
	struct jj_value key;
	size_t i;

	*out = peft_jj_dict(&r->pool, kind);
	if (out->kind == JJ_NONE)
		return peft_jj_nomem(r);
	for (i = 0; i < a->n; i++) {
		key = peft_jj_str(a->name[i], a->len[i], NULL);
		if (a->name[i] == NULL && i > 0)
			return peft_jj_fail(r, "a dict of several");
		if ((a->name[i] == NULL ? add_pairs(r, out->dict, &a->v[i]) :
		    peft_jj_dict_set(r, out->dict, &key, &a->v[i])) == -1)
			return -1;
	}
	return 0;
}

/* Names with "_" are refused, as transformers does. */
METHOD(g_namespace)
{
	const struct jj_value *k;
	size_t i;

	(void)self;
	if (from_args(r, a, JJ_NAMESPACE, out) == -1)
		return -1;
	for (i = 0; i < out->dict->n; i++) {
		k = &out->dict->keys[i];
		if (k->kind == JJ_STR && k->n > 0 && *k->s == '_')
			return peft_jj_fail(r, "a namespace with a name that "
			    "begins with '_'");
	}
	return 0;
}

METHOD(g_dict)
{
	(void)self;
	return from_args(r, a, JJ_DICT, out);
}

/* range(n), range(from, to), range(from, to, step) */
METHOD(g_range)
{
	int64_t v[3] = { 0, 0, 1 };
	size_t i, n;

	(void)self;
	for (i = 0; i < 3; i++)
		if (a->at[i] != NULL && (!peft_jj_is_whole(a->at[i], &v[i]) ||
		    v[i] > INT32_MAX || v[i] < INT32_MIN))
			return peft_jj_fail(r, "a range by %s",
			    peft_jj_kind_name(a->at[i]));
	if (a->at[1] == NULL) {
		v[1] = v[0];
		v[0] = 0;
	}
	if (v[2] == 0)
		return peft_jj_fail(r, "a range by steps of nothing");
	n = v[2] > 0 && v[1] > v[0] ? (size_t)((v[1] - v[0] - 1) / v[2] + 1) :
	    v[2] < 0 && v[1] < v[0] ? (size_t)((v[0] - v[1] - 1) / -v[2] + 1) :
	    0;
	if (n > 100000)		/* the sandbox of Jinja says so */
		return peft_jj_fail(r, "a range that is too long");
	*out = peft_jj_list(&r->pool, n);
	for (i = 0; i < out->n; i++)
		out->items[i] = peft_jj_int(v[0] + (int64_t)i * v[2]);
	out->form = JJ_RANGE;
	return 0;
}

/* As Python's strftime: of the time given, in UTC, or of the clock. */
METHOD(g_strftime)
{
	time_t now = r->now != NULL ? (time_t)*r->now : time(NULL);
	struct tm tm;
	char text[256], *format;
	size_t n;

	(void)self;
	if (a->at[0]->kind != JJ_STR || a->at[0]->n > 64)
		return peft_jj_fail(r, "strftime_now needs a short format");
	if ((r->now != NULL ? gmtime_r(&now, &tm) :
	    localtime_r(&now, &tm)) == NULL)
		return peft_jj_fail(r, "a time that is no time");
	format = peft_jj_copy(&r->pool, a->at[0]->s, a->at[0]->n);
	if (format == NULL)
		return peft_jj_nomem(r);
	/* a format of the template's: strftime takes no other arguments */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = strftime(text, sizeof(text), format, &tm);
#pragma GCC diagnostic pop
	*out = peft_jj_str(peft_jj_copy(&r->pool, text, n), n, NULL);
	return out->s == NULL ? peft_jj_nomem(r) : 0;
}

static const struct jj_builtin globals[] = {
	{ .name = "raise_exception", .f = g_raise, .params = "message",
	    .need = 1 },
	{ .name = "namespace", .f = g_namespace, .params = "*" },
	{ .name = "dict", .f = g_dict, .params = "*" },
	{ .name = "range", .f = g_range, .params = "start stop step",
	    .need = 1 },
	{ .name = "strftime_now", .f = g_strftime, .params = "format",
	    .need = 1 },
};

const struct jj_builtin *
peft_jj_global(const char *name, size_t len)
{
	const struct jj_builtin *b = peft_jj_find(globals,
	    sizeof(globals) / sizeof(globals[0]), name, len, JJ_UNDEFINED);

	return b != NULL ? b : peft_jj_turns_global(name, len);
}
