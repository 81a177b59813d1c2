/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: model.merges. */

#include <stdlib.h>
#include <string.h>

#include "base/json-scan.h"
#include "text/tokenizer-reader.h"

enum { SOME = 32 };		/* merges that are looked up together */

/* A merge as it is spelt: in the file, or in r->key if there are escapes. */
struct spelt {
	const char	*a, *b;
	size_t		 na, nb;
	const struct peft_lookup_slot *at[2];
};

/* The string that comes next.  It is not copied, and not read as UTF-8, unless
 * there are escapes: what is in the vocabulary was read strictly there, and
 * what is not is refused.  *key: room for copies. */
static int
part(struct peft_walk *w, char **key, const char **s, size_t *n)
{
	const char *from, *p;
	size_t len = 8;

	if (peft_walk_peek(w) != '"')
		return peft_walk_fail(w, "a string is missing");
	for (p = from = w->p + 1; len == 8 && w->end - p >= 8; p += len)
		len = peft_json_printed(p);
	if (len < 8 && *p == '"') {
		w->p = p + 1;
		*s = from;
		*n = (size_t)(p - from);
		return 0;
	}
	if (peft_walk_string(w, *key, n) == -1)
		return -1;
	*s = *key;
	*key += *n + 1;
	return 0;
}

/* "a b", cut at its single space, or ["a", "b"]. */
static int
merge_parts(struct peft_walk *w, char **key, struct spelt *m)
{
	const char *space;
	size_t n = 0;

	if (peft_walk_peek(w) == '[') {
		w->p++;
		return part(w, key, &m->a, &m->na) == -1 ||
		    peft_walk_expect(w, ',') == -1 ||
		    part(w, key, &m->b, &m->nb) == -1 ||
		    peft_walk_expect(w, ']') == -1 ? -1 : 0;
	}
	if (part(w, key, &m->a, &n) == -1)
		return -1;
	space = memchr(m->a, ' ', n);
	if (space == NULL || memchr(space + 1, ' ',
	    n - (size_t)(space + 1 - m->a)) != NULL)
		return !peft_utf8_all(m->a, n) ? peft_walk_fail(w, "not UTF-8") :
		    peft_seterr(w->err, "model.merges: '%.*s' is not two "
		    "tokens and a space", n < 100 ? (int)n : 100, m->a);
	m->b = space + 1;
	m->na = (size_t)(space - m->a);
	m->nb = n - m->na - 1;
	return 0;
}

/* The token that a merge makes: mostly the one of the merge before, or the
 * next, which need not be searched for. */
static int32_t
made(const struct peft_reader *r, const struct spelt *m)
{
	const struct peft_tokenizer *t = r->t;
	const struct peft_str *str;
	size_t id, n = m->na + m->nb;

	id = t->bpe.n == 0 ? t->ntokens :
	    (size_t)t->bpe.merge[t->bpe.n - 1].result;
	for (str = &t->text[id]; str < t->text + t->ntokens &&
	    str < &t->text[id + 2]; str++)
		if (str->s != NULL && str->n == n &&
		    peft_lookup_same(str->s, m->a, m->na) &&
		    peft_lookup_same(str->s + m->na, m->b, m->nb))
			return (int32_t)(str - t->text);
	memcpy(r->whole, m->a, m->na);
	memcpy(r->whole + m->na, m->b, m->nb);
	return peft_lookup_find(&t->vocab, r->whole, n);
}

static int
merge(struct peft_reader *r, const struct spelt *spelt)
{
	struct peft_tokenizer *t = r->t;
	struct spelt s = *spelt;
	struct peft_merge m;
	size_t cut = r->prefix < s.nb ? r->prefix : s.nb;

	m.left = peft_lookup_find(&t->vocab, s.a, s.na);
	m.right = peft_lookup_find(&t->vocab, s.b, s.nb);
	s.b += cut;
	s.nb -= cut;
	/* what is longer than all tokens is none of them */
	m.result = s.na + s.nb > t->longest ? -1 : made(r, &s);
	if (m.left >= 0 && m.right >= 0 && m.result >= 0)
		return peft_bpe_add(&t->bpe, m, r->w.err);
	if (!peft_utf8_all(s.a, s.na) || !peft_utf8_all(s.b, s.nb))
		return peft_seterr(r->w.err, "model.merges: merge %zu is not "
		    "UTF-8", t->bpe.n + 1);
	return peft_seterr(r->w.err, "model.merges: merge %zu, of '%.*s' and "
	    "'%.*s': %s is not in the vocabulary", t->bpe.n + 1,
	    (int)(s.na < 100 ? s.na : 100), s.a,
	    (int)(s.nb < 100 ? s.nb : 100), s.b, m.left < 0 ? "the first" :
	    m.right < 0 ? "the second" : "what they make");
}

/* What is to be looked at comes into the cache, step by step. */
static void
hint(const struct peft_lookup *l, const struct spelt *m, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		peft_lookup_hint_long(l, m[i].at[0]);
		peft_lookup_hint_long(l, m[i].at[1]);
	}
	for (i = 0; i < n; i++) {
		peft_lookup_hint_text(l, m[i].at[0]);
		peft_lookup_hint_text(l, m[i].at[1]);
	}
}

/* Some merges: they are read first and looked up then.  1 there are more, 0,
 * -1. */
static int
some_merges(struct peft_reader *r)
{
	struct peft_walk *w = &r->w;
	struct spelt some[SOME];
	char *key = r->key;
	size_t n, i;
	int c = ',';

	for (n = 0; c == ',' && n < SOME; n++) {
		if (merge_parts(w, &key, &some[n]) == -1)
			return -1;
		some[n].at[0] = peft_lookup_hint(&r->t->vocab, some[n].a,
		    some[n].na);
		some[n].at[1] = peft_lookup_hint(&r->t->vocab, some[n].b,
		    some[n].nb);
		if ((c = peft_walk_peek(w)) != ',' && c != ']')
			return peft_walk_fail(w, "expected ',' or ']'");
		w->p += c == ',';
	}
	hint(&r->t->vocab, some, n);
	for (i = 0; i < n; i++)
		if (merge(r, &some[i]) == -1)
			return -1;
	return c == ',';
}

int
peft_read_merges(struct peft_reader *r)
{
	struct peft_walk *w = &r->w;
	int s = 1;

	free(r->key);
	free(r->whole);
	r->key = peft_calloc((size_t)(w->end - w->p) + 1, 1, w->err);
	r->whole = peft_calloc(r->t->longest + 1, 1, w->err);
	if (r->key == NULL || r->whole == NULL)
		return -1;
	r->t->has_merges = true;
	r->t->bpe.n = 0;
	w->p++;
	if (peft_walk_peek(w) == ']')
		s = 0;
	while (s == 1)
		s = some_merges(r);
	w->p += s == 0;
	return s;
}
