/* SPDX-License-Identifier: Apache-2.0 */
/* Text with origins: prepending, replacing. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/mapped.h"
#include "text/pattern.h"

struct peft_origin
peft_view_origin(const struct peft_view *v, size_t i)
{
	size_t end = i + 1;

	if (v->from != NULL)
		return v->from[i];
	while (i > 0 && (v->s[i] & 0xc0) == 0x80)
		i--;
	while (end < v->n && (v->s[end] & 0xc0) == 0x80)
		end++;
	return (struct peft_origin){ v->base + (uint32_t)i,
	    v->base + (uint32_t)end };
}

void
peft_mapped_free(struct peft_mapped *m)
{
	free(m->s);
	free(m->from);
	*m = (struct peft_mapped){ .limit = m->limit };
}

struct peft_view
peft_mapped_view(const struct peft_mapped *m)
{
	return (struct peft_view){ m->s, m->n, m->from, 0 };
}

static int
reserve(struct peft_mapped *m, size_t n, struct peft_err *err)
{
	size_t cap;
	void *p;

	if (n > m->limit - m->n)
		return peft_seterr(err, "the tokenizer makes more than %zu "
		    "bytes of the text", m->limit);
	if (m->n + n <= m->cap)
		return 0;
	cap = (m->n + n) * 3 / 2 + 64;
	if ((p = realloc(m->s, cap)) != NULL) {
		m->s = p;
		p = realloc(m->from, cap * sizeof(*m->from));
	}
	if (p == NULL)
		return peft_seterr(err, "no memory for %zu bytes of text",
		    cap);
	m->from = p;
	m->cap = cap;
	return 0;
}

int
peft_mapped_put(struct peft_mapped *m, const char *s, size_t n,
    struct peft_origin origin, struct peft_err *err)
{
	size_t i;

	if (reserve(m, n, err) == -1)
		return -1;
	for (i = 0; i < n; i++) {
		m->s[m->n + i] = s[i];
		m->from[m->n + i] = origin;
	}
	m->n += n;
	return 0;
}

/* Each byte has its character's origin. */
int
peft_mapped_copy(struct peft_mapped *m, const struct peft_view *v, size_t begin,
    size_t end, struct peft_err *err)
{
	size_t n = end - begin, i, j;

	if (reserve(m, n, err) == -1)
		return -1;
	if (n == 0)
		return 0;
	memcpy(m->s + m->n, v->s + begin, n);
	if (v->from != NULL) {
		memcpy(m->from + m->n, v->from + begin,
		    n * sizeof(*m->from));
		m->n += n;
		return 0;
	}
	for (i = begin; i < end; i = j) {
		uint32_t from = v->base + (uint32_t)i, to;

		for (j = i + 1; j < end && (v->s[j] & 0xc0) == 0x80;)
			j++;
		to = v->base + (uint32_t)j;
		for (; i < j; i++)
			m->from[m->n++] = (struct peft_origin){ from, to };
	}
	return 0;
}

int
peft_changes_put(struct peft_changes *c, unsigned cp, int change,
    struct peft_err *err)
{
	struct peft_change *grown = peft_grow(c->at, c->n, &c->cap,
	    sizeof(*grown), err);

	if (grown == NULL)
		return -1;
	c->at = grown;
	c->at[c->n++] = (struct peft_change){ cp, change };
	return 0;
}

static size_t
skip(const struct peft_view *v, size_t at)
{
	return at < v->n ? at + peft_utf8_len(v->s + at, v->n - at) : at;
}

int
peft_mapped_change(struct peft_mapped *out, const struct peft_view *v,
    const struct peft_changes *c, struct peft_err *err)
{
	struct peft_origin from;
	size_t i, at = 0;
	char utf8[4];
	int change;

	out->n = 0;
	for (i = 0; i < c->n; i++) {
		change = c->at[i].change;
		from = peft_view_origin(v, change > 0 ? at - (at > 0) :
		    at < v->n ? at : v->n - 1);
		if (change > 0 && at == 0)
			from.end = from.begin;
		for (; change <= 0; change++)
			at = skip(v, at);
		if (peft_mapped_put(out, utf8, peft_utf8_put(utf8,
		    c->at[i].cp), from, err) == -1)
			return -1;
	}
	return 0;
}

/* What is put before a text stands for its first character. */
int
peft_rewrite_prepend(const struct peft_rewrite *r, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	size_t len = strlen(r->to);
	struct peft_origin first;

	if (v->n == 0 || (r->unless_there && v->n >= len &&
	    memcmp(v->s, r->to, len) == 0))
		return 0;
	first = peft_view_origin(v, 0);
	if (r->at_start_only && first.begin != 0)
		return 0;
	out->n = 0;
	if (peft_mapped_put(out, r->to, len, first, err) == -1 ||
	    peft_mapped_copy(out, v, 0, v->n, err) == -1)
		return -1;
	return 1;
}

/* What takes the place of a match stands for its last character, or for the
 * one before it if it is empty. */
static int
put_replaced(const struct peft_rewrite *r, const struct peft_view *v,
    size_t end, struct peft_mapped *out, struct peft_err *err)
{
	struct peft_origin from = peft_view_origin(v, end > 0 ? end - 1 : 0);

	if (end == 0)
		from.end = from.begin;
	return peft_mapped_put(out, r->to, strlen(r->to), from, err);
}

/* Behind an empty match the search goes on a character further; one at the
 * end of the match before is none. */
int
peft_rewrite_replace(const struct peft_rewrite *r, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	size_t at = 0, done = 0, begin = 0, end = 0;
	bool any = false;
	int f;

	while (at <= v->n && (f = peft_pattern_find(r->pattern, v->s, v->n,
	    at, &begin, &end, err)) != 0) {
		if (f == -1)
			return -1;
		at = end > begin ? end : end == v->n ? v->n + 1 : skip(v, end);
		if (begin == end && any && begin == done)
			continue;
		if (!any)
			out->n = 0;
		any = true;
		if (peft_mapped_copy(out, v, done, begin, err) == -1 ||
		    put_replaced(r, v, end, out, err) == -1)
			return -1;
		done = end;
	}
	if (!any)
		return 0;
	return peft_mapped_copy(out, v, done, v->n, err) == -1 ? -1 : 1;
}
