/* SPDX-License-Identifier: Apache-2.0 */
/* Normalisation form C: canonical decomposition, then composition. */

#include <stdlib.h>

#include "base/buf.h"
#include "text/mapped.h"

struct marks {
	unsigned	from, to, class;	/* combining class */
};
struct span {
	unsigned	from, to;
};
struct parts {
	unsigned	whole, first, second;	/* second may be 0 */
};

#include "text/nfc-tables.inc"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum {		/* Hangul syllables are composed by arithmetic */
	SBASE = 0xac00, LBASE = 0x1100, VBASE = 0x1161, TBASE = 0x11a7,
	LCOUNT = 19, VCOUNT = 21, TCOUNT = 28, SCOUNT = LCOUNT * VCOUNT * TCOUNT
};

/* A character, and how many were put in (1) or taken out (< 0) for it. */
struct item {
	unsigned	cp, class;
	int		change;
	size_t		place;		/* keeps the sort stable */
};

struct items {
	struct item	*at;
	size_t		 n, cap;
};

static unsigned
class_of(unsigned cp)
{
	size_t lo = 0, hi = COUNT(marks), mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (marks[mid].to < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < COUNT(marks) && marks[lo].from <= cp ? marks[lo].class : 0;
}

/* May NFC change this character, or join it to the one before? */
static bool
is_active(unsigned cp)
{
	size_t lo = 0, hi = COUNT(active), mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (active[mid].to < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < COUNT(active) && active[lo].from <= cp;
}

static const struct parts *
parts_of(unsigned cp)
{
	size_t lo = 0, hi = COUNT(parts), mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (parts[mid].whole < cp)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < COUNT(parts) && parts[lo].whole == cp ? &parts[lo] : NULL;
}

/* The character that two make together, or 0. */
static unsigned
compose(unsigned a, unsigned b)
{
	size_t lo = 0, hi = COUNT(by_parts), mid;
	const struct parts *p;

	if (a - LBASE < LCOUNT && b - VBASE < VCOUNT)
		return SBASE + ((a - LBASE) * VCOUNT + b - VBASE) * TCOUNT;
	if (a - SBASE < SCOUNT && (a - SBASE) % TCOUNT == 0 &&
	    b - TBASE - 1 < TCOUNT - 1)
		return a + b - TBASE;
	while (lo < hi) {
		mid = (lo + hi) / 2;
		p = &parts[by_parts[mid]];
		if (p->first < a || (p->first == a && p->second < b))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == COUNT(by_parts))
		return 0;
	p = &parts[by_parts[lo]];
	return p->first == a && p->second == b ? p->whole : 0;
}

static int
add(struct items *l, unsigned cp, int change, struct peft_err *err)
{
	struct item *grown = peft_grow(l->at, l->n, &l->cap, sizeof(*l->at),
	    err);

	if (grown == NULL)
		return -1;
	l->at = grown;
	l->at[l->n] = (struct item){ cp, class_of(cp), change, l->n };
	l->n++;
	return 0;
}

/* The first of a character's parts stands for it, the others are put in. */
static int
decompose(struct items *l, unsigned cp, int change, struct peft_err *err)
{
	const struct parts *p;

	if (cp - SBASE < SCOUNT) {
		unsigned s = cp - SBASE, t = s % TCOUNT;

		if (add(l, LBASE + s / TCOUNT / VCOUNT, change, err) == -1 ||
		    add(l, VBASE + s / TCOUNT % VCOUNT, 1, err) == -1)
			return -1;
		return t == 0 ? 0 : add(l, TBASE + t, 1, err);
	}
	if ((p = parts_of(cp)) == NULL)
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
		    (whole = compose(l->at[letter].cp, c.cp)) != 0) {
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

/* The first active character from s + at on, and the start of the one before
 * it (at the start: its own); n if there is none. */
static size_t
next_active(const struct peft_view *v, size_t at, size_t *before)
{
	size_t i, len;

	*before = at;
	for (i = at; i < v->n; i += len) {
		unsigned char c = (unsigned char)v->s[i];

		/* below U+0300 nothing is active */
		len = c < 0x80 ? 1 : c < 0xcc ? 2 : skip(v, i) - i;
		if (c >= 0xcc && is_active(peft_utf8_get(v->s + i, len)))
			return i;
		*before = i;
	}
	return v->n;
}

/* A letter and the active characters behind it. */
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
	recompose(l);
	return put_items(l, v, out, err);
}

int
peft_rewrite_nfc(const struct peft_rewrite *r, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	struct items l = { 0 };
	struct peft_view part;
	size_t at = 0, from, end, len;
	int status = 0;

	(void)r;
	if ((end = next_active(v, 0, &from)) == v->n)
		return 0;
	out->n = 0;
	while (status == 0 && end < v->n) {
		for (; end < v->n; end += len) {
			len = skip(v, end) - end;
			if (!is_active(peft_utf8_get(v->s + end, len)))
				break;
		}
		status = peft_mapped_copy(out, v, at, from, err);
		part = peft_view_part(v, from, end);
		if (status == 0)
			status = rewrite_cluster(&l, &part, out, err);
		at = end;
		end = next_active(v, at, &from);
	}
	if (status == 0)
		status = peft_mapped_copy(out, v, at, v->n, err);
	free(l.at);
	return status == -1 ? -1 : 1;
}
