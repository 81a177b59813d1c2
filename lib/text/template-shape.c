/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: filters that shorten strings and break them into lines. */

#include <string.h>

#include "text/jinja.h"

#define FILTER(name)							\
static int								\
name(struct jj_render *r, const struct jj_value *in,			\
    const struct jj_args *a, struct jj_value *out)

/* A number among the arguments. */
static int
number(struct jj_render *r, const struct jj_args *a, int i, int64_t *n)
{
	if (a->at[i] != NULL && !peft_jj_is_whole(a->at[i], n))
		return peft_jj_fail(r, "%s where a number belongs",
		    peft_jj_kind_name(a->at[i]));
	return 0;
}

/* length killwords end leeway */
FILTER(f_truncate)
{
	struct jj_value end = peft_jj_cstr("..."), space = peft_jj_cstr(" ");
	int64_t length = 255, leeway = 5, n, at;

	if (in->kind != JJ_STR || (a->at[2] != NULL &&
	    a->at[2]->kind != JJ_STR))
		return peft_jj_fail(r, "truncate of what is no string");
	end = a->at[2] != NULL ? *a->at[2] : end;
	if (number(r, a, 0, &length) == -1 ||
	    (a->at[3] != NULL && a->at[3]->kind != JJ_NONE &&
	    number(r, a, 3, &leeway) == -1))
		return -1;
	n = length - (int64_t)peft_jj_chars(&end);
	if (n < 0 || leeway < 0)
		return peft_jj_fail(r, "truncate to less than its end has");
	*out = *in;
	if ((int64_t)peft_jj_chars(in) - leeway <= length)
		return 0;
	*out = peft_jj_sub(in, 0, peft_jj_char_at(in, (size_t)n));
	if (!(a->at[1] != NULL && peft_jj_truth(a->at[1])) &&
	    (at = peft_jj_search(out, &space, true)) >= 0)
		*out = peft_jj_sub(out, 0, (size_t)at);
	return peft_jj_add(r, out, &end, out);
}

/* A line, by characters: where they begin and what they are. */
enum { SPACE = 1, WORD = 2, LETTER = 4, PUNCT = 8, DASH = 16 };
struct line {
	struct jj_value		 s;
	size_t			*at;		/* [n + 1] */
	unsigned char		*is;		/* [n + 1], the last 0 */
	size_t			 n;
};

static int
read_line(struct jj_render *r, const struct jj_value *s, struct line *l)
{
	size_t chars = peft_jj_chars(s), i, len;
	unsigned cp;

	*l = (struct line){ .s = *s };
	l->at = peft_jj_alloc(&r->pool, (chars + 1) * sizeof(*l->at));
	l->is = peft_jj_alloc(&r->pool, chars + 1);
	if (l->at == NULL || l->is == NULL)
		return peft_jj_nomem(r);
	for (i = 0; i < s->n && l->n < chars; i += len) {
		len = peft_utf8_len(s->s + i, s->n - i);
		len = len == 0 ? 1 : len;
		cp = peft_utf8_get(s->s + i, len);
		l->is[l->n] = (cp < 0x80 && cp != 0 && strchr("\t\n\v\f\r ",
		    (int)cp) != NULL ? SPACE : 0) |
		    (peft_jj_is_word(cp, false) ? WORD | PUNCT : 0) |
		    (peft_jj_is_word(cp, true) ? LETTER : 0) |
		    (cp < 0x80 && cp != 0 && strchr("!\"'&.,?", (int)cp) !=
		    NULL ? PUNCT : 0) | (cp == '-' ? DASH : 0);
		l->at[l->n++] = i;
	}
	l->at[l->n] = s->n;
	return 0;
}

static bool
is(const struct line *l, size_t at, unsigned what)
{
	return at < l->n && (l->is[at] & what) != 0;
}

/* "--" between words: its length, or 0. */
static size_t
dashes(const struct line *l, size_t i)
{
	size_t n = 0;

	while (is(l, i + n, DASH))
		n++;
	return n >= 2 && i > 0 && is(l, i - 1, PUNCT) && is(l, i + n, WORD) ?
	    n : 0;
}

/* A hyphen behind which a line may end. */
static bool
hyphen(const struct line *l, size_t j)
{
	return is(l, j, DASH) && j >= 2 && ((is(l, j - 2, LETTER) &&
	    is(l, j - 1, LETTER)) || (j >= 3 && is(l, j - 3, LETTER) &&
	    is(l, j - 2, DASH) && is(l, j - 1, PUNCT))) &&
	    is(l, j + 1, LETTER) && (is(l, j + 2, LETTER) ||
	    (is(l, j + 2, DASH) && is(l, j + 3, LETTER)));
}

/* Where the piece that begins at i ends, as Python's textwrap cuts lines. */
static size_t
piece(const struct line *l, size_t i, bool hyphens)
{
	size_t j = i;

	if (is(l, i, SPACE)) {
		while (is(l, j, SPACE))
			j++;
		return j;
	}
	if (hyphens && (j = dashes(l, i)) > 0)
		return i + j;
	for (j = i + 1; j < l->n && !is(l, j, SPACE); j++) {
		if (hyphens && hyphen(l, j))
			return j + 1;
		if (hyphens && dashes(l, j) > 0)
			return j;
	}
	return j;
}

struct wrap {
	size_t	width;
	bool	breaks, hyphens;
};

/* How much of a piece [i, end) that is longer than a line goes into the room
 * that is left. */
static size_t
cut(const struct line *l, const struct wrap *w, size_t i, size_t room)
{
	size_t k = i + room;

	if (w->hyphens)
		while (k > i + 1 && !is(l, k - 1, DASH))
			k--;
	/* not if there are but hyphens before it */
	if (w->hyphens && k > i + 1 && is(l, k - 1, DASH)) {
		size_t j = i;

		while (j < k - 1 && is(l, j, DASH))
			j++;
		if (j < k - 1)
			return k;
	}
	return i + room;
}

/* One line from *i on, which is moved: [from, to).  true: it ends in the midst
 * of a piece, and what is before that stays, white space or not. */
static bool
one_line(const struct line *l, const struct wrap *w, bool first, size_t *i,
    size_t *end, size_t *from, size_t *to)
{
	if (!first && is(l, *i, SPACE)) {
		*i = *end;
		*end = piece(l, *i, w->hyphens);
	}
	*from = *to = *i;
	while (*i < l->n && *end - *from <= w->width) {
		*to = *i = *end;
		*end = *i < l->n ? piece(l, *i, w->hyphens) : *i;
	}
	if (*i < l->n && *end - *i > w->width) {
		if (w->breaks) {
			*to = *i = cut(l, w, *i, w->width - (*i - *from));
			return true;
		}
		if (*i == *from) {
			*to = *i = *end;
			*end = *i < l->n ? piece(l, *i, w->hyphens) : *i;
		}
	}
	return false;
}

static int
wrap_line(struct jj_render *r, const struct jj_value *s, const struct wrap *w,
    const struct jj_value *sep, struct jj_text *t)
{
	size_t i = 0, end, from, to, begun;
	struct jj_value part;
	struct line l;
	bool first = true;

	if (read_line(r, s, &l) == -1)
		return -1;
	end = l.n > 0 ? piece(&l, 0, w->hyphens) : 0;
	while (i < l.n) {
		bool midst = one_line(&l, w, first, &i, &end, &from, &to);

		/* the last piece of it, if that is white space */
		for (begun = to; !midst && begun > from &&
		    is(&l, begun - 1, SPACE);)
			begun--;
		if (begun == from)
			continue;
		part = peft_jj_sub(&l.s, l.at[from], l.at[begun]);
		if (!first)
			peft_jj_put_str(t, sep);
		peft_jj_put_str(t, &part);
		first = false;
		if (t->text.len > JJ_MAXOUT)
			return peft_jj_fail(r, "a text that is too long");
	}
	return 0;
}

/* width break_long_words wrapstring break_on_hyphens */
FILTER(f_wordwrap)
{
	struct wrap w = { .breaks = true, .hyphens = true };
	struct jj_value sep = peft_jj_cstr("\n"), lines;
	struct jj_args none = { .n = 0 };
	struct jj_text t = { .text = { 0 } };
	int64_t width = 79;
	size_t i;
	int s = 0;

	if (in->kind != JJ_STR || (a->at[2] != NULL && a->at[2]->kind !=
	    JJ_NONE && a->at[2]->kind != JJ_STR))
		return peft_jj_fail(r, "wordwrap of what is no string");
	if (a->at[2] != NULL && a->at[2]->kind == JJ_STR)
		sep = *a->at[2];
	w.breaks = a->at[1] == NULL || peft_jj_truth(a->at[1]);
	w.hyphens = a->at[3] == NULL || peft_jj_truth(a->at[3]);
	if (number(r, a, 0, &width) == -1 ||
	    peft_jj_splitlines(r, in, &none, &lines) == -1)
		return -1;
	if (width <= 0 && lines.n > 0)
		return peft_jj_fail(r, "lines of no width");
	w.width = (size_t)width;
	for (i = 0; s == 0 && i < lines.n; i++) {
		if (i > 0)
			peft_jj_put_str(&t, &sep);
		s = wrap_line(r, &lines.items[i], &w, &sep, &t);
	}
	if (s == 0)
		return peft_jj_take(r, &t, out);
	peft_jj_text_free(&t);
	return -1;
}

static const struct jj_builtin filters[] = {
	{ .name = "truncate", .f = f_truncate,
	    .params = "length killwords end leeway" },
	{ .name = "wordwrap", .f = f_wordwrap, .params = "width "
	    "break_long_words wrapstring break_on_hyphens" },
};

const struct jj_builtin *
peft_jj_shape_filter(const char *name, size_t len)
{
	return peft_jj_find(filters, sizeof(filters) / sizeof(filters[0]),
	    name, len, JJ_UNDEFINED);
}
