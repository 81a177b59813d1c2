/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SentencePiece merges the two neighbours that make the token with the best
 * score.  tokenizer.json wants to know which pairs these are, in order.
 *
 * Tokens that a token begins with are found from the longest on: that one's
 * own are known, so the list of all is a chain from token to token; likewise
 * of those it ends with.  A merge is one of each that together are as long.
 */

#include <stdlib.h>
#include <string.h>

#include "tensor/tokjson.h"

enum { SOME = 32,		/* tokens that are looked up together */
	TASK = 8192 };		/* ... that are a task */

struct link {			/* the longest, and its length; id -1: none */
	int32_t		id;
	uint32_t	n;
};

struct links {			/* of a token */
	struct link	begin, end;
};

struct found {			/* by a task */
	struct peft_bpe_merge	*at;
	size_t			 n, cap;
	bool			 failed;	/* no memory */
};

struct search {
	struct peft_tokjson	*t;
	/* Which keys there are at all: what is not marked need not be looked
	 * up, and the marks are few enough to stay in the cache. */
	uint64_t		*marks;
	unsigned		 marks_shift;
	size_t			 npart;		/* tokens that take part */
	int32_t			*order;		/* [npart]: theirs, best score
						 * first */
	struct links		*links;		/* [t->n] */
	struct found		*found;		/* [ntasks] */
	size_t			 ntasks;
};

static bool
is_inside(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static uint64_t
mark_of(const struct search *s, uint64_t key, size_t n)
{
	return (key ^ n) * 0x9e3779b97f4a7c15u >> s->marks_shift;
}

/* What may be the longest token that another begins with (or ends with),
 * shorter than n bytes; n 0: there is none. */
struct guess {
	uint64_t	key;
	uint32_t	n;
};

static struct guess
guess(const struct search *s, const struct peft_str *str, bool end, uint32_t n)
{
	const char *cut, *from;
	uint64_t key, bit;

	while (--n > 0) {
		cut = end ? str->s + (str->n - n) : str->s + n;
		from = end ? cut : str->s;
		if (is_inside(*cut))
			continue;
		key = peft_lookup_key(from, n);
		bit = mark_of(s, key, n);
		if ((s->marks[bit / 64] >> bit % 64 & 1) != 0)
			return (struct guess){ key, n };
	}
	return (struct guess){ 0, 0 };
}

static struct link
settle(const struct search *s, const struct peft_str *str, bool end,
    struct guess g)
{
	int32_t id;

	for (; g.n > 0; g = guess(s, str, end, g.n)) {
		id = peft_lookup_slot(&s->t->known, g.key, end ? str->s +
		    (str->n - g.n) : str->s, g.n)->id;
		if (id >= 0 && peft_tokjson_part(s->t, (size_t)id))
			return (struct link){ id, g.n };
	}
	return (struct link){ -1, 0 };
}

/* What will be looked at comes into the cache, step by step. */
static void
link_some(struct search *s, const int32_t *ids, size_t n)
{
	const struct peft_lookup *l = &s->t->known;
	const struct peft_lookup_slot *at[2 * SOME];
	struct guess g[2 * SOME];
	size_t i;

	for (i = 0; i < 2 * n; i++) {
		const struct peft_str *str = &s->t->token[ids[i / 2]];

		g[i] = guess(s, str, i % 2 == 1, str->n);
		at[i] = peft_lookup_hint(l, g[i].key, g[i].n);
	}
	for (i = 0; i < 2 * n; i++)
		peft_lookup_hint_long(l, at[i]);
	for (i = 0; i < 2 * n; i++)
		peft_lookup_hint_text(l, at[i]);
	for (i = 0; i < n; i++) {
		const struct peft_str *str = &s->t->token[ids[i]];

		s->links[ids[i]] = (struct links){
		    settle(s, str, false, g[2 * i]),
		    settle(s, str, true, g[2 * i + 1]) };
	}
}

static size_t
end_of(const struct search *s, size_t task)
{
	return (task + 1) * TASK < s->npart ? (task + 1) * TASK : s->npart;
}

static void
link_tokens(void *ctx, size_t task, int thread)
{
	struct search *s = ctx;
	size_t i, n, to = end_of(s, task);

	(void)thread;
	for (i = task * TASK; i < to; i += n) {
		n = to - i < SOME ? to - i : SOME;
		link_some(s, &s->order[i], n);
	}
}

static int
put(struct found *f, const struct peft_bpe_merge *m)
{
	struct peft_err ignored;
	struct peft_bpe_merge *grown = peft_grow(f->at, f->n, &f->cap,
	    sizeof(*grown), &ignored);

	if (grown == NULL)
		return -1;
	f->at = grown;
	f->at[f->n++] = *m;
	return 0;
}

/* By the left one's id: the right one is what is left. */
static void
sort(struct peft_bpe_merge *m, size_t n)
{
	struct peft_bpe_merge t;
	size_t i, k;

	for (i = 1; i < n; i++) {
		t = m[i];
		for (k = i; k > 0 && m[k - 1].left > t.left; k--)
			m[k] = m[k - 1];
		m[k] = t;
	}
}

/* Beginnings get shorter, and so the ends that go with them longer. */
static int
merges_of(const struct search *s, int32_t id, struct found *f)
{
	struct link ends[PEFT_TOKJSON_LONGEST];
	uint32_t n = s->t->token[id].n;
	size_t from = f->n, k = 0;
	struct link l;

	for (l = s->links[id].end; l.id >= 0; l = s->links[l.id].end)
		ends[k++] = l;
	for (l = s->links[id].begin; l.id >= 0; l = s->links[l.id].begin) {
		while (k > 0 && ends[k - 1].n < n - l.n)
			k--;
		if (k > 0 && ends[k - 1].n == n - l.n && put(f,
		    &(struct peft_bpe_merge){ l.id, ends[k - 1].id,
		    id }) == -1)
			return -1;
	}
	sort(f->at + from, f->n - from);
	return 0;
}

static void
hint(const struct search *s, int32_t id)
{
	if (id >= 0)
		peft_lookup_fetch(&s->links[id]);
}

/* The first two links of chains come into the cache before they are gone
 * along. */
static int
merges_of_some(const struct search *s, const int32_t *ids, size_t n,
    struct found *f)
{
	const struct links *l;
	size_t i;

	for (i = 0; i < n; i++) {
		hint(s, s->links[ids[i]].begin.id);
		hint(s, s->links[ids[i]].end.id);
	}
	for (i = 0; i < n; i++) {
		l = &s->links[ids[i]];
		if (l->begin.id >= 0)
			hint(s, s->links[l->begin.id].begin.id);
		if (l->end.id >= 0)
			hint(s, s->links[l->end.id].end.id);
	}
	for (i = 0; i < n; i++)
		if (merges_of(s, ids[i], f) == -1)
			return -1;
	return 0;
}

static void
find_merges(void *ctx, size_t task, int thread)
{
	struct search *s = ctx;
	struct found *f = &s->found[task];
	size_t i, n, to = end_of(s, task);
	struct peft_err ignored;

	(void)thread;
	f->cap = 3 * TASK;	/* of most; more is found room for */
	f->at = peft_calloc(f->cap, sizeof(*f->at), &ignored);
	f->failed = f->at == NULL;
	for (i = task * TASK; !f->failed && i < to; i += n) {
		n = to - i < SOME ? to - i : SOME;
		f->failed = merges_of_some(s, &s->order[i], n, f) == -1;
	}
}

/* Some sixteen marks a token. */
static int
mark_keys(struct search *s, struct peft_err *err)
{
	unsigned log = 6;
	uint64_t bit;
	size_t i;

	while ((size_t)1 << log < 16 * s->npart)
		log++;
	s->marks_shift = 64 - log;
	s->marks = peft_calloc((size_t)1 << (log - 6), sizeof(*s->marks), err);
	if (s->marks == NULL)
		return -1;
	for (i = 0; i < s->npart; i++) {
		const struct peft_str *str = &s->t->token[s->order[i]];

		bit = mark_of(s, peft_lookup_key(str->s, str->n), str->n);
		s->marks[bit / 64] |= UINT64_C(1) << bit % 64;
	}
	return 0;
}

/* What the tasks found, one behind the other. */
static int
gather(struct search *s, struct peft_err *err)
{
	struct peft_tokjson *t = s->t;
	size_t i, n = 0;

	for (i = 0; i < s->ntasks; i++) {
		if (s->found[i].failed)
			return peft_seterr(err, "no memory for merges");
		n += s->found[i].n;
	}
	if ((t->merge = peft_table_alloc(n, sizeof(*t->merge), err)) == NULL)
		return -1;
	for (i = n = 0; i < s->ntasks; n += s->found[i++].n)
		if (s->found[i].n > 0)
			memcpy(&t->merge[n], s->found[i].at,
			    s->found[i].n * sizeof(*t->merge));
	t->nmerges = n;
	return 0;
}

static int
search(struct search *s, struct peft_pool *pool, struct peft_err *err)
{
	s->order = peft_tokjson_order(s->t, &s->npart, err);
	if (s->order == NULL || mark_keys(s, err) == -1)
		return -1;
	s->ntasks = (s->npart + TASK - 1) / TASK;
	s->links = peft_table_alloc(s->t->n, sizeof(*s->links), err);
	s->found = peft_calloc(s->ntasks, sizeof(*s->found), err);
	if (s->links == NULL || s->found == NULL)
		return -1;
	peft_pool_run(pool, s->ntasks, link_tokens, s);
	peft_pool_run(pool, s->ntasks, find_merges, s);
	return gather(s, err);
}

int
peft_tokjson_merges(struct peft_tokjson *t, struct peft_pool *pool,
    struct peft_err *err)
{
	struct search s = { .t = t };
	struct peft_pool *own = NULL;
	size_t i, same[2];
	int r = -1;

	if (t->rank == NULL || t->merge != NULL)
		return 0;
	if (t->known.slots == NULL && peft_tokjson_index(t, same, err) != 0)
		return -1;
	if (pool != NULL || (own = peft_pool_open(1, err)) != NULL)
		r = search(&s, pool != NULL ? pool : own, err);
	for (i = 0; s.found != NULL && i < s.ntasks; i++)
		free(s.found[i].at);
	free(s.found);
	free(s.order);
	free(s.marks);
	free(s.links);
	peft_pool_close(own);
	return r;
}
