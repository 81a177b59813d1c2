/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: strings found in strings, and cut there. */

#include <string.h>

#include "text/jinja.h"

/* The first, or last, place of a string in another, or -1. */
int64_t
peft_jj_search(const struct jj_value *in, const struct jj_value *x, bool last)
{
	const char *p;
	size_t i;

	if (x->n > in->n)
		return -1;
	if (!last) {
		p = x->n == 0 ? in->s : memmem(in->s, in->n, x->s, x->n);
		return p == NULL ? -1 : p - in->s;
	}
	for (i = in->n - x->n + 1; i-- > 0;)
		if (memcmp(in->s + i, x->s, x->n) == 0)
			return (int64_t)i;
	return -1;
}

/* A part, at the end of a list that has room for it. */
static void
add(struct jj_value *list, const struct jj_value *s, size_t from, size_t to)
{
	list->items[list->n++] = peft_jj_sub(s, from, to);
}

size_t
peft_jj_count(const struct jj_value *in, const struct jj_value *x)
{
	const char *p = in->s, *end = in->s + in->n;
	size_t n = 0;

	for (; (p = memmem(p, (size_t)(end - p), x->s, x->n)) != NULL;
	    p += x->n)
		n++;
	return n;
}

/* split() at runs of white space. */
static int
split_white(struct jj_render *r, const struct jj_value *self, int64_t left,
    struct jj_value *out)
{
	struct jj_value s = peft_jj_strip(self, NULL, true, false);
	size_t i, len;

	*out = peft_jj_list(&r->pool, s.n / 2 + 1);
	if (out->n == 0)
		return peft_jj_nomem(r);
	for (out->n = 0; s.n > 0 && left-- != 0;) {
		for (i = 0; i < s.n; i += len == 0 ? 1 : len) {
			if (peft_jj_space(s.s + i, s.n - i) > 0)
				break;
			len = peft_utf8_len(s.s + i, s.n - i);
		}
		add(out, &s, 0, i);
		s = peft_jj_sub(&s, i, s.n);
		s = peft_jj_strip(&s, NULL, true, false);
	}
	if (s.n > 0)
		add(out, &s, 0, s.n);
	return 0;
}

/* At most `left' cuts (-1: any), counted from the front or the back. */
static int
split_at(struct jj_render *r, const struct jj_value *self,
    const struct jj_value *sep, int64_t left, bool back,
    struct jj_value *out)
{
	struct jj_value s = *self, t;
	size_t n = peft_jj_count(self, sep), i;
	int64_t at;

	n = left >= 0 && (size_t)left < n ? (size_t)left : n;
	*out = peft_jj_list(&r->pool, n + 1);
	if (out->n == 0)
		return peft_jj_nomem(r);
	for (out->n = 0; out->n < n &&
	    (at = peft_jj_search(&s, sep, back)) >= 0;) {
		add(out, &s, back ? (size_t)at + sep->n : 0,
		    back ? s.n : (size_t)at);
		s = back ? peft_jj_sub(&s, 0, (size_t)at) :
		    peft_jj_sub(&s, (size_t)at + sep->n, s.n);
	}
	add(out, &s, 0, s.n);
	for (i = 0; back && i < out->n / 2; i++) {
		t = out->items[i];
		out->items[i] = out->items[out->n - 1 - i];
		out->items[out->n - 1 - i] = t;
	}
	return 0;
}

static int
split(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, bool back, struct jj_value *out)
{
	int64_t left = -1;

	if (a->at[1] != NULL && !peft_jj_is_whole(a->at[1], &left))
		return peft_jj_fail(r, "split into %s parts",
		    peft_jj_kind_name(a->at[1]));
	if (a->at[0] == NULL || a->at[0]->kind == JJ_NONE)
		return back && left >= 0 ? peft_jj_fail(r, "rsplit at white "
		    "space is not known here") :
		    split_white(r, self, left, out);
	if (a->at[0]->kind != JJ_STR || a->at[0]->n == 0)
		return peft_jj_fail(r, "split by %s", a->at[0]->kind ==
		    JJ_STR ? "nothing" : peft_jj_kind_name(a->at[0]));
	return split_at(r, self, a->at[0], left, back, out);
}

int
peft_jj_split(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return split(r, self, a, false, out);
}

int
peft_jj_rsplit(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	return split(r, self, a, true, out);
}

/* The length of a character at i that ends a line, or 0. */
static size_t
line_end(const struct jj_value *s, size_t i)
{
	static const struct {
		const char	*s;
		size_t		 len;
	} wide[] = { { "\302\205", 2 }, { "\u2028", 3 }, { "\u2029", 3 } };
	unsigned char c = (unsigned char)s->s[i];
	size_t k;

	if (c < 0x80)
		return (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e);
	for (k = 0; k < 3; k++)
		if (s->n - i >= wide[k].len &&
		    memcmp(s->s + i, wide[k].s, wide[k].len) == 0)
			return wide[k].len;
	return 0;
}

int
peft_jj_splitlines(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	bool keep = a->at[0] != NULL && peft_jj_truth(a->at[0]);
	size_t i, b = 0;

	*out = peft_jj_list(&r->pool, self->n + 1);
	if (out->n == 0)
		return peft_jj_nomem(r);
	out->n = 0;
	for (i = 0; i < self->n; i++) {
		size_t end = i, len = line_end(self, i);

		if (len == 0)
			continue;
		i += len - 1;
		i += self->s[i] == '\r' && i + 1 < self->n &&
		    self->s[i + 1] == '\n';
		add(out, self, b, keep ? i + 1 : end);
		b = i + 1;
	}
	if (b < self->n)
		add(out, self, b, self->n);
	return 0;
}
