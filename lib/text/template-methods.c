/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: methods of strings and dicts, and global functions. */

#include <string.h>
#include <time.h>

#include "text/jinja.h"

typedef int method(struct jj_render *, const struct jj_value *self,
    const struct jj_args *, struct jj_value *);

static const char white[] = " \t\n\r\f\v";

static int
strip(const struct jj_value *self, const struct jj_args *a, bool left,
    bool right, struct jj_value *out)
{
	const struct jj_value *set = jj_arg(a, 0, "chars");
	const char *s = set != NULL && set->kind == JJ_STR ? set->s : white;
	size_t n = set != NULL && set->kind == JJ_STR ? set->n : 6;
	size_t b = 0, e = self->n;

	while (left && b < e && memchr(s, self->s[b], n) != NULL)
		b++;
	while (right && e > b && memchr(s, self->s[e - 1], n) != NULL)
		e--;
	*out = jj_sub(self, b, e);
	return 0;
}

static int
m_strip(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	(void)r;
	return strip(self, a, true, true, out);
}

static int
m_lstrip(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	(void)r;
	return strip(self, a, true, false, out);
}

static int
m_rstrip(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	(void)r;
	return strip(self, a, false, true, out);
}

/* split() at runs of white space. */
static int
split_white(struct jj_render *r, const struct jj_value *self,
    struct jj_value *out)
{
	size_t i = 0, b, n = 0;

	*out = jj_list(&r->pool, self->n / 2 + 1);
	while (n < out->n + 1) {
		while (i < self->n && memchr(white, self->s[i], 6) != NULL)
			i++;
		if (i == self->n)
			break;
		for (b = i; i < self->n && memchr(white, self->s[i], 6) ==
		    NULL;)
			i++;
		out->items[n++] = jj_sub(self, b, i);
	}
	out->n = n;
	return 0;
}

static int
m_split(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	const struct jj_value *sep = jj_arg(a, 0, "sep");
	const struct jj_value *most = jj_arg(a, 1, "maxsplit");
	int64_t left = most != NULL && most->kind == JJ_INT ? most->i : -1;
	const char *p = self->s, *end = self->s + self->n, *q;
	size_t n = 0, count = 1;

	if (sep == NULL || sep->kind != JJ_STR)
		return split_white(r, self, out);
	if (sep->n == 0)
		return jj_fail(r, "split by nothing");
	for (q = p; (q = memmem(q, (size_t)(end - q), sep->s, sep->n)) !=
	    NULL; q += sep->n)
		count++;
	*out = jj_list(&r->pool, count);
	while (n + 1 < out->n && left-- != 0) {
		q = memmem(p, (size_t)(end - p), sep->s, sep->n);
		out->items[n++] = jj_sub(self, (size_t)(p - self->s),
		    (size_t)(q - self->s));
		p = q + sep->n;
	}
	if (n < out->n)
		out->items[n++] = jj_sub(self, (size_t)(p - self->s),
		    self->n);
	out->n = n;
	return 0;
}

/* A word, or a tuple of words, at an end. */
static int
at_end(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, bool start, struct jj_value *out)
{
	const struct jj_value *w = jj_arg(a, 0, "prefix");
	size_t i, n;
	bool yes = false;

	if (w == NULL || (w->kind != JJ_STR && w->kind != JJ_LIST))
		return jj_fail(r, "startswith or endswith without a string");
	n = w->kind == JJ_LIST ? w->n : 1;
	for (i = 0; i < n && !yes; i++) {
		const struct jj_value *x = w->kind == JJ_LIST ? &w->items[i] :
		    w;

		yes = x->kind == JJ_STR && x->n <= self->n && memcmp(start ?
		    self->s : self->s + self->n - x->n, x->s, x->n) == 0;
	}
	*out = jj_bool(yes);
	return 0;
}

static int
m_startswith(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return at_end(r, self, a, true, out);
}

static int
m_endswith(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return at_end(r, self, a, false, out);
}

static int
m_replace(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	const struct jj_value *from = jj_arg(a, 0, "old");
	const struct jj_value *to = jj_arg(a, 1, "new");
	const char *p = self->s, *end = self->s + self->n, *q;
	struct jj_value part;

	if (from == NULL || to == NULL || from->kind != JJ_STR ||
	    to->kind != JJ_STR || from->n == 0)
		return jj_fail(r, "replace needs two strings");
	*out = jj_cstr("");
	while ((q = memmem(p, (size_t)(end - p), from->s, from->n)) != NULL) {
		part = jj_sub(self, (size_t)(p - self->s),
		    (size_t)(q - self->s));
		*out = jj_concat(&r->pool, out, &part);
		*out = jj_concat(&r->pool, out, to);
		p = q + from->n;
		if (++r->steps > 10000000)
			return jj_fail(r, "too many steps");
	}
	part = jj_sub(self, (size_t)(p - self->s), self->n);
	*out = jj_concat(&r->pool, out, &part);
	return 0;
}

/* Through the filter of the same name. */
static int
by_filter(struct jj_render *r, const char *name, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return jj_filter(r, name, strlen(name), self, a, out);
}

static int
m_upper(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return by_filter(r, "upper", self, a, out);
}

static int
m_lower(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return by_filter(r, "lower", self, a, out);
}

static int
m_capitalize(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return by_filter(r, "capitalize", self, a, out);
}

static int
m_join(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	struct jj_args sep = { .v = { *self }, .n = 1 };

	if (a->n != 1)
		return jj_fail(r, "join takes one list");
	return jj_filter(r, "join", 4, &a->v[0], &sep, out);
}

static int
m_items(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return by_filter(r, "items", self, a, out);
}

static int
m_keys(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return by_filter(r, "list", self, a, out);
}

static int
m_values(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	size_t i;

	(void)a;
	*out = jj_list(&r->pool, self->dict->n);
	for (i = 0; i < out->n; i++)
		out->items[i] = self->dict->values[i];
	return 0;
}

static int
m_get(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	const struct jj_value *key = jj_arg(a, 0, "key");
	const struct jj_value *def = jj_arg(a, 1, "default"), *v = NULL;

	(void)r;
	if (key != NULL && key->kind == JJ_STR)
		v = jj_dict_get(self->dict, key->s, key->n);
	*out = v != NULL ? *v : def != NULL ? *def :
	    (struct jj_value){ .kind = JJ_NONE };
	return 0;
}

static const struct {
	enum jj_kind	 of;
	const char	*name;
	method		*f;
} methods[] = {
	{ JJ_STR, "strip", m_strip }, { JJ_STR, "lstrip", m_lstrip },
	{ JJ_STR, "rstrip", m_rstrip }, { JJ_STR, "split", m_split },
	{ JJ_STR, "startswith", m_startswith },
	{ JJ_STR, "endswith", m_endswith }, { JJ_STR, "replace", m_replace },
	{ JJ_STR, "upper", m_upper }, { JJ_STR, "lower", m_lower },
	{ JJ_STR, "capitalize", m_capitalize }, { JJ_STR, "join", m_join },
	{ JJ_DICT, "items", m_items }, { JJ_DICT, "keys", m_keys },
	{ JJ_DICT, "values", m_values }, { JJ_DICT, "get", m_get },
};

int
jj_find_method(const struct jj_value *self, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (methods[i].of == self->kind &&
		    strlen(methods[i].name) == len &&
		    memcmp(methods[i].name, name, len) == 0)
			return (int)i;
	return -1;
}

int
jj_method(struct jj_render *r, int m, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return methods[m].f(r, self, a, out);
}

typedef int global(struct jj_render *, const struct jj_args *,
    struct jj_value *);

static int
g_raise(struct jj_render *r, const struct jj_args *a, struct jj_value *out)
{
	struct jj_value s = a->n > 0 ? jj_tostr(r, &a->v[0]) :
	    jj_cstr("raise_exception");

	(void)out;
	return jj_fail(r, "%.*s", (int)s.n, s.s);
}

static int
g_namespace(struct jj_render *r, const struct jj_args *a,
    struct jj_value *out)
{
	size_t i;

	*out = (struct jj_value){ .kind = JJ_DICT };
	if ((out->dict = jj_alloc(&r->pool, sizeof(*out->dict))) == NULL)
		return jj_fail(r, "no memory");
	for (i = 0; i < a->n; i++)
		if (a->name[i] != NULL)
			jj_dict_set(&r->pool, out->dict, jj_cstr(a->name[i]),
			    a->v[i]);
	return 0;
}

static int
g_range(struct jj_render *r, const struct jj_args *a, struct jj_value *out)
{
	int64_t v[3] = { 0, 0, 1 }, i;
	size_t k, n = 0;

	for (k = 0; k < a->n && k < 3; k++) {
		if (a->v[k].kind != JJ_INT)
			return jj_fail(r, "range of %s",
			    jj_kind_name(&a->v[k]));
		v[k] = a->v[k].i;
	}
	if (a->n == 1) {
		v[1] = v[0];
		v[0] = 0;
	}
	if (v[2] == 0 || v[1] - v[0] > 1000000 || v[0] - v[1] > 1000000)
		return jj_fail(r, "a range that is too long");
	for (i = v[0]; v[2] > 0 ? i < v[1] : i > v[1]; i += v[2])
		n++;
	*out = jj_list(&r->pool, n);
	for (n = 0, i = v[0]; n < out->n; i += v[2])
		out->items[n++] = jj_int(i);
	return 0;
}

/* Today's date in local time, as Python's strftime. */
static int
g_strftime(struct jj_render *r, const struct jj_args *a,
    struct jj_value *out)
{
	time_t now = time(NULL);
	struct tm tm;
	char text[256];
	size_t n;

	if (a->n != 1 || a->v[0].kind != JJ_STR)
		return jj_fail(r, "strftime_now needs a format");
	localtime_r(&now, &tm);
	/* the format is the template's: strftime takes nothing else */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = strftime(text, sizeof(text), a->v[0].s, &tm);
#pragma GCC diagnostic pop
	*out = jj_str(jj_copy(&r->pool, text, n), n, NULL);
	return out->s == NULL ? jj_fail(r, "no memory") : 0;
}

static const struct {
	const char	*name;
	global		*f;
} globals[] = {
	{ "raise_exception", g_raise }, { "namespace", g_namespace },
	{ "range", g_range }, { "strftime_now", g_strftime },
	{ "dict", g_namespace },
};

int
jj_find_global(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(globals) / sizeof(globals[0]); i++)
		if (strlen(globals[i].name) == len &&
		    memcmp(globals[i].name, name, len) == 0)
			return (int)i;
	return -1;
}

int
jj_global(struct jj_render *r, int g, const struct jj_args *a,
    struct jj_value *out)
{
	return globals[g].f(r, a, out);
}
