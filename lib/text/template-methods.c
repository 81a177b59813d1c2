/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: methods of strings, a table row each. */

#include <string.h>

#include "text/jinja.h"

#define METHOD(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *self,			\
    const struct jj_args *a, struct jj_value *out)

static int
strip(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, bool left, bool right, struct jj_value *out)
{
	const struct jj_value *set = a->at[0];

	if (set != NULL && set->kind == JJ_NONE)
		set = NULL;
	if (set != NULL && set->kind != JJ_STR)
		return peft_jj_fail(r, "strip of %s", peft_jj_kind_name(set));
	*out = peft_jj_strip(self, set, left, right);
	return 0;
}

METHOD(m_strip)
{
	return strip(r, self, a, true, true, out);
}

METHOD(m_lstrip)
{
	return strip(r, self, a, true, false, out);
}

METHOD(m_rstrip)
{
	return strip(r, self, a, false, true, out);
}

/* An argument that must be a string; NULL with an error set. */
static const struct jj_value *
string_arg(struct jj_render *r, const struct jj_args *a, size_t i)
{
	if (a->at[i]->kind == JJ_STR)
		return a->at[i];
	peft_jj_fail(r, "%s where a string belongs",
	    peft_jj_kind_name(a->at[i]));
	return NULL;
}

/* Also a filter: old, new, count */
int
peft_jj_replace(struct jj_render *r, const struct jj_value *in,
    const struct jj_args *a, struct jj_value *out)
{
	const struct jj_value *from = a->at[0], *to = a->at[1];
	struct jj_text t = { .text = { 0 } };
	struct jj_value self, part;
	int64_t left = -1, at;

	if (string_arg(r, a, 0) == NULL || string_arg(r, a, 1) == NULL ||
	    peft_jj_tostr(r, in, &self) == -1)
		return -1;
	if (a->at[2] != NULL && a->at[2]->kind != JJ_NONE &&
	    !peft_jj_is_whole(a->at[2], &left))
		return peft_jj_fail(r, "replace %s times",
		    peft_jj_kind_name(a->at[2]));
	while (left-- != 0 && (at = peft_jj_search(&self, from, false)) >= 0) {
		part = peft_jj_sub(&self, 0, (size_t)at);
		peft_jj_put_str(&t, &part);
		peft_jj_put_str(&t, to);
		self = peft_jj_sub(&self, (size_t)at + from->n, self.n);
		/* nothing is before each character, and at the end */
		if (from->n == 0) {
			if (self.n == 0)
				break;
			part = peft_jj_sub(&self, 0, peft_jj_char_at(&self, 1));
			peft_jj_put_str(&t, &part);
			self = peft_jj_sub(&self, part.n, self.n);
		}
		if (t.text.len > JJ_MAXOUT ||
		    peft_jj_spend(r, 16 + to->n) == -1) {
			peft_jj_text_free(&t);
			return peft_jj_fail(r, "a text that is too long");
		}
	}
	peft_jj_put_str(&t, &self);
	return peft_jj_take(r, &t, out);
}

/* What is put into Markup is escaped. */
METHOD(m_replace)
{
	struct jj_args b = *a;
	struct jj_value old, new;

	if (!self->safe)
		return peft_jj_replace(r, self, a, out);
	if (peft_jj_escape(r, a->at[0], &old) == -1 ||
	    peft_jj_escape(r, a->at[1], &new) == -1)
		return -1;
	b.at[0] = &old;
	b.at[1] = &new;
	if (peft_jj_replace(r, self, &b, out) == -1)
		return -1;
	out->safe = true;
	return 0;
}

METHOD(m_join)
{
	const struct jj_builtin *join = peft_jj_list_filter("join", 4);
	struct jj_args sep = { .v = { *self }, .n = 1 };
	struct jj_value list;
	size_t i;

	if (peft_jj_items(r, a->at[0], &list) == -1)
		return -1;
	for (i = 0; i < list.n; i++)
		if (list.items[i].kind != JJ_STR)
			return peft_jj_fail(r, "join of %s",
			    peft_jj_kind_name(&list.items[i]));
	return peft_jj_call(r, join, a->at[0], &sep, out);
}

METHOD(m_isspace)
{
	struct jj_value s = peft_jj_strip(self, NULL, true, false);

	(void)r;
	(void)a;
	*out = peft_jj_bool(self->n > 0 && s.n == 0);
	return 0;
}

#define ROW(n, fn, p, k)						\
	{ .name = n, .f = fn, .params = p, .need = k, .of = JJ_STR }
static const struct jj_builtin methods[] = {
	ROW("strip", m_strip, "chars", 0),
	ROW("lstrip", m_lstrip, "chars", 0),
	ROW("rstrip", m_rstrip, "chars", 0),
	ROW("split", peft_jj_split, "sep maxsplit", 0),
	ROW("rsplit", peft_jj_rsplit, "sep maxsplit", 0),
	ROW("splitlines", peft_jj_splitlines, "keepends", 0),
	ROW("replace", m_replace, "old new count", 2),
	ROW("join", m_join, "iterable", 1),
	ROW("isspace", m_isspace, "", 0),
	ROW("upper", peft_jj_upper, "", 0),
	ROW("lower", peft_jj_lower, "", 0),
	ROW("capitalize", peft_jj_capitalize, "", 0),
	ROW("title", peft_jj_title, "", 0),
	ROW("swapcase", peft_jj_swapcase, "", 0),
	ROW("casefold", peft_jj_casefold, "", 0),
};

const struct jj_builtin *
peft_jj_string_method(const char *name, size_t len)
{
	const struct jj_builtin *m = peft_jj_find(methods,
	    sizeof(methods) / sizeof(methods[0]), name, len, JJ_STR);

	if (m == NULL)
		m = peft_jj_search_method(name, len);
	if (m == NULL)
		m = peft_jj_word_method(name, len);
	return m != NULL ? m : peft_jj_kind_method(name, len);
}
