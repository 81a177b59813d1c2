/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: model.merges, read. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json-scan.h"
#include "text/tokenizer-reader.h"

/* The string that comes next.  It is not copied, and not read as UTF-8, unless
 * there are escapes: what is in the vocabulary was read strictly there, and
 * what is not is refused.  *copy: room for copies. */
static inline int
string(struct peft_walk *w, char **copy, const char **s, size_t *n)
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
	if (peft_walk_string(w, *copy, n) == -1)
		return -1;
	*s = *copy;
	*copy += *n + 1;
	return 0;
}

int
peft_spell_refuse(const char *s, size_t n, struct peft_err *err)
{
	return peft_seterr(err, "model.merges: '%.*s' is not two tokens and a "
	    "space", n < 100 ? (int)n : 100, s);
}

int
peft_spell_cut(const char *s, size_t n, struct peft_pair_of *m)
{
	const char *space = memchr(s, ' ', n);

	if (space == NULL || memchr(space + 1, ' ',
	    n - (size_t)(space + 1 - s)) != NULL)
		return -1;
	m->a = s;
	m->na = (uint32_t)(space - s);
	m->b = space + 1;
	m->nb = (uint32_t)(n - m->na - 1);
	return 0;
}

static int
cut(struct peft_walk *w, const char *s, size_t n, struct peft_pair_of *m)
{
	if (peft_spell_cut(s, n, m) == 0)
		return 0;
	return !peft_utf8_all(s, n) ? peft_walk_fail(w, "not UTF-8") :
	    peft_spell_refuse(s, n, w->err);
}

/* ["a", "b"], behind the bracket and up to the second. */
static inline int
both(struct peft_walk *w, char **copy, struct peft_gap *within,
    struct peft_pair_of *m)
{
	size_t na = 0, nb = 0;
	const char *from;

	if (string(w, copy, &m->a, &na) == -1)
		return -1;
	if (!peft_walk_again(w, within)) {
		from = w->p;
		if (peft_walk_expect(w, ',') == -1)
			return -1;
		peft_walk_space(w);
		peft_walk_gap(w, from, within);
	}
	if (string(w, copy, &m->b, &nb) == -1)
		return -1;
	m->na = (uint32_t)na;
	m->nb = (uint32_t)nb;
	return 0;
}

/* To the first string of the next merge: 1, 0 there is none, -1.  *pair: is
 * it of brackets, as the one before was? */
static int
next(struct peft_walk *w, struct peft_gap *g, bool *pair)
{
	bool was = *pair;
	const char *from;
	int c;

	from = w->p;
	if (peft_walk_again(w, g) && peft_walk_peek(w) == '"')
		return 1;
	w->p = from;
	if (*pair && peft_walk_expect(w, ']') == -1)
		return -1;
	if ((c = peft_walk_peek(w)) != ',')
		return c == ']' ? 0 : peft_walk_fail(w,
		    "expected ',' or ']'");
	w->p++;
	if ((*pair = peft_walk_peek(w) == '['))
		w->p++;
	peft_walk_space(w);
	peft_walk_gap(w, was == *pair ? from : w->p, g);
	return 1;
}

static int
spell(struct peft_walk *w, struct peft_spelt *l)
{
	struct peft_gap within = { 0 }, between = { 0 };
	char *copy = l->copies;
	struct peft_pair_of *m;
	const char *s = NULL;
	size_t n = 0;
	bool pair;
	int r = 1;

	if ((pair = peft_walk_peek(w) == '['))
		w->p++;
	for (; r == 1; r = next(w, &between, &pair)) {
		if (l->n == l->cap) {
			if ((m = peft_grow(l->at, l->n, &l->cap, sizeof(*m),
			    w->err)) == NULL)
				return -1;
			l->at = m;
		}
		m = &l->at[l->n];
		if (pair ? both(w, &copy, &within, m) == -1 :
		    string(w, &copy, &s, &n) == -1 || cut(w, s, n, m) == -1)
			return -1;
		l->n++;
	}
	return r;
}

int
peft_spell_merges(struct peft_walk *w, struct peft_spelt *l)
{
	size_t room = (size_t)(w->end - w->p) + 1;

	l->n = 0;
	l->from = w->p;
	l->to = NULL;
	if (room > UINT32_MAX)
		return peft_walk_fail(w, "a list of more than 4 GB");
	free(l->copies);
	if ((l->copies = peft_calloc(room, 1, w->err)) == NULL)
		return -1;
	w->p++;
	if (peft_walk_peek(w) != ']' && spell(w, l) == -1)
		return -1;
	w->p++;
	l->to = w->p;
	return 0;
}
