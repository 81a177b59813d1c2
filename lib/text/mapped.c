/* SPDX-License-Identifier: Apache-2.0 */
/* Text with origins: prepending, replacing. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/mapped.h"

struct peft_view
peft_view_part(const struct peft_view *v, size_t begin, size_t end)
{
	return (struct peft_view){ v->s + begin, end - begin,
	    v->from == NULL ? NULL : v->from + begin,
	    v->base + (uint32_t)begin };
}

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

/* What takes the place of a string stands for its last character. */
int
peft_rewrite_replace(const struct peft_rewrite *r, const struct peft_view *v,
    struct peft_mapped *out, struct peft_err *err)
{
	size_t nfrom = strlen(r->from), nto = strlen(r->to), done = 0, at;
	const char *hit;

	hit = memmem(v->s, v->n, r->from, nfrom);
	if (hit == NULL)
		return 0;
	out->n = 0;
	for (; hit != NULL; hit = memmem(v->s + done, v->n - done, r->from,
	    nfrom)) {
		at = (size_t)(hit - v->s);
		if (peft_mapped_copy(out, v, done, at, err) == -1 ||
		    peft_mapped_put(out, r->to, nto, peft_view_origin(v,
		    at + nfrom - 1), err) == -1)
			return -1;
		done = at + nfrom;
	}
	return peft_mapped_copy(out, v, done, v->n, err) == -1 ? -1 : 1;
}
