/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: more methods of strings, a table row each. */

#include <string.h>

#include "text/jinja-format.h"

#define METHOD(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *self,			\
    const struct jj_args *a, struct jj_value *out)

/* Filled up to a width, of which the left side gets the larger half if the
 * width is odd, as Python does it. */
static int
fill(struct jj_render *r, const struct jj_value *in, const struct jj_args *a,
    char align, struct jj_value *out)
{
	struct jj_text t = { .text = { 0 } };
	struct jj_value s, space = peft_jj_cstr(" "), part;
	size_t chars, more, before;
	int64_t width = 80;

	if (peft_jj_tostr(r, in, &s) == -1)
		return -1;
	chars = peft_jj_chars(&s);
	if ((a->at[0] != NULL && !peft_jj_is_whole(a->at[0], &width)) ||
	    width > 10000)
		return peft_jj_fail(r, "a width that is no number up to 10000");
	if (a->at[1] != NULL && (a->at[1]->kind != JJ_STR ||
	    peft_jj_chars(a->at[1]) != 1))
		return peft_jj_fail(r, "to be filled with a character");
	space = a->at[1] != NULL ? *a->at[1] : space;
	more = width > (int64_t)chars ? (size_t)width - chars : 0;
	before = align == '<' ? 0 : align == '>' ? more :
	    more / 2 + (more & (size_t)width & 1);
	part = peft_jj_repeat(&r->pool, &space, before);
	peft_jj_put_str(&t, &part);
	peft_jj_put_str(&t, &s);
	part = peft_jj_repeat(&r->pool, &space, more - before);
	peft_jj_put_str(&t, &part);
	if (peft_jj_take(r, &t, out) == -1)
		return -1;
	out->safe = s.safe;
	return 0;
}

/* Also a filter. */
int
peft_jj_center(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return fill(r, self, a, '^', out);
}

METHOD(m_ljust)
{
	return fill(r, self, a, '<', out);
}

METHOD(m_rjust)
{
	return fill(r, self, a, '>', out);
}

/* Zeros behind the sign. */
METHOD(m_zfill)
{
	bool sign = self->n > 0 && strchr("+-", self->s[0]) != NULL;
	struct jj_value rest = peft_jj_sub(self, sign, self->n);
	struct jj_value first = peft_jj_sub(self, 0, sign);
	struct jj_value zero = peft_jj_cstr("0"), both;
	struct jj_args to = { .n = 0 };
	int64_t width;

	if (!peft_jj_is_whole(a->at[0], &width))
		return peft_jj_fail(r, "zfill to %s",
		    peft_jj_kind_name(a->at[0]));
	to.v[0] = peft_jj_int(width - sign);
	to.at[0] = &to.v[0];
	to.at[1] = &zero;
	if (fill(r, &rest, &to, '>', &both) == -1)
		return -1;
	*out = peft_jj_concat(&r->pool, &first, &both);
	out->safe = self->safe;
	return 0;
}

/* (before, separator, behind) */
static int
partition(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, bool last, struct jj_value *out)
{
	const struct jj_value *sep = a->at[0];
	struct jj_value none = peft_jj_cstr("");
	int64_t at;

	if (sep->kind != JJ_STR || sep->n == 0)
		return peft_jj_fail(r, "a partition by nothing");
	at = peft_jj_search(self, sep, last);
	*out = peft_jj_list(&r->pool, 3);
	if (out->n != 3)
		return peft_jj_nomem(r);
	out->tuple = true;
	out->items[0] = out->items[1] = out->items[2] = none;
	if (at < 0) {
		out->items[last ? 2 : 0] = *self;
		return 0;
	}
	out->items[0] = peft_jj_sub(self, 0, (size_t)at);
	out->items[1] = *sep;
	out->items[2] = peft_jj_sub(self, (size_t)at + sep->n, self->n);
	return 0;
}

METHOD(m_partition)
{
	return partition(r, self, a, false, out);
}

METHOD(m_rpartition)
{
	return partition(r, self, a, true, out);
}

/* Tabs to spaces, from line to line. */
METHOD(m_expandtabs)
{
	struct jj_text t = { .text = { 0 } };
	int64_t size = 8;
	size_t i, at = 0, n;

	if (a->at[0] != NULL && (!peft_jj_is_whole(a->at[0], &size) ||
	    size > 100))
		return peft_jj_fail(r, "tabs of more than 100");
	for (i = 0; i < self->n; i++) {
		int mark = self->mark == NULL ? 0 : self->mark[i];
		char c = self->s[i];

		if (c != '\t') {
			peft_jj_put(&t, &c, 1, mark);
			at = c == '\n' || c == '\r' ? 0 : at +
			    ((c & 0xc0) != 0x80);
			continue;
		}
		n = size <= 0 ? 0 : (size_t)size - at % (size_t)size;
		for (at += n; n > 0; n--)
			peft_jj_put(&t, " ", 1, mark);
	}
	return peft_jj_take(r, &t, out);
}

#define ROW(n, fn, p, k)						\
	{ .name = n, .f = fn, .params = p, .need = k, .of = JJ_STR }
static const struct jj_builtin methods[] = {
	ROW("format", peft_jj_format, "*", 0),
	ROW("center", peft_jj_center, "width fillchar", 1),
	ROW("ljust", m_ljust, "width fillchar", 1),
	ROW("rjust", m_rjust, "width fillchar", 1),
	ROW("zfill", m_zfill, "width", 1),
	ROW("partition", m_partition, "sep", 1),
	ROW("rpartition", m_rpartition, "sep", 1),
	ROW("expandtabs", m_expandtabs, "tabsize", 0),
};

const struct jj_builtin *
peft_jj_word_method(const char *name, size_t len)
{
	return peft_jj_find(methods, sizeof(methods) / sizeof(methods[0]),
	    name, len, JJ_STR);
}
