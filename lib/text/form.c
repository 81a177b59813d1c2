/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normalisation forms: decomposition, canonical or (forms K) compatible, then
 * composition (forms C).  The canonical part is a table, made by the software
 * that is to be matched, since which characters join is seen in offsets; what
 * characters are compatible with comes from utf8proc.
 */

#include <stdlib.h>
#include <utf8proc.h>

#include "base/buf.h"
#include "text/form-impl.h"
#include "text/mapped.h"

/* A character, and how many were put in (1) or taken out (< 0) for it. */
struct item {
	unsigned	cp, class;
	int		change;
	size_t		place;		/* keeps the sort stable */
};

struct items {
	struct item	*at;
	size_t		 n, cap;
	bool		 compat, compose;
};

static int
add(struct items *l, unsigned cp, int change, struct peft_err *err)
{
	struct item *grown = peft_grow(l->at, l->n, &l->cap, sizeof(*l->at),
	    err);

	if (grown == NULL)
		return -1;
	l->at = grown;
	l->at[l->n] = (struct item){ cp, peft_form_class(cp), change, l->n };
	l->n++;
	return 0;
}

static int
decompose_compat(struct items *l, unsigned cp, int change,
    struct peft_err *err)
{
	utf8proc_int32_t part[32];
	utf8proc_ssize_t n = 0, i;
	int boundary = 0;

	if (peft_form_compat(cp))
		n = utf8proc_decompose_char((utf8proc_int32_t)cp, part, 32,
		    UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, &boundary);
	if (n <= 0 || n > 32)
		return add(l, cp, change, err);
	for (i = 0; i < n; i++)
		if (add(l, (unsigned)part[i], i == 0 ? change : 1, err) == -1)
			return -1;
	return 0;
}

/* The first of a character's parts stands for it, the others are put in. */
static int
decompose(struct items *l, unsigned cp, int change, struct peft_err *err)
{
	const struct peft_form_parts *p;

	if (cp - SBASE < SCOUNT) {
		unsigned s = cp - SBASE, t = s % TCOUNT;

		if (add(l, LBASE + s / TCOUNT / VCOUNT, change, err) == -1 ||
		    add(l, VBASE + s / TCOUNT % VCOUNT, 1, err) == -1)
			return -1;
		return t == 0 ? 0 : add(l, TBASE + t, 1, err);
	}
	if (l->compat)
		return decompose_compat(l, cp, change, err);
	if ((p = peft_form_parts_of(cp)) == NULL)
		return add(l, cp, change, err);
	if (decompose(l, p->first, change, err) == -1)
		return -1;
	return p->second == 0 ? 0 : decompose(l, p->second, 1, err);
}

static int
by_class(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	return x->place < y->place ? -1 : 1;
}

/* Marks behind a letter, in the order of their classes. */
static void
sort_marks(struct items *l)
{
	size_t i, j;

	for (i = 0; i < l->n; i = j + 1) {
		for (j = i; j < l->n && l->at[j].class != 0; j++)
			;
		if (j > i + 1)
			qsort(l->at + i, j - i, sizeof(*l->at), by_class);
	}
}

/* Join letters and marks, in place; a mark is kept from its letter by one of
 * its own class or a higher one in between. */
static void
recompose(struct items *l)
{
	size_t i, n = 0, letter = SIZE_MAX;
	unsigned last = 0, whole;	/* class of the mark before; 0: none */

	for (i = 0; i < l->n; i++) {
		struct item c = l->at[i];

		if (letter != SIZE_MAX && (last == 0 || last < c.class) &&
		    (whole = peft_form_compose(l->at[letter].cp, c.cp)) != 0) {
			l->at[letter].cp = whole;
			l->at[letter].change += c.change - 1;
			continue;
		}
		if (c.class == 0) {
			letter = n;
			last = 0;
		} else if (letter != SIZE_MAX)
			last = c.class;
		l->at[n++] = c;
	}
	l->n = n;
}

static size_t
skip(const struct peft_view *v, size_t i)
{
	return i + peft_utf8_len(v->s + i, v->n - i);
}

static int
put_items(const struct items *l, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	struct peft_origin from;
	size_t i, at = 0;
	char utf8[4];
	int change;

	for (i = 0; i < l->n; i++) {
		change = l->at[i].change;
		/* what was put in stands for what is before it */
		from = peft_view_origin(v, change > 0 && at > 0 ? at - 1 :
		    at < v->n ? at : v->n - 1);
		for (; change <= 0 && at < v->n; change++)
			at = skip(v, at);
		if (peft_mapped_put(out, utf8, peft_utf8_put(utf8,
		    l->at[i].cp), from, err) == -1)
			return -1;
	}
	return 0;
}

/* May the form change this character, or join it to the one before?  Form C
 * leaves alone all below U+0300, the others only ASCII. */
static bool
is_touched(const struct items *l, const struct peft_view *v, size_t i,
    size_t len)
{
	unsigned char c = (unsigned char)v->s[i];
	unsigned cp;

	if (c < (l->compose && !l->compat ? 0xcc : 0x80))
		return false;
	cp = peft_utf8_get(v->s + i, len);
	if (l->compat && peft_form_compat(cp))
		return true;
	if (l->compose)
		return peft_form_active(cp);
	return peft_form_class(cp) != 0 || cp - SBASE < SCOUNT ||
	    peft_form_parts_of(cp) != NULL;
}

/* The first such character from s + at on, and the start of the one before
 * it (at the start: its own); n if there is none. */
static size_t
next_touched(const struct items *l, const struct peft_view *v, size_t at,
    size_t *before)
{
	size_t i, len;

	*before = at;
	for (i = at; i < v->n; i += len) {
		len = (unsigned char)v->s[i] < 0x80 ? 1 : skip(v, i) - i;
		if (is_touched(l, v, i, len))
			return i;
		*before = i;
	}
	return v->n;
}

/* A letter and the touched characters behind it. */
static int
rewrite_cluster(struct items *l, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	size_t i, len;

	l->n = 0;
	for (i = 0; i < v->n; i += len) {
		len = skip(v, i) - i;
		if (decompose(l, peft_utf8_get(v->s + i, len), 0, err) == -1)
			return -1;
	}
	sort_marks(l);
	if (l->compose)
		recompose(l);
	return put_items(l, v, out, err);
}

int
peft_rewrite_form(const struct peft_rewrite *r, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	struct items l = { .compat = r->compat, .compose = r->compose };
	struct peft_view part;
	size_t at = 0, from, end, len;
	int status = 0;

	if ((end = next_touched(&l, v, 0, &from)) == v->n)
		return 0;
	out->n = 0;
	while (status == 0 && end < v->n) {
		for (; end < v->n; end += len) {
			len = skip(v, end) - end;
			if (!is_touched(&l, v, end, len))
				break;
		}
		status = peft_mapped_copy(out, v, at, from, err);
		part = peft_view_part(v, from, end);
		if (status == 0)
			status = rewrite_cluster(&l, &part, out, err);
		at = end;
		end = next_touched(&l, v, at, &from);
	}
	if (status == 0)
		status = peft_mapped_copy(out, v, at, v->n, err);
	free(l.at);
	return status == -1 ? -1 : 1;
}
