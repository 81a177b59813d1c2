/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: filters and tests, a table row each. */

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/jinja.h"

const struct jj_value *
jj_arg(const struct jj_args *a, size_t pos, const char *name)
{
	size_t i, k = 0;

	for (i = 0; i < a->n; i++) {
		if (a->name[i] != NULL) {
			if (strcmp(a->name[i], name) == 0)
				return &a->v[i];
		} else if (k++ == pos)
			return &a->v[i];
	}
	return NULL;
}

typedef int filter(struct jj_render *, const struct jj_value *,
    const struct jj_args *, struct jj_value *);

static struct jj_value
strip(const struct jj_value *v, const char *set, size_t n, bool left,
    bool right)
{
	size_t b = 0, e = v->n;

	while (left && b < e && memchr(set, v->s[b], n) != NULL)
		b++;
	while (right && e > b && memchr(set, v->s[e - 1], n) != NULL)
		e--;
	return jj_sub(v, b, e);
}

static int
f_trim(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	const struct jj_value *set = jj_arg(a, 0, "chars");
	struct jj_value s = jj_tostr(r, in);

	*out = set != NULL && set->kind == JJ_STR ?
	    strip(&s, set->s, set->n, true, true) :
	    strip(&s, " \t\n\r\f\v", 6, true, true);
	return 0;
}

static int
f_tojson(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	const struct jj_value *indent = jj_arg(a, 0, "indent");
	struct peft_buf b = { 0 };
	unsigned char *mark;

	jj_tojson(&b, in, indent != NULL && indent->kind == JJ_INT ?
	    (int)indent->i : -1, 0);
	mark = jj_alloc(&r->pool, b.len + 1);
	if (mark != NULL && in->kind >= JJ_STR)
		memset(mark, 1, b.len);
	*out = jj_str(jj_copy(&r->pool, b.data, b.len), b.len, mark);
	peft_buf_free(&b);
	return out->s == NULL ? jj_fail(r, "no memory") : 0;
}

static int
f_length(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	size_t i, n = 0;

	(void)a;
	if (in->kind == JJ_STR)
		for (i = 0; i < in->n; i++)
			n += (in->s[i] & 0xc0) != 0x80;
	else if (in->kind == JJ_LIST)
		n = in->n;
	else if (in->kind == JJ_DICT)
		n = in->dict->n;
	else if (in->kind != JJ_UNDEFINED)
		return jj_fail(r, "the length of %s", jj_kind_name(in));
	*out = jj_int((int64_t)n);
	return 0;
}

static int
f_string(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)a;
	*out = jj_tostr(r, in);
	return 0;
}

static int
f_same(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)r;
	(void)a;
	*out = *in;
	return 0;
}

static int
f_default(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	const struct jj_value *def = jj_arg(a, 0, "default_value");
	const struct jj_value *falsy = jj_arg(a, 1, "boolean");

	(void)r;
	*out = *in;
	if (in->kind == JJ_UNDEFINED || (falsy != NULL && jj_truth(falsy) &&
	    !jj_truth(in)))
		*out = def != NULL ? *def : jj_cstr("");
	return 0;
}

static struct jj_value
pair(struct jj_pool *p, const struct jj_dict *d, size_t i)
{
	struct jj_value v = jj_list(p, 2);

	v.tuple = true;
	if (v.n == 2) {
		v.items[0] = d->keys[i];
		v.items[1] = d->values[i];
	}
	return v;
}

static int
f_items(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	size_t i;

	(void)a;
	if (in->kind == JJ_UNDEFINED) {
		*out = jj_list(&r->pool, 0);
		return 0;
	}
	if (in->kind != JJ_DICT)
		return jj_fail(r, "the items of %s", jj_kind_name(in));
	*out = jj_list(&r->pool, in->dict->n);
	for (i = 0; i < out->n; i++)
		out->items[i] = pair(&r->pool, in->dict, i);
	return 0;
}

/* By key, without regard to case; stable. */
static int
f_dictsort(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	struct jj_value t;
	size_t i, j;

	if (f_items(r, in, a, out) == -1)
		return -1;
	for (i = 1; i < out->n; i++)
		for (j = i; j > 0 && out->items[j].items[0].kind == JJ_STR &&
		    strcasecmp(out->items[j].items[0].s,
		    out->items[j - 1].items[0].s) < 0; j--) {
			t = out->items[j];
			out->items[j] = out->items[j - 1];
			out->items[j - 1] = t;
		}
	return 0;
}

/* Letters of ASCII; others stay. */
static int
change_case(struct jj_render *r, const struct jj_value *in, int first,
    int rest, struct jj_value *out)
{
	struct jj_value s = jj_tostr(r, in);
	char *c = jj_copy(&r->pool, s.s, s.n);
	size_t i;

	if (c == NULL)
		return jj_fail(r, "no memory");
	for (i = 0; i < s.n; i++) {
		int up = i == 0 ? first : rest;

		if (up > 0 && c[i] >= 'a' && c[i] <= 'z')
			c[i] = (char)(c[i] - 32);
		else if (up < 0 && c[i] >= 'A' && c[i] <= 'Z')
			c[i] = (char)(c[i] + 32);
	}
	*out = jj_str(c, s.n, s.mark);
	return 0;
}

static int
f_upper(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)a;
	return change_case(r, in, 1, 1, out);
}

static int
f_lower(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)a;
	return change_case(r, in, -1, -1, out);
}

static int
f_capitalize(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)a;
	return change_case(r, in, 1, -1, out);
}

static int
f_join(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	const struct jj_value *sep = jj_arg(a, 0, "d");
	struct jj_value s;
	size_t i;

	*out = jj_cstr("");
	if (in->kind != JJ_LIST)
		return in->kind == JJ_UNDEFINED ? 0 : jj_fail(r, "join of %s",
		    jj_kind_name(in));
	for (i = 0; i < in->n; i++) {
		if (i > 0 && sep != NULL && sep->kind == JJ_STR)
			*out = jj_concat(&r->pool, out, sep);
		s = jj_tostr(r, &in->items[i]);
		*out = jj_concat(&r->pool, out, &s);
	}
	return 0;
}

static int
f_list(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	size_t i;

	(void)a;
	*out = *in;
	out->tuple = false;
	if (in->kind != JJ_DICT)
		return 0;
	*out = jj_list(&r->pool, in->dict->n);
	for (i = 0; i < out->n; i++)
		out->items[i] = in->dict->keys[i];
	return 0;
}

static int
f_first(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)r;
	(void)a;
	*out = (struct jj_value){ .kind = JJ_UNDEFINED };
	if (in->kind == JJ_LIST && in->n > 0)
		*out = in->items[0];
	else if (in->kind == JJ_STR && in->n > 0)
		*out = jj_sub(in, 0, peft_utf8_len(in->s, in->n));
	return 0;
}

static int
f_last(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)r;
	(void)a;
	*out = (struct jj_value){ .kind = JJ_UNDEFINED };
	if (in->kind == JJ_LIST && in->n > 0)
		*out = in->items[in->n - 1];
	return 0;
}

static int
f_int(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	(void)r;
	(void)a;
	*out = jj_int(in->kind == JJ_INT ? in->i : in->kind == JJ_FLOAT ?
	    (int64_t)in->f : in->kind == JJ_STR ? strtoll(in->s, NULL, 10) :
	    in->kind == JJ_BOOL ? in->b : 0);
	return 0;
}

/* Items whose attribute (or which themselves, name NULL) pass a test. */
static int
choose(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, bool attr, bool want, struct jj_value *out)
{
	struct jj_args rest = { .n = 0 };
	const struct jj_value *test, *v;
	struct jj_value none = { .kind = JJ_UNDEFINED };
	size_t i, k = 0, skip = attr ? 2 : 1;
	bool yes;

	*out = jj_list(&r->pool, in->kind == JJ_LIST ? in->n : 0);
	test = a->n >= skip ? &a->v[skip - 1] : NULL;
	for (i = skip; i < a->n; i++)
		rest.v[rest.n++] = a->v[i];
	for (i = 0; i < out->n; i++) {
		v = &in->items[i];
		if (attr) {
			if (a->n == 0 || a->v[0].kind != JJ_STR)
				return jj_fail(r, "an attribute is missing");
			v = v->kind == JJ_DICT ? jj_dict_get(v->dict,
			    a->v[0].s, a->v[0].n) : NULL;
			v = v == NULL ? &none : v;
		}
		if (test == NULL)
			yes = jj_truth(v);
		else if (test->kind != JJ_STR || jj_test(r, test->s, test->n,
		    v, &rest, &yes) == -1)
			return test->kind != JJ_STR ? jj_fail(r, "a test is "
			    "no name") : -1;
		if (yes == want)
			out->items[k++] = in->items[i];
	}
	out->n = k;
	return 0;
}

static int
f_selectattr(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	return choose(r, in, a, true, true, out);
}

static int
f_rejectattr(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	return choose(r, in, a, true, false, out);
}

static int
f_select(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	return choose(r, in, a, false, true, out);
}

static int
f_reject(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	return choose(r, in, a, false, false, out);
}

/* map("filter", ...) or map(attribute="name") */
static int
f_map(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	const struct jj_value *attr = jj_arg(a, 8, "attribute"), *v;
	struct jj_args rest = { .n = 0 };
	size_t i;

	*out = jj_list(&r->pool, in->kind == JJ_LIST ? in->n : 0);
	for (i = 1; i < a->n; i++)
		rest.v[rest.n++] = a->v[i];
	for (i = 0; i < out->n; i++) {
		if (attr != NULL && attr->kind == JJ_STR) {
			v = in->items[i].kind == JJ_DICT ? jj_dict_get(
			    in->items[i].dict, attr->s, attr->n) : NULL;
			if (v != NULL)
				out->items[i] = *v;
		} else if (a->n == 0 || a->v[0].kind != JJ_STR)
			return jj_fail(r, "map without a filter");
		else if (jj_filter(r, a->v[0].s, a->v[0].n, &in->items[i],
		    &rest, &out->items[i]) == -1)
			return -1;
	}
	return 0;
}

static int
f_replace(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	struct jj_value s = jj_tostr(r, in);

	return jj_method(r, jj_find_method(&s, "replace", 7), &s, a, out);
}

static const struct {
	const char	*name;
	filter		*f;
} filters[] = {
	{ "trim", f_trim }, { "tojson", f_tojson }, { "length", f_length },
	{ "count", f_length }, { "string", f_string }, { "safe", f_same },
	{ "default", f_default }, { "d", f_default }, { "items", f_items },
	{ "dictsort", f_dictsort }, { "upper", f_upper },
	{ "lower", f_lower }, { "capitalize", f_capitalize },
	{ "join", f_join }, { "list", f_list }, { "first", f_first },
	{ "last", f_last }, { "int", f_int }, { "map", f_map },
	{ "selectattr", f_selectattr }, { "rejectattr", f_rejectattr },
	{ "select", f_select }, { "reject", f_reject },
	{ "replace", f_replace },
};

int
jj_filter(struct jj_render *r, const char *name, size_t len,
    const struct jj_value *in, const struct jj_args *a, struct jj_value *out)
{
	size_t i;

	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++)
		if (strlen(filters[i].name) == len &&
		    memcmp(filters[i].name, name, len) == 0)
			return filters[i].f(r, in, a, out);
	return jj_fail(r, "the filter '%.*s' is not known here", (int)len,
	    name);
}
