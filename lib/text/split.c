/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting texts at what is found in them. */

#include <string.h>

#include "base/buf.h"
#include "text/pattern.h"
#include "text/split.h"
#include "text/unicode.h"

int
peft_behavior_of(const char *name)
{
	static const char *const names[] = { "Isolated", "Removed",
	    "MergedWithPrevious", "MergedWithNext", "Contiguous" };
	int i;

	for (i = 0; i < 5; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

int
peft_find_pattern(const struct peft_finder *f, const char *s, size_t n,
    size_t at, size_t *begin, size_t *end, struct peft_err *err)
{
	return peft_pattern_find(f->pattern, s, n, at, begin, end, err);
}

/* The next character that is one of a kind. */
static int
find_kind(bool (*is)(const struct peft_finder *, unsigned cp),
    const struct peft_finder *f, const char *s, size_t n, size_t at,
    size_t *begin, size_t *end)
{
	size_t len;

	for (; at < n; at += len) {
		len = peft_utf8_len(s + at, n - at);
		if (!is(f, peft_utf8_get(s + at, len)))
			continue;
		*begin = at;
		*end = at + len;
		return 1;
	}
	return 0;
}

static bool
is_char(const struct peft_finder *f, unsigned cp)
{
	return cp == f->cp;
}

static bool
is_space(const struct peft_finder *f, unsigned cp)
{
	(void)f;
	return peft_class_of(cp) == PEFT_SPACE;
}

static bool
is_punctuation(const struct peft_finder *f, unsigned cp)
{
	(void)f;
	return peft_is_punctuation(cp);
}

int
peft_find_char(const struct peft_finder *f, const char *s, size_t n,
    size_t at, size_t *begin, size_t *end, struct peft_err *err)
{
	(void)err;
	return find_kind(is_char, f, s, n, at, begin, end);
}

int
peft_find_space(const struct peft_finder *f, const char *s, size_t n,
    size_t at, size_t *begin, size_t *end, struct peft_err *err)
{
	(void)err;
	return find_kind(is_space, f, s, n, at, begin, end);
}

int
peft_find_punctuation(const struct peft_finder *f, const char *s, size_t n,
    size_t at, size_t *begin, size_t *end, struct peft_err *err)
{
	(void)err;
	return find_kind(is_punctuation, f, s, n, at, begin, end);
}

/* 0 white space, 1 of a word, 2 neither */
static int
kind_at(const char *s, size_t n, size_t at, size_t *len)
{
	unsigned cp;

	*len = peft_utf8_len(s + at, n - at);
	cp = peft_utf8_get(s + at, *len);
	return peft_class_of(cp) == PEFT_SPACE ? 0 : peft_is_word(cp) ? 1 : 2;
}

/* \w+|[^\w\s]+ */
int
peft_find_word(const struct peft_finder *f, const char *s, size_t n,
    size_t at, size_t *begin, size_t *end, struct peft_err *err)
{
	size_t len;
	int kind;

	(void)f;
	(void)err;
	while (at < n && kind_at(s, n, at, &len) == 0)
		at += len;
	if (at == n)
		return 0;
	*begin = at;
	for (kind = kind_at(s, n, at, &len); at < n && kind_at(s, n, at,
	    &len) == kind; at += len)
		;
	*end = at;
	return 1;
}

int
peft_find_length(const struct peft_finder *f, const char *s, size_t n,
    size_t at, size_t *begin, size_t *end, struct peft_err *err)
{
	size_t k;

	(void)err;
	if (at == n)
		return 0;
	*begin = at;
	for (k = 0; k < f->length && at < n; k++)
		at += peft_utf8_len(s + at, n - at);
	*end = at;
	return 1;
}

/* What has no script belongs to what is before it; at the start of a text it
 * is not found. */
int
peft_find_script(const struct peft_finder *f, const char *s, size_t n,
    size_t at, size_t *begin, size_t *end, struct peft_err *err)
{
	int script, last = -1;
	size_t len;

	(void)f;
	(void)err;
	for (; at < n; at += len) {
		len = peft_utf8_len(s + at, n - at);
		script = peft_script_of(peft_utf8_get(s + at, len));
		if (script != -1 && last != -1 && script != last)
			break;
		if (script != -1 && last == -1)
			*begin = at;
		last = script != -1 ? script : last;
	}
	*end = at;
	return last != -1;
}

static int
put(struct peft_parts *p, size_t begin, size_t end, bool found,
    struct peft_err *err)
{
	struct peft_part *grown = peft_grow(p->at, p->n, &p->cap,
	    sizeof(*grown), err);

	if (grown == NULL)
		return -1;
	p->at = grown;
	p->at[p->n++] = (struct peft_part){ (uint32_t)begin, (uint32_t)end,
	    found, false };
	return 0;
}

/* Finds and what is between them.  Behind an empty find the search goes on
 * a character further, and at an end of a find an empty one is none. */
static int
search(const struct peft_finder *f, const char *s, size_t n,
    struct peft_parts *p, struct peft_err *err)
{
	size_t at = 0, done = 0, begin = 0, end = 0;
	bool any = false;
	int r;

	while (at <= n && (r = f->find(f, s, n, at, &begin, &end, err)) != 0) {
		if (r == -1)
			return -1;
		at = end > begin ? end : end == n ? n + 1 : end +
		    peft_utf8_len(s + end, n - end);
		if (begin == end && any && begin == done)
			continue;
		if (begin > done && put(p, done, begin, f->invert, err) == -1)
			return -1;
		if (put(p, begin, end, !f->invert, err) == -1)
			return -1;
		done = end;
		any = true;
	}
	return done < n ? put(p, done, n, f->invert, err) : 0;
}

/* A find, or in runs what is as the one before, joins the part before. */
static void
join_previous(struct peft_parts *p, bool contiguous)
{
	bool before = false;	/* was the part before found? */
	size_t i, k = 0;

	for (i = 0; i < p->n; i++) {
		struct peft_part q = p->at[i];
		bool join = contiguous ? q.found == before :
		    q.found && !before;

		before = q.found;
		if (join && k > 0)
			p->at[k - 1].end = q.end;
		else
			p->at[k++] = q;
	}
	p->n = k;
}

static void
join_next(struct peft_parts *p)
{
	bool behind = false;
	size_t i, k = p->n;

	for (i = p->n; i-- > 0;) {
		struct peft_part q = p->at[i];
		bool join = q.found && !behind;

		behind = q.found;
		if (join && k < p->n)
			p->at[k].begin = q.begin;
		else
			p->at[--k] = q;
	}
	memmove(p->at, p->at + k, (p->n - k) * sizeof(*p->at));
	p->n -= k;
}

int
peft_split(const struct peft_finder *f, const char *s, size_t n,
    struct peft_parts *p, struct peft_err *err)
{
	size_t i;

	p->n = 0;
	if (search(f, s, n, p, err) == -1)
		return -1;
	if (f->behavior == PEFT_S_PREVIOUS || f->behavior ==
	    PEFT_S_CONTIGUOUS)
		join_previous(p, f->behavior == PEFT_S_CONTIGUOUS);
	else if (f->behavior == PEFT_S_NEXT && p->n > 0)
		join_next(p);
	for (i = 0; i < p->n; i++)
		p->at[i].drop = p->at[i].begin == p->at[i].end ||
		    (f->behavior == PEFT_S_REMOVED && p->at[i].found);
	return 0;
}
