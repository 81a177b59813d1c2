/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: strings with fields, "{} {name!r:>8}" and "%s %-8d". */

#include <string.h>

#include "text/jinja-format.h"

/* Text put together; what goes into Markup is escaped. */
struct fields {
	struct jj_render	*r;
	struct jj_text		 t;
	bool			 safe;
	const struct jj_args	*a;
	size_t			 next;		/* of the arguments in order */
};

static int
put_value(struct fields *f, const struct jj_spec *s, const struct jj_value *v)
{
	struct jj_text t = { .text = { 0 } };
	struct jj_value str;

	if (f->t.text.len > JJ_MAXOUT)
		return peft_jj_fail(f->r, "a text that is too long");
	if (!f->safe)
		return peft_jj_put_format(f->r, &f->t, s, v);
	if (peft_jj_put_format(f->r, &t, s, v) == -1) {
		peft_jj_text_free(&t);
		return -1;
	}
	if (peft_jj_take(f->r, &t, &str) == -1)
		return -1;
	str.safe = v->kind == JJ_STR && v->safe;
	if (peft_jj_escape(f->r, &str, &str) == -1)
		return -1;
	peft_jj_put_str(&f->t, &str);
	return 0;
}

static const struct jj_value *
named(const struct jj_args *a, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->name[i] != NULL && a->len[i] == len &&
		    memcmp(a->name[i], name, len) == 0)
			return &a->v[i];
	return NULL;
}

static const struct jj_value *
placed(const struct jj_args *a, size_t k)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (a->name[i] == NULL && k-- == 0)
			return &a->v[i];
	return NULL;
}

/* The argument that a field begins with. */
static const struct jj_value *
argument(struct fields *f, const char *s, size_t n)
{
	size_t i, k = 0;

	if (n == 0)
		return placed(f->a, f->next++);
	for (i = 0; i < n && i < 6 && s[i] >= '0' && s[i] <= '9'; i++)
		k = k * 10 + (size_t)(s[i] - '0');
	return i == n ? placed(f->a, k) : named(f->a, s, n);
}

/* Behind it, ".name" and "[key]". */
static int
follow(struct fields *f, const char *s, const char *end, struct jj_value *v)
{
	struct jj_value self, key;
	const char *from;
	size_t i;
	int64_t n = 0;

	while (s < end) {
		self = *v;
		from = s + 1;
		if (*s == '.') {
			for (s++; s < end && *s != '.' && *s != '['; s++)
				;
			if (peft_jj_attr(f->r, &self, from, (size_t)(s - from),
			    v) == -1)
				return -1;
			continue;
		}
		if (*s != '[' || (s = memchr(s, ']', (size_t)(end - s))) ==
		    NULL)
			return peft_jj_fail(f->r, "a field that is not "
			    "understood");
		key = peft_jj_str(from, (size_t)(s++ - from), NULL);
		for (i = 0; i < key.n && i < 9 && key.s[i] >= '0' &&
		    key.s[i] <= '9'; i++)
			n = n * 10 + (key.s[i] - '0');
		if (key.n > 0 && i == key.n)
			key = peft_jj_int(n);
		if (peft_jj_item(f->r, &self, &key, v) == -1)
			return -1;
	}
	return 0;
}

/* What stands between two braces: argument[!conversion][:format]. */
static int
put_field(struct fields *f, const char *s, size_t n)
{
	const char *colon = memchr(s, ':', n), *end = s + n, *to, *bang;
	size_t len;
	const struct jj_value *arg;
	struct jj_spec spec;
	struct jj_value v;

	to = colon == NULL ? end : colon;
	bang = memchr(s, '!', (size_t)(to - s));
	to = bang == NULL ? to : bang;
	for (len = 0; s + len < to && s[len] != '.' && s[len] != '['; len++)
		;
	if ((arg = argument(f, s, len)) == NULL)
		return peft_jj_fail(f->r, "format has no argument '%.*s'",
		    len < 40 ? (int)len : 40, s);
	v = *arg;
	if (follow(f, s + len, to, &v) == -1)
		return -1;
	if (bang != NULL && (bang + 1 >= end || (bang[1] == 's' ?
	    peft_jj_tostr(f->r, &v, &v) : bang[1] == 'r' ?
	    peft_jj_repr(f->r, &v, &v) : peft_jj_fail(f->r, "the conversion "
	    "'!%c' is not known here", bang[1])) == -1))
		return -1;
	if (peft_jj_spec(f->r, colon == NULL ? end : colon + 1,
	    colon == NULL ? 0 : (size_t)(end - colon - 1), &spec) == -1)
		return -1;
	if (colon != NULL && colon + 1 < end && v.kind != JJ_STR &&
	    !peft_jj_is_number(&v, &(double){ 0 }))
		return peft_jj_fail(f->r, "a format of %s",
		    peft_jj_kind_name(&v));
	return put_value(f, &spec, &v);
}

static int
put_fields(struct fields *f, const struct jj_value *self)
{
	const char *end = self->s + self->n, *close;
	struct jj_value part;
	size_t i, from;

	for (i = from = 0; i < self->n; i++) {
		char c = self->s[i];

		if (c != '{' && c != '}')
			continue;
		part = peft_jj_sub(self, from, i);
		peft_jj_put_str(&f->t, &part);
		if (i + 1 < self->n && self->s[i + 1] == c) {
			from = ++i;		/* one of the two */
			continue;
		}
		close = c == '}' ? NULL : memchr(self->s + i, '}',
		    (size_t)(end - self->s) - i);
		if (close == NULL)
			return peft_jj_fail(f->r, "a single '%c' in a format",
			    c);
		if (put_field(f, self->s + i + 1, (size_t)(close - self->s) -
		    i - 1) == -1)
			return -1;
		i = (size_t)(close - self->s);
		from = i + 1;
	}
	part = peft_jj_sub(self, from, self->n);
	peft_jj_put_str(&f->t, &part);
	return 0;
}

static int
end(struct fields *f, int s, struct jj_value *out)
{
	if (s == -1) {
		peft_jj_text_free(&f->t);
		return -1;
	}
	if (peft_jj_take(f->r, &f->t, out) == -1)
		return -1;
	out->safe = f->safe;
	return 0;
}

int
peft_jj_format(struct jj_render *r, const struct jj_value *self,
    const struct jj_args *a, struct jj_value *out)
{
	struct fields f = { .r = r, .safe = self->safe, .a = a };

	return end(&f, put_fields(&f, self), out);
}

/* %[(key)][flags][width][.precision]type: where it ends, or NULL. */
static const char *
percent_spec(const char *p, const char *end, struct jj_spec *s)
{
	const char *q;

	*s = (struct jj_spec){ .prec = -1, .fill = " ", .align = '>' };
	for (; p < end && (q = strchr("-0+ #", *p)) != NULL; p++)
		switch (*q) {
		case '-':
			s->align = '<';
			break;
		case '0':
			s->zero = true;
			break;
		case '#':
			s->alt = true;
			break;
		default:
			s->sign = *q;
		}
	for (; p < end && *p >= '0' && *p <= '9' && s->width < 1000; p++)
		s->width = s->width * 10 + (size_t)(*p - '0');
	if (p < end && *p == '.')
		for (p++, s->prec = 0; p < end && *p >= '0' && *p <= '9' &&
		    s->prec < 10; p++)
			s->prec = s->prec * 10 + (*p - '0');
	s->zero &= s->align == '>';
	return p < end && strchr("srdiufFeEgGxX", *p) != NULL ? p : NULL;
}

/* Of values on the right of %, the next, or that of a key. */
static int
percent_value(struct fields *f, const struct jj_value *right,
    const struct jj_value *key, struct jj_value *v)
{
	bool many = right->kind == JJ_LIST && right->tuple;

	if (key != NULL)
		return peft_jj_item(f->r, right, key, v);
	if (f->next >= (many ? right->n : 1))
		return peft_jj_fail(f->r, "not enough arguments for %%");
	*v = many ? right->items[f->next] : *right;
	f->next++;
	return 0;
}

/* At a "%"; *p is moved behind what it begins. */
static int
put_percent(struct fields *f, const struct jj_value *right, const char **p,
    const char *end)
{
	struct jj_value key, v;
	const char *close = NULL;
	struct jj_spec s;
	bool whole;

	if (*p + 1 < end && (*p)[1] == '(' &&
	    (close = memchr(*p, ')', (size_t)(end - *p))) != NULL)
		key = peft_jj_str(*p + 2, (size_t)(close - *p - 2), NULL);
	*p = percent_spec(close != NULL ? close + 1 : *p + 1, end, &s);
	if (*p == NULL)
		return peft_jj_fail(f->r, "a %% that is not understood");
	s.type = *(*p)++;
	if (percent_value(f, right, close != NULL ? &key : NULL, &v) == -1)
		return -1;
	if (s.type == 'r' && peft_jj_repr(f->r, &v, &v) == -1)
		return -1;
	whole = s.type == 'd' || s.type == 'i' || s.type == 'u';
	if (whole && v.kind == JJ_FLOAT && v.f > -0x1p62 && v.f < 0x1p62)
		v = peft_jj_int((int64_t)v.f);
	s.type = whole ? 'd' : s.type == 'r' ? 's' : s.type;
	return put_value(f, &s, &v);
}

int
peft_jj_percent(struct jj_render *r, const struct jj_value *self,
    const struct jj_value *right, struct jj_value *out)
{
	struct fields f = { .r = r, .safe = self->safe };
	const char *p = self->s, *to = p + self->n, *next;
	struct jj_value part;
	int s = 0;

	for (; s == 0 && p < to; p = next) {
		next = memchr(p, '%', (size_t)(to - p));
		next = next == NULL ? to : next;
		part = peft_jj_sub(self, (size_t)(p - self->s),
		    (size_t)(next - self->s));
		peft_jj_put_str(&f.t, &part);
		if (next == to)
			break;
		if (next + 1 < to && next[1] == '%') {
			peft_jj_put(&f.t, "%", 1, 0);
			next += 2;
		} else if ((s = put_percent(&f, right, &next, to)) == -1)
			break;
	}
	if (s == 0 && right->kind == JJ_LIST && right->tuple &&
	    f.next < right->n)
		s = peft_jj_fail(r, "not all arguments of %% are used");
	else if (s == 0 && f.next == 0 && right->kind != JJ_LIST &&
	    right->kind != JJ_DICT)
		s = peft_jj_fail(r, "not all arguments of %% are used");
	return end(&f, s, out);
}
