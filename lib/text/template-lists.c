/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: filters of lists, a table row each. */

#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"

#define FILTER(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *in,			\
    const struct jj_args *a, struct jj_value *out)

/* "a.b.0" of a value. */
int
peft_jj_path(struct jj_render *r, const struct jj_value *v,
    const struct jj_value *path, struct jj_value *out)
{
	const char *p, *end, *dot;
	struct jj_value key, self = *v;
	char *rest;
	int64_t i;

	if (path->kind != JJ_STR)
		return peft_jj_item(r, v, path, out);
	for (p = path->s, end = p + path->n; ; p = dot + 1) {
		dot = memchr(p, '.', (size_t)(end - p));
		dot = dot == NULL ? end : dot;
		key = peft_jj_str(p, (size_t)(dot - p), NULL);
		if (key.n > 0 && key.n < 10 && *p >= '0' && *p <= '9') {
			if ((rest = peft_jj_copy(&r->pool, p, key.n)) == NULL)
				return peft_jj_nomem(r);
			i = strtoll(rest, &rest, 10);
			key = *rest == '\0' ? peft_jj_int(i) : key;
		}
		if (peft_jj_item(r, &self, &key, out) == -1)
			return -1;
		if (dot == end)
			return 0;
		self = *out;
	}
}

FILTER(f_join)
{
	struct jj_text t = { .text = { 0 } };
	struct jj_value list, sep = peft_jj_cstr(""), v;
	bool safe = false;
	size_t i;

	if (peft_jj_items(r, in, &list) == -1 || (a->at[0] != NULL &&
	    peft_jj_tostr(r, a->at[0], &sep) == -1))
		return -1;
	/* under autoescape one Markup makes the others so */
	for (i = 0; r->escape && i < list.n; i++)
		safe |= sep.safe || (list.items[i].kind == JJ_STR &&
		    list.items[i].safe);
	if (safe && peft_jj_escape(r, &sep, &sep) == -1)
		return -1;
	for (i = 0; i < list.n; i++) {
		if (i > 0)
			peft_jj_put_str(&t, &sep);
		v = list.items[i];
		if ((a->at[1] != NULL && peft_jj_path(r, &list.items[i],
		    a->at[1], &v) == -1) || (safe ? peft_jj_escape(r, &v, &v) :
		    peft_jj_tostr(r, &v, &v)) == -1)
			break;
		peft_jj_put_str(&t, &v);
		if (t.text.len > JJ_MAXOUT) {
			peft_jj_fail(r, "a text that is too long");
			break;
		}
	}
	if (i < list.n || t.text.len > JJ_MAXOUT) {
		peft_jj_text_free(&t);
		return -1;
	}
	if (peft_jj_take(r, &t, out) == -1)
		return -1;
	out->safe = safe;
	return 0;
}

FILTER(f_list)
{
	(void)a;
	return peft_jj_items(r, in, out);
}

FILTER(f_first)
{
	struct jj_value list;

	(void)a;
	if (peft_jj_items(r, in, &list) == -1)
		return -1;
	*out = list.n > 0 ? list.items[0] : peft_jj_undefined;
	return 0;
}

FILTER(f_last)
{
	struct jj_value list;

	(void)a;
	if (in->kind == JJ_LIST && in->form == JJ_GENERATOR)
		return peft_jj_fail(r, "the last of a generator");
	if (peft_jj_items(r, in, &list) == -1)
		return -1;
	*out = list.n > 0 ? list.items[list.n - 1] : peft_jj_undefined;
	return 0;
}

FILTER(f_reverse)
{
	struct jj_value back[3] = { peft_jj_none, peft_jj_none,
	    peft_jj_int(-1) }, list;

	(void)a;
	if (in->kind == JJ_STR)
		return peft_jj_slice(r, in, back, out);
	return peft_jj_items(r, in, &list) == -1 ||
	    peft_jj_slice(r, &list, back, out) == -1 ? -1 :
	    peft_jj_generate(r, out);
}

/* What is sorted: an item and what it is sorted by. */
struct ranked {
	struct jj_value	item, key;
};

/* Bottom-up merge sort of n things, the second half of `at' its scratch:
 * stable, and stops where two cannot be compared. */
static int
merge_sort(struct jj_render *r, struct ranked *at, size_t n, bool down)
{
	struct ranked *from = at, *to = at + n, *t;
	size_t w, lo, i, j, k, mid, hi;
	int c;

	for (w = 1; w < n; w *= 2) {
		for (lo = 0; lo < n; lo = hi) {
			mid = lo + w < n ? lo + w : n;
			hi = mid + w < n ? mid + w : n;
			for (i = lo, j = mid, k = lo; k < hi; k++) {
				c = 0;
				if (i < mid && j < hi && peft_jj_compare(r,
				    &from[j].key, &from[i].key, &c) == -1)
					return -1;
				c = down ? -c : c;
				to[k] = i < mid && (j == hi || c >= 0) ?
				    from[i++] : from[j++];
			}
		}
		t = from;
		from = to;
		to = t;
	}
	if (from != at)
		memcpy(at, from, n * sizeof(*at));
	return 0;
}

/* Strings without regard to case, unless asked for. */
static int
fold(struct jj_render *r, bool exact, struct jj_value *key)
{
	struct jj_args none = { .n = 0 };

	if (exact || key->kind != JJ_STR)
		return 0;
	return peft_jj_lower(r, key, &none, key);
}

static int
sort(struct jj_render *r, const struct jj_value *list,
    const struct jj_value *path, bool exact, bool down, struct jj_value *out)
{
	struct ranked *at;
	size_t i;

	if (list->n >= r->pool.limit / sizeof(*at) / 2 || (at =
	    peft_jj_alloc(&r->pool, (2 * list->n + 1) * sizeof(*at))) == NULL)
		return peft_jj_nomem(r);
	for (i = 0; i < list->n; i++) {
		at[i].item = at[i].key = list->items[i];
		if ((path != NULL && path->kind != JJ_NONE && peft_jj_path(r,
		    &list->items[i], path, &at[i].key) == -1) ||
		    fold(r, exact, &at[i].key) == -1)
			return -1;
	}
	if (merge_sort(r, at, list->n, down) == -1)
		return -1;
	*out = peft_jj_list(&r->pool, list->n);
	for (i = 0; i < out->n; i++)
		out->items[i] = at[i].item;
	return 0;
}

static bool
asked(const struct jj_value *v)
{
	return v != NULL && peft_jj_truth(v);
}

/* reverse case_sensitive attribute */
FILTER(f_sort)
{
	struct jj_value list;

	return peft_jj_items(r, in, &list) == -1 ? -1 : sort(r, &list,
	    a->at[2], asked(a->at[1]), asked(a->at[0]), out);
}

/* case_sensitive by reverse */
FILTER(f_dictsort)
{
	struct jj_value list, which = peft_jj_int(0);

	if (a->at[1] != NULL && a->at[1]->kind == JJ_STR &&
	    a->at[1]->n == 5 && memcmp(a->at[1]->s, "value", 5) == 0)
		which = peft_jj_int(1);
	if (in->kind != JJ_DICT)
		return peft_jj_fail(r, "dictsort of %s", peft_jj_kind_name(in));
	if (peft_jj_items_of(r, in, a, &list) == -1)
		return -1;
	list.form = JJ_OWN;
	return sort(r, &list, &which, asked(a->at[0]), asked(a->at[2]), out);
}

/* case_sensitive attribute */
FILTER(f_unique)
{
	struct jj_value list, seen, key;
	size_t i, n = 0;
	bool there;

	if (peft_jj_items(r, in, &list) == -1)
		return -1;
	*out = peft_jj_list(&r->pool, list.n);
	seen = peft_jj_list(&r->pool, list.n);
	for (i = 0; i < list.n && n < out->n && n < seen.n; i++) {
		key = list.items[i];
		if ((a->at[1] != NULL && peft_jj_path(r, &list.items[i],
		    a->at[1], &key) == -1) ||
		    fold(r, asked(a->at[0]), &key) == -1)
			return -1;
		seen.n = n;
		if (peft_jj_contains(r, &key, &seen, &there) == -1)
			return -1;
		seen.n = list.n;
		if (there)
			continue;
		seen.items[n] = key;
		out->items[n++] = list.items[i];
	}
	out->n = n;
	return peft_jj_generate(r, out);
}

static int
extreme(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, int sign, struct jj_value *out)
{
	struct jj_value list, best = peft_jj_undefined, key;
	size_t i;
	int c;

	if (peft_jj_items(r, in, &list) == -1)
		return -1;
	*out = peft_jj_undefined;
	for (i = 0; i < list.n; i++) {
		key = list.items[i];
		c = sign;
		if ((a->at[1] != NULL && peft_jj_path(r, &list.items[i],
		    a->at[1], &key) == -1) ||
		    fold(r, asked(a->at[0]), &key) == -1 || (i > 0 &&
		    peft_jj_compare(r, &key, &best, &c) == -1))
			return -1;
		if (c * sign <= 0)
			continue;
		*out = list.items[i];
		best = key;
	}
	return 0;
}

FILTER(f_max)
{
	return extreme(r, in, a, 1, out);
}

FILTER(f_min)
{
	return extreme(r, in, a, -1, out);
}

static const struct jj_builtin filters[] = {
	{ .name = "join", .f = f_join, .params = "d attribute" },
	{ .name = "list", .f = f_list, .params = "" },
	{ .name = "first", .f = f_first, .params = "" },
	{ .name = "last", .f = f_last, .params = "" },
	{ .name = "reverse", .f = f_reverse, .params = "" },
	{ .name = "sort", .f = f_sort,
	    .params = "reverse case_sensitive attribute" },
	{ .name = "dictsort", .f = f_dictsort,
	    .params = "case_sensitive by reverse" },
	{ .name = "unique", .f = f_unique,
	    .params = "case_sensitive attribute" },
	{ .name = "max", .f = f_max,
	    .params = "case_sensitive attribute" },
	{ .name = "min", .f = f_min,
	    .params = "case_sensitive attribute" },
};

const struct jj_builtin *
peft_jj_list_filter(const char *name, size_t len)
{
	return peft_jj_find(filters, sizeof(filters) / sizeof(filters[0]),
	    name, len, JJ_UNDEFINED);
}
