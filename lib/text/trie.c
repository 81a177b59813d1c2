/* SPDX-License-Identifier: Apache-2.0 */
/* A double array, built from sorted strings. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/radix.h"
#include "text/trie.h"

enum { TRIES = 256, ROOM = 256 };

struct key {
	uint64_t	 first;		/* eight bytes, as a number */
	const char	*s;
	uint32_t	 n;
	int32_t		 id;
};

/* The keys [lo, hi) agree in their first `depth' bytes, which lead to node. */
struct range {
	uint32_t	node, depth;
	size_t		lo, hi;
};

struct builder {
	struct peft_trie	*t;
	size_t			 cap;
	struct key		*key;
	struct range		*todo;
	size_t			 ntodo, todo_cap;
	uint32_t		 free;	/* about where free units begin */
	struct peft_err		*err;
};

/* The first bytes in order of weight, zeros behind short strings. */
static uint64_t
first_bytes(const char *s, size_t n)
{
	uint64_t v = 0;
	size_t i;

	for (i = 0; i < 8; i++)
		v = v << 8 | (i < n ? (unsigned char)s[i] : 0);
	return v;
}

static int
by_bytes(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	uint32_t n = x->n < y->n ? x->n : y->n;
	int c;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if ((c = memcmp(x->s, y->s, n)) != 0)
		return c;
	if (x->n != y->n)
		return x->n < y->n ? -1 : 1;
	return x->id < y->id ? -1 : 1;
}

/* By their first bytes in steps that compare nothing, and those that agree in
 * them by the others. */
static struct key *
sorted(const struct peft_str *strs, size_t n, size_t *nkeys,
    struct peft_err *err)
{
	struct peft_ranked *r = peft_calloc(n + 1, 2 * sizeof(*r), err);
	struct key *key = peft_calloc(n + 1, sizeof(*key), err);
	size_t i, k = 0, run;

	for (i = 0; r != NULL && i < n; i++)
		if (strs[i].n > 0)
			r[k++] = (struct peft_ranked){ first_bytes(strs[i].s,
			    strs[i].n), (int32_t)i };
	if (r != NULL)
		peft_radix_sort(r, k, sizeof(uint64_t));
	for (i = 0; r != NULL && key != NULL && i < k; i++)
		key[i] = (struct key){ r[i].key, strs[r[i].id].s,
		    strs[r[i].id].n, r[i].id };
	for (i = 0; r != NULL && key != NULL && i < k; i += run) {
		for (run = 1; i + run < k && key[i + run].first ==
		    key[i].first; run++)
			;
		if (run > 1)
			qsort(&key[i], run, sizeof(*key), by_bytes);
	}
	*nkeys = k;
	if (r == NULL) {
		free(key);
		key = NULL;
	}
	free(r);
	return key;
}

/* Units up to n, and ROOM more, so that a step never leaves the array. */
static int
reserve(struct builder *b, size_t n)
{
	struct peft_trie_unit *p;
	size_t cap = b->cap, i;

	n += ROOM;
	if (n > UINT32_MAX / 2)
		return peft_seterr(b->err, "the vocabulary is too large");
	if (n <= cap)
		return 0;
	for (cap = cap < 1024 ? 1024 : cap; cap < n; cap += cap / 2)
		;
	if ((p = realloc(b->t->at, cap * sizeof(*p))) == NULL)
		return peft_seterr(b->err, "no memory for %zu nodes", cap);
	for (i = b->cap; i < cap; i++)
		p[i] = (struct peft_trie_unit){ 0, PEFT_NOWHERE, -1 };
	b->t->at = p;
	b->cap = cap;
	return 0;
}

static int
fits(const struct builder *b, uint32_t base, const unsigned char *c, size_t n)
{
	while (n > 0)
		if (b->t->at[base + c[--n]].parent != PEFT_NOWHERE)
			return 0;
	return 1;
}

/*
 * A base for children by the bytes c[0..n), in order.  What is nearly full is
 * not searched again, and behind some tries a place at the end is taken.
 */
static int
find_base(struct builder *b, const unsigned char *c, size_t n, uint32_t *base)
{
	uint32_t from = b->free, at = from < c[0] + 1u ? c[0] + 1u : from;
	unsigned used = 0, tries = 0, first = 1;

	for (;; at++) {
		if (at > b->t->n)	/* behind all that is used */
			tries = TRIES;
		if (reserve(b, (size_t)at + ROOM) == -1)
			return -1;
		if (tries >= TRIES)
			break;
		if (b->t->at[at].parent != PEFT_NOWHERE) {
			used++;
			continue;
		}
		if (first && at > b->free)
			b->free = at;
		first = 0;
		if (fits(b, at - c[0], c, n)) {
			if (used > (at - from) / 20 * 19)
				b->free = at;
			*base = at - c[0];
			return 0;
		}
		tries++;
	}
	at = b->t->n + 1 > at ? b->t->n + 1 : at;
	if (reserve(b, (size_t)at + ROOM) == -1)
		return -1;
	*base = at - c[0];
	return 0;
}

static int
push(struct builder *b, struct range r)
{
	struct range *p = peft_grow(b->todo, b->ntodo, &b->todo_cap,
	    sizeof(*p), b->err);

	if (p == NULL)
		return -1;
	b->todo = p;
	b->todo[b->ntodo++] = r;
	return 0;
}

static int
expand(struct builder *b, struct range r)
{
	unsigned char c[256];
	size_t start[257], n = 0, i;
	uint32_t base;

	for (; r.lo < r.hi && b->key[r.lo].n == r.depth; r.lo++)
		b->t->at[r.node].id = b->key[r.lo].id;
	for (i = r.lo; i < r.hi; i++) {
		unsigned char k = (unsigned char)b->key[i].s[r.depth];

		if (n == 0 || c[n - 1] != k) {
			start[n] = i;
			c[n++] = k;
		}
	}
	start[n] = r.hi;
	if (n == 0)
		return 0;
	if (find_base(b, c, n, &base) == -1)
		return -1;
	b->t->at[r.node].base = base;
	for (i = n; i > 0; i--) {
		uint32_t child = base + c[i - 1];

		b->t->at[child].parent = r.node;
		b->t->n = child > b->t->n ? child : b->t->n;
		if (push(b, (struct range){ child, r.depth + 1, start[i - 1],
		    start[i] }) == -1)
			return -1;
	}
	return 0;
}

static int
build(struct builder *b, size_t nkeys)
{
	if (reserve(b, 1) == -1 ||
	    push(b, (struct range){ 0, 0, 0, nkeys }) == -1)
		return -1;
	/* the root is in use and nobody's child */
	b->t->at[0].parent = PEFT_NOWHERE - 1;
	b->free = 1;
	while (b->ntodo > 0)
		if (expand(b, b->todo[--b->ntodo]) == -1)
			return -1;
	return 0;
}

int
peft_trie_open(struct peft_trie *t, const struct peft_str *strs, size_t n,
    struct peft_err *err)
{
	struct builder b = { .t = t, .err = err };
	size_t k;
	int r = -1;

	*t = (struct peft_trie){ 0 };
	if ((b.key = sorted(strs, n, &k, err)) == NULL)
		return -1;
	r = build(&b, k);
	free(b.key);
	free(b.todo);
	if (r == -1)
		peft_trie_close(t);
	return r;
}

void
peft_trie_close(struct peft_trie *t)
{
	free(t->at);
	*t = (struct peft_trie){ 0 };
}
