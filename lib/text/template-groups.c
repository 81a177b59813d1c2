/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: filters that make lists of lists, a table row each. */

#include "text/jinja.h"

#define FILTER(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *in,			\
    const struct jj_args *a, struct jj_value *out)

/* Items from .. to - 1, and what then is filled in. */
static int
part(struct jj_render *r, const struct jj_value *list, size_t from, size_t to,
    const struct jj_value *more, size_t nmore, struct jj_value *out)
{
	size_t i, n = to - from + nmore;

	*out = peft_jj_list(&r->pool, n);
	if (out->n != n)
		return peft_jj_nomem(r);
	for (i = 0; i < n; i++)
		out->items[i] = from + i < to ? list->items[from + i] : *more;
	return peft_jj_spend(r, n);
}

static int
amount(struct jj_render *r, const struct jj_value *v, size_t *n)
{
	int64_t i;

	if (!peft_jj_is_whole(v, &i) || i < 1 || i > 1 << 20)
		return peft_jj_fail(r, "parts of %s", peft_jj_kind_name(v));
	*n = (size_t)i;
	return 0;
}

/* linecount fill_with */
FILTER(f_batch)
{
	const struct jj_value *more = a->at[1];
	struct jj_value list;
	size_t n, i, k, to;

	if (amount(r, a->at[0], &n) == -1 ||
	    peft_jj_items(r, in, &list) == -1)
		return -1;
	if (more != NULL && more->kind == JJ_NONE)
		more = NULL;
	*out = peft_jj_list(&r->pool, (list.n + n - 1) / n);
	for (i = k = 0; k < out->n; i = to, k++) {
		to = i + n < list.n ? i + n : list.n;
		if (part(r, &list, i, to, more, more == NULL ? 0 :
		    n - (to - i), &out->items[k]) == -1)
			return -1;
	}
	return peft_jj_generate(r, out);
}

/* slices fill_with: the first ones get what does not divide. */
FILTER(f_slice)
{
	const struct jj_value *more = a->at[1];
	struct jj_value list;
	size_t n, k, from = 0, to, rest;

	if (amount(r, a->at[0], &n) == -1 ||
	    peft_jj_items(r, in, &list) == -1)
		return -1;
	if (more != NULL && more->kind == JJ_NONE)
		more = NULL;
	rest = list.n % n;
	*out = peft_jj_list(&r->pool, n);
	for (k = 0; k < out->n; k++, from = to) {
		to = from + list.n / n + (k < rest);
		if (part(r, &list, from, to, more, more != NULL && k >= rest,
		    &out->items[k]) == -1)
			return -1;
	}
	return peft_jj_generate(r, out);
}

/* attribute default case_sensitive: (what it is, the items), sorted by what
 * it is */
FILTER(f_groupby)
{
	const struct jj_builtin *sort = peft_jj_list_filter("sort", 4);
	struct jj_args by = { .n = 1, .name = { "attribute" }, .len = { 9 } };
	struct jj_value list, key, next, pair;
	size_t i, n = 0, to;
	bool same;

	by.v[0] = *a->at[0];
	if (a->at[1] != NULL || a->at[2] != NULL)
		return peft_jj_fail(r, "groupby with more than an attribute is "
		    "not known here");
	if (peft_jj_call(r, sort, in, &by, &list) == -1)
		return -1;
	*out = peft_jj_list(&r->pool, list.n);
	for (i = 0; i < list.n && out->n == list.n; i = to) {
		if (peft_jj_path(r, &list.items[i], a->at[0], &key) == -1)
			return -1;
		for (to = i + 1, same = true; to < list.n; to++) {
			if (peft_jj_path(r, &list.items[to], a->at[0],
			    &next) == -1 || peft_jj_equal(r, &key, &next,
			    &same) == -1)
				return -1;
			if (!same)
				break;
		}
		pair = peft_jj_list(&r->pool, 2);
		if (pair.n != 2)
			return peft_jj_nomem(r);
		pair.tuple = true;
		pair.items[0] = key;
		if (part(r, &list, i, to, NULL, 0, &pair.items[1]) == -1)
			return -1;
		out->items[n++] = pair;
	}
	out->n = n;
	return 0;
}

static const struct jj_builtin filters[] = {
	{ .name = "batch", .f = f_batch, .params = "linecount fill_with",
	    .need = 1 },
	{ .name = "slice", .f = f_slice, .params = "slices fill_with",
	    .need = 1 },
	{ .name = "groupby", .f = f_groupby,
	    .params = "attribute default case_sensitive", .need = 1 },
};

const struct jj_builtin *
peft_jj_group_filter(const char *name, size_t len)
{
	return peft_jj_find(filters, sizeof(filters) / sizeof(filters[0]),
	    name, len, JJ_UNDEFINED);
}
