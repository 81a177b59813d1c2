/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: attributes, items, slices, walks. */

#include <string.h>

#include "text/jinja-watch.h"

/* Python's index into n things: negative ones count from the end. */
static bool
index_of(int64_t i, size_t n, size_t *at)
{
	if (i < 0)
		i += (int64_t)n;
	*at = (size_t)i;
	return i >= 0 && i < (int64_t)n;
}

/* A method, an entry of a namespace or a loop; else undefined. */
static int
bound(struct jj_render *r, const struct jj_value *self, const char *name,
    size_t len, struct jj_value *out)
{
	const struct jj_builtin *m = peft_jj_method(self->kind, name, len);
	const struct jj_value *v;

	*out = peft_jj_undefined;
	if (m != NULL) {
		peft_jj_look(r, self);
		*out = (struct jj_value){ .kind = JJ_METHOD };
		out->fn = m;
		out->self = peft_jj_alloc(&r->pool, sizeof(*self));
		if (out->self == NULL)
			return peft_jj_nomem(r);
		*out->self = *self;
	} else if (self->kind == JJ_NAMESPACE) {
		v = peft_jj_dict_find(self->dict, name, len);
		*out = v != NULL ? *v : peft_jj_undefined;
	} else if (self->kind == JJ_MACRO)
		return peft_jj_macro_get(r, self->macro, name, len, out);
	else if (self->kind == JJ_CYCLER)
		return peft_jj_cycler_get(r, self, name, len, out);
	else if (self->kind == JJ_LOOP)
		peft_jj_loop_get(r, self->loop, name, len, out);
	return 0;
}

/* a.name: a method, else an entry. */
int
peft_jj_attr(struct jj_render *r, const struct jj_value *self,
    const char *name, size_t len, struct jj_value *out)
{
	const struct jj_value *v;

	if (self->kind == JJ_UNDEFINED)
		return peft_jj_fail(r, "'%.*s' of something undefined",
		    (int)len, name);
	if (bound(r, self, name, len, out) == -1)
		return -1;
	if (out->kind == JJ_UNDEFINED && self->kind == JJ_DICT &&
	    (v = peft_jj_dict_find(self->dict, name, len)) != NULL)
		*out = *v;
	return peft_jj_spend(r, self->kind == JJ_DICT ? self->dict->n : 0);
}

/* a[key]: an entry, else a method. */
int
peft_jj_item(struct jj_render *r, const struct jj_value *self,
    const struct jj_value *key, struct jj_value *out)
{
	const struct jj_value *v;
	int64_t i;
	size_t at;

	*out = peft_jj_undefined;
	if (self->kind == JJ_UNDEFINED)
		return peft_jj_fail(r, "an item of something undefined");
	if (self->kind == JJ_DICT) {
		if (peft_jj_dict_get(r, self->dict, key, &v) == -1)
			return -1;
		if (v != NULL) {
			*out = *v;
			return 0;
		}
	}
	if (key->kind == JJ_STR)
		return bound(r, self, key->s, key->n, out);
	if (!peft_jj_is_whole(key, &i))
		return 0;
	if (self->kind == JJ_LIST && (self->form == JJ_OWN ||
	    self->form == JJ_RANGE) && index_of(i, self->n, &at))
		*out = self->items[at];
	if (self->kind == JJ_STR && index_of(i, peft_jj_chars(self), &at))
		*out = peft_jj_sub(self, peft_jj_char_at(self, at),
		    peft_jj_char_at(self, at + 1));
	return peft_jj_spend(r, self->kind == JJ_STR ? self->n : 0);
}

/* Python's slice.indices(): where to begin, how many, how far apart. */
struct steps {
	int64_t	from, step;
	size_t	n;
};

static int64_t
clamp(int64_t i, int64_t n, bool back)
{
	if (i < 0)
		i = i < -n ? -1 - n : i;
	i += i < 0 ? n : 0;
	if (i < 0)
		return back ? -1 : 0;
	return i >= n ? (back ? n - 1 : n) : i;
}

static int
plan(struct jj_render *r, const struct jj_value b[3], int64_t n,
    struct steps *s)
{
	int64_t v[3] = { 0, 0, 1 };
	bool back;
	int i;

	for (i = 0; i < 3; i++)
		if (b[i].kind != JJ_NONE && !peft_jj_is_whole(&b[i], &v[i]))
			return peft_jj_fail(r, "a slice by %s",
			    peft_jj_kind_name(&b[i]));
	if (v[2] == 0)
		return peft_jj_fail(r, "a slice by steps of nothing");
	back = v[2] < 0;
	s->step = v[2] < -n - 1 ? -n - 1 : v[2] > n + 1 ? n + 1 : v[2];
	s->from = b[0].kind == JJ_NONE ? (back ? n - 1 : 0) :
	    clamp(v[0], n, back);
	v[1] = b[1].kind == JJ_NONE ? (back ? -1 : n) : clamp(v[1], n, back);
	if (back)
		s->n = s->from > v[1] ? (size_t)((s->from - v[1] - 1) /
		    -s->step + 1) : 0;
	else
		s->n = v[1] > s->from ? (size_t)((v[1] - s->from - 1) /
		    s->step + 1) : 0;
	return 0;
}

static int
slice_list(struct jj_render *r, const struct jj_value *a,
    const struct steps *s, struct jj_value *out)
{
	size_t i;

	*out = peft_jj_list(&r->pool, s->n);
	out->tuple = a->tuple;
	out->form = a->form;
	for (i = 0; i < out->n; i++)
		out->items[i] = a->items[s->from + (int64_t)i * s->step];
	return out->n < s->n ? peft_jj_nomem(r) : 0;
}

/* Characters picked one by one, by a table of where they begin. */
static int
pick_chars(struct jj_render *r, const struct jj_value *a, size_t chars,
    const struct steps *s, struct jj_value *out)
{
	size_t *at, i, k = 0;
	struct jj_text t = { .text = { 0 } };
	struct jj_value c;

	if (chars >= r->pool.limit / sizeof(*at) || (at = peft_jj_alloc(
	    &r->pool, (chars + 1) * sizeof(*at))) == NULL)
		return peft_jj_nomem(r);
	for (i = 0; i < a->n; i++)
		if ((a->s[i] & 0xc0) != 0x80)
			at[k++] = i;
	at[k] = a->n;
	for (i = 0; i < s->n; i++) {
		k = (size_t)(s->from + (int64_t)i * s->step);
		c = peft_jj_sub(a, at[k], at[k + 1]);
		peft_jj_put_str(&t, &c);
	}
	return peft_jj_take(r, &t, out);
}

int
peft_jj_slice(struct jj_render *r, const struct jj_value *a,
    const struct jj_value b[3], struct jj_value *out)
{
	size_t chars, from;
	struct steps s = { 0, 1, 0 };

	if ((a->kind != JJ_LIST && a->kind != JJ_STR) ||
	    (a->form != JJ_OWN && a->form != JJ_RANGE))
		return peft_jj_fail(r, "a slice of %s", peft_jj_kind_name(a));
	chars = a->kind == JJ_LIST ? a->n : peft_jj_chars(a);
	if (peft_jj_spend(r, a->n) == -1 ||
	    plan(r, b, (int64_t)chars, &s) == -1)
		return -1;
	if (a->kind == JJ_LIST)
		return slice_list(r, a, &s, out);
	if (s.step != 1)
		return pick_chars(r, a, chars, &s, out);
	from = peft_jj_char_at(a, (size_t)s.from);
	*out = peft_jj_sub(a, from, s.n == 0 ? from :
	    peft_jj_char_at(a, (size_t)s.from + s.n));
	return 0;
}

static int
characters(struct jj_render *r, const struct jj_value *v,
    struct jj_value *out)
{
	size_t i, len, n = 0;

	*out = peft_jj_list(&r->pool, peft_jj_chars(v));
	for (i = 0; i < v->n && n < out->n; i += len) {
		len = peft_utf8_len(v->s + i, v->n - i);
		len = len == 0 ? 1 : len;
		out->items[n++] = peft_jj_sub(v, i, i + len);
	}
	return 0;
}

/* A list's items, a dict's keys, a string's characters; out may be in. */
int
peft_jj_items(struct jj_render *r, const struct jj_value *in,
    struct jj_value *out)
{
	struct jj_value v = *in;

	switch (v.kind) {
	case JJ_UNDEFINED:
		*out = peft_jj_list(&r->pool, 0);
		break;
	case JJ_LIST:
		*out = v;
		if (v.form == JJ_GENERATOR) {
			out->n = v.items[v.n].i == 0 ? v.n : 0;
			v.items[v.n].i = 1;
		}
		break;
	case JJ_DICT:
		*out = peft_jj_list(&r->pool, v.dict->n);
		if (out->n > 0)
			memcpy(out->items, v.dict->keys,
			    out->n * sizeof(v));
		break;
	case JJ_STR:
		characters(r, &v, out);
		break;
	default:
		return peft_jj_fail(r, "%s cannot be walked over",
		    peft_jj_kind_name(&v));
	}
	out->tuple = false;
	out->form = JJ_OWN;
	return r->pool.failed ? peft_jj_nomem(r) : peft_jj_spend(r, out->n);
}

int
peft_jj_generate(struct jj_render *r, struct jj_value *v)
{
	struct jj_value g = peft_jj_list(&r->pool, v->n + 1);

	if (g.n != v->n + 1)
		return peft_jj_nomem(r);
	if (v->n > 0)
		memcpy(g.items, v->items, v->n * sizeof(*v));
	g.items[--g.n] = peft_jj_int(0);
	g.form = JJ_GENERATOR;
	*v = g;
	return 0;
}
