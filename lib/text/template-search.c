/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: methods of strings that look for others, from a character to
 * another. */

#include <string.h>

#include "text/jinja.h"

#define METHOD(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *self,			\
    const struct jj_args *a, struct jj_value *out)

/* self[start:stop], as Python's slices; from: where it begins, in
 * characters.  false: it would begin behind the end, or after it ends. */
static int
part(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out, int64_t *from, bool *is)
{
	struct jj_value b[3] = { peft_jj_none, peft_jj_none, peft_jj_none };
	int64_t n, at[2];
	int i;

	*out = *self;
	*from = 0;
	*is = true;
	if (a->at[1] == NULL && a->at[2] == NULL)
		return 0;
	n = (int64_t)peft_jj_chars(self);
	at[0] = 0;
	at[1] = n;
	for (i = 0; i < 2; i++) {
		if (a->at[i + 1] == NULL || a->at[i + 1]->kind == JJ_NONE)
			continue;
		b[i] = *a->at[i + 1];
		if (!peft_jj_is_whole(&b[i], &at[i]))
			return peft_jj_fail(r, "a place that is %s",
			    peft_jj_kind_name(&b[i]));
		at[i] += at[i] < 0 ? n : 0;
		at[i] = at[i] < 0 ? 0 : i == 1 && at[i] > n ? n : at[i];
	}
	*from = at[0];
	*is = at[0] <= at[1];
	return peft_jj_slice(r, self, b, out);
}

static int
must_be_string(struct jj_render *r, const struct jj_value *v)
{
	return v->kind == JJ_STR ? 0 : peft_jj_fail(r, "%s where a string "
	    "belongs", peft_jj_kind_name(v));
}

/* The character at which it begins, or -1. */
static int
place(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, bool last, int64_t *at)
{
	struct jj_value s, before;
	int64_t from;
	bool is;

	*at = -1;
	if (must_be_string(r, a->at[0]) == -1 ||
	    part(r, self, a, &s, &from, &is) == -1)
		return -1;
	if (is && (*at = peft_jj_search(&s, a->at[0], last)) >= 0) {
		before = peft_jj_sub(&s, 0, (size_t)*at);
		*at = from + (int64_t)peft_jj_chars(&before);
	}
	return peft_jj_spend(r, self->n);
}

static int
find(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, bool last, bool must, struct jj_value *out)
{
	int64_t at;

	if (place(r, self, a, last, &at) == -1)
		return -1;
	if (must && at < 0)
		return peft_jj_fail(r, "a substring is not found");
	*out = peft_jj_int(at);
	return 0;
}

METHOD(m_find)
{
	return find(r, self, a, false, false, out);
}

METHOD(m_rfind)
{
	return find(r, self, a, true, false, out);
}

METHOD(m_index)
{
	return find(r, self, a, false, true, out);
}

METHOD(m_rindex)
{
	return find(r, self, a, true, true, out);
}

METHOD(m_count)
{
	struct jj_value s;
	int64_t from;
	bool is;

	if (must_be_string(r, a->at[0]) == -1 ||
	    part(r, self, a, &s, &from, &is) == -1)
		return -1;
	*out = peft_jj_int(!is ? 0 : (int64_t)(a->at[0]->n == 0 ?
	    peft_jj_chars(&s) + 1 : peft_jj_count(&s, a->at[0])));
	return 0;
}

static bool
is_at(const struct jj_value *self, const struct jj_value *x, bool start)
{
	return x->n <= self->n && memcmp(start ? self->s :
	    self->s + self->n - x->n, x->s, x->n) == 0;
}

/* A word, or one of a tuple of words, at an end. */
static int
ends(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, bool start, struct jj_value *out)
{
	const struct jj_value *w = a->at[0], *all = w;
	size_t n = 1, i;
	struct jj_value s;
	int64_t from;
	bool is, yes = false;

	if (w->kind == JJ_LIST && w->tuple) {
		all = w->items;
		n = w->n;
	}
	if (part(r, self, a, &s, &from, &is) == -1)
		return -1;
	for (i = 0; i < n && !yes; i++) {
		if (must_be_string(r, &all[i]) == -1)
			return -1;
		yes = is && is_at(&s, &all[i], start);
	}
	*out = peft_jj_bool(yes);
	return 0;
}

METHOD(m_startswith)
{
	return ends(r, self, a, true, out);
}

METHOD(m_endswith)
{
	return ends(r, self, a, false, out);
}

METHOD(m_removeprefix)
{
	const struct jj_value *w = a->at[0];

	if (must_be_string(r, w) == -1)
		return -1;
	*out = is_at(self, w, true) ? peft_jj_sub(self, w->n, self->n) :
	    *self;
	return 0;
}

METHOD(m_removesuffix)
{
	const struct jj_value *w = a->at[0];

	if (must_be_string(r, w) == -1)
		return -1;
	*out = is_at(self, w, false) ? peft_jj_sub(self, 0, self->n - w->n) :
	    *self;
	return 0;
}

#define ROW(n, fn)	{ .name = n, .f = fn, .params = "sub start end",	\
	.need = 1, .of = JJ_STR }
static const struct jj_builtin methods[] = {
	ROW("startswith", m_startswith), ROW("endswith", m_endswith),
	ROW("find", m_find), ROW("rfind", m_rfind), ROW("index", m_index),
	ROW("rindex", m_rindex), ROW("count", m_count),
	{ .name = "removeprefix", .f = m_removeprefix, .params = "prefix",
	    .need = 1, .of = JJ_STR },
	{ .name = "removesuffix", .f = m_removesuffix, .params = "suffix",
	    .need = 1, .of = JJ_STR },
};

const struct jj_builtin *
peft_jj_search_method(const char *name, size_t len)
{
	return peft_jj_find(methods, sizeof(methods) / sizeof(methods[0]),
	    name, len, JJ_STR);
}
