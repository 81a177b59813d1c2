/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: filters of lists that take a filter, a test or an attribute of
 * each item, a table row each. */

#include <string.h>

#include "text/jinja.h"

#define FILTER(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *in,			\
    const struct jj_args *a, struct jj_value *out)

/* What can be walked over; nothing, not even None, is an empty list. */
static int
walk(struct jj_render *r, const struct jj_value *in, struct jj_value *out)
{
	if (peft_jj_truth(in))
		return peft_jj_items(r, in, out);
	*out = peft_jj_list(&r->pool, 0);
	return 0;
}

/* Items whose attribute (or which themselves) pass a test. */
static int
choose(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, bool attr, bool want, struct jj_value *out)
{
	size_t skip = attr ? 2 : 1, i, k = 0;
	const struct jj_value *test = a->n >= skip ? &a->v[skip - 1] : NULL;
	struct jj_args rest = { .n = 0 };
	struct jj_value list, v;
	bool yes;

	if (walk(r, in, &list) == -1)
		return -1;
	if (test != NULL && test->kind != JJ_STR)
		return peft_jj_fail(r, "a test is not a name");
	for (i = skip; i < a->n; i++)
		rest.v[rest.n++] = a->v[i];
	*out = peft_jj_list(&r->pool, list.n);
	for (i = 0; i < out->n; i++) {
		v = list.items[i];
		if (attr && peft_jj_path(r, &list.items[i], &a->v[0], &v) == -1)
			return -1;
		yes = peft_jj_truth(&v);
		if (test != NULL && peft_jj_test(r, test->s, test->n, &v,
		    &rest, &yes) == -1)
			return -1;
		if (yes == want)
			out->items[k++] = list.items[i];
	}
	out->n = k;
	return peft_jj_generate(r, out);
}

FILTER(f_select)
{
	return choose(r, in, a, false, true, out);
}

FILTER(f_reject)
{
	return choose(r, in, a, false, false, out);
}

FILTER(f_selectattr)
{
	return choose(r, in, a, true, true, out);
}

FILTER(f_rejectattr)
{
	return choose(r, in, a, true, false, out);
}

/* An argument of map() by its name, or NULL. */
static const struct jj_value *
by_name(const struct jj_args *a, const char *name)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->name[i] != NULL && a->len[i] == strlen(name) &&
		    memcmp(a->name[i], name, a->len[i]) == 0)
			return &a->v[i];
	return NULL;
}

/* map("filter", ...) or map(attribute="name", default=...) */
FILTER(f_map)
{
	const struct jj_value *attr = by_name(a, "attribute");
	const struct jj_value *def = by_name(a, "default");
	const struct jj_builtin *f = NULL;
	struct jj_args rest;
	struct jj_value list;
	size_t i, k;

	if (walk(r, in, &list) == -1)
		return -1;
	if (attr == NULL && (a->n == 0 || a->v[0].kind != JJ_STR ||
	    (f = peft_jj_filter(a->v[0].s, a->v[0].n)) == NULL))
		return peft_jj_fail(r, "map without a filter");
	*out = peft_jj_list(&r->pool, list.n);
	for (i = 0; i < out->n; i++) {
		if (attr != NULL) {
			if (peft_jj_path(r, &list.items[i], attr,
			    &out->items[i]) == -1)
				return -1;
			if (def != NULL &&
			    out->items[i].kind == JJ_UNDEFINED)
				out->items[i] = *def;
			continue;
		}
		rest = *a;
		rest.n = a->n - 1;
		for (k = 0; k < rest.n; k++) {
			rest.v[k] = a->v[k + 1];
			rest.name[k] = a->name[k + 1];
			rest.len[k] = a->len[k + 1];
		}
		if (peft_jj_call(r, f, &list.items[i], &rest,
		    &out->items[i]) == -1)
			return -1;
	}
	return peft_jj_generate(r, out);
}

/* attribute start */
FILTER(f_sum)
{
	struct jj_value list, v;
	size_t i;

	if (peft_jj_items(r, in, &list) == -1)
		return -1;
	*out = a->at[1] != NULL ? *a->at[1] : peft_jj_int(0);
	for (i = 0; i < list.n; i++) {
		double d, e;

		v = list.items[i];
		if (a->at[0] != NULL && a->at[0]->kind != JJ_NONE &&
		    peft_jj_path(r, &list.items[i], a->at[0], &v) == -1)
			return -1;
		if (!peft_jj_is_number(out, &d) || !peft_jj_is_number(&v, &e))
			return peft_jj_fail(r, "the sum of %s",
			    peft_jj_kind_name(&v));
		if (out->kind == JJ_INT && v.kind == JJ_INT &&
		    !__builtin_add_overflow(out->i, v.i, &out->i))
			continue;
		*out = peft_jj_real(d + e);
	}
	return 0;
}

static const struct jj_builtin filters[] = {
	{ .name = "sum", .f = f_sum, .params = "attribute start" },
	{ .name = "map", .f = f_map, .params = "*" },
	{ .name = "select", .f = f_select, .params = "*" },
	{ .name = "reject", .f = f_reject, .params = "*" },
	{ .name = "selectattr", .f = f_selectattr, .params = "*", .need = 1 },
	{ .name = "rejectattr", .f = f_rejectattr, .params = "*", .need = 1 },
};

const struct jj_builtin *
peft_jj_select_filter(const char *name, size_t len)
{
	const struct jj_builtin *b = peft_jj_find(filters,
	    sizeof(filters) / sizeof(filters[0]), name, len, JJ_UNDEFINED);

	return b != NULL ? b : peft_jj_group_filter(name, len);
}
