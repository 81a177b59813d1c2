/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: the tokens of model.merges. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/tokenizer-reader.h"

enum {
	SOME = 32,		/* merges that are looked up together */
	TASK = 8192		/* ... that are a task, whatever the threads:
				 * what is found may depend on where one
				 * begins, see made() */
};

struct search {
	struct peft_reader		*r;
	void				(*besides)(struct peft_reader *);
	char				*whole;	/* [longest + 1] a thread */
	size_t				*bad;	/* [task]: the first merge that
						 * has none, SIZE_MAX */
};

/* The token that a merge makes: mostly the one of the merge before, or the
 * next, which need not be searched for. */
static int32_t
made(const struct peft_tokenizer *t, const struct peft_pair_of *m,
    size_t before, char *whole)
{
	size_t n = (size_t)m->na + m->nb;
	const struct peft_str *str;

	for (str = &t->text[before]; str < t->text + t->ntokens &&
	    str < &t->text[before + 2]; str++)
		if (str->s != NULL && str->n == n &&
		    peft_lookup_same(str->s, m->a, m->na) &&
		    peft_lookup_same(str->s + m->na, m->b, m->nb))
			return (int32_t)(str - t->text);
	memcpy(whole, m->a, m->na);
	memcpy(whole + m->na, m->b, m->nb);
	return peft_lookup_find(&t->vocab, whole, n);
}

static struct peft_pair_of
without_prefix(const struct peft_reader *r, const struct peft_pair_of *m)
{
	uint32_t cut = r->prefix < m->nb ? (uint32_t)r->prefix : m->nb;

	return (struct peft_pair_of){ m->a, m->b + cut, m->na, m->nb - cut };
}

static int32_t
known(const struct peft_lookup *l, uint64_t key, const char *s, size_t n)
{
	return n == 0 ? -1 : peft_lookup_slot(l, key, s, n)->id;
}

/* key: of the two.  before: the token that the merge before makes. */
static struct peft_bpe_merge
find(const struct peft_reader *r, const struct peft_pair_of *spelt,
    const uint64_t key[2], size_t before, char *whole)
{
	const struct peft_pair_of s = without_prefix(r, spelt);
	const struct peft_tokenizer *t = r->t;
	struct peft_bpe_merge m;

	m.left = known(&t->vocab, key[0], spelt->a, spelt->na);
	m.right = known(&t->vocab, key[1], spelt->b, spelt->nb);
	/* what is longer than all tokens is none of them */
	m.result = (size_t)s.na + s.nb > t->longest ? -1 : made(t, &s, before,
	    whole);
	return m;
}

static bool
is_whole(const struct peft_bpe_merge *m)
{
	return m->left >= 0 && m->right >= 0 && m->result >= 0;
}

/* The keys; and what is to be looked at comes into the cache, step by step. */
static void
hint(const struct peft_lookup *l, const struct peft_pair_of *m, size_t n,
    uint64_t (*key)[2])
{
	const struct peft_lookup_slot *at[SOME][2];
	size_t i;

	for (i = 0; i < n; i++) {
		key[i][0] = m[i].na == 0 ? 0 : peft_lookup_key(m[i].a,
		    m[i].na);
		key[i][1] = m[i].nb == 0 ? 0 : peft_lookup_key(m[i].b,
		    m[i].nb);
		at[i][0] = peft_lookup_hint(l, key[i][0], m[i].na);
		at[i][1] = peft_lookup_hint(l, key[i][1], m[i].nb);
	}
	for (i = 0; i < n; i++) {
		peft_lookup_hint_long(l, at[i][0]);
		peft_lookup_hint_long(l, at[i][1]);
	}
	for (i = 0; i < n; i++) {
		peft_lookup_hint_text(l, at[i][0]);
		peft_lookup_hint_text(l, at[i][1]);
	}
}

/* Returns the first merge that has no tokens, SIZE_MAX. */
static size_t
find_some(const struct peft_reader *r, size_t i, size_t to, char *whole)
{
	const struct peft_pair_of *spelt = r->merges.at;
	struct peft_bpe_merge *found = r->t->bpe.merge;
	size_t before = r->t->ntokens, k, n;
	uint64_t key[SOME][2];

	for (; i < to; i += n) {
		n = to - i < SOME ? to - i : SOME;
		hint(&r->t->vocab, &spelt[i], n, key);
		for (k = 0; k < n; k++) {
			found[i + k] = find(r, &spelt[i + k], key[k], before,
			    whole);
			if (!is_whole(&found[i + k]))
				return i + k;
			before = (size_t)found[i + k].result;
		}
	}
	return SIZE_MAX;
}

/* Task 0 is what is done besides. */
static void
do_task(void *ctx, size_t task, int thread)
{
	const struct search *s = ctx;
	size_t n = s->r->merges.n, from = (task - 1) * TASK;

	if (task > 0)
		s->bad[task - 1] = find_some(s->r, from, from + TASK < n ?
		    from + TASK : n, s->whole +
		    (size_t)thread * (s->r->t->longest + 1));
	else if (s->besides != NULL)
		s->besides(s->r);
}

static int
refuse(const struct peft_reader *r, size_t i, struct peft_err *err)
{
	const struct peft_pair_of m = without_prefix(r, &r->merges.at[i]);
	const struct peft_bpe_merge *found = &r->t->bpe.merge[i];
	int na = m.na < 100 ? (int)m.na : 100;
	int nb = m.nb < 100 ? (int)m.nb : 100;

	if (!peft_utf8_all(m.a, m.na) || !peft_utf8_all(m.b, m.nb))
		return peft_seterr(err, "model.merges: merge %zu is not UTF-8",
		    i + 1);
	return peft_seterr(err, "model.merges: merge %zu, of '%.*s' and "
	    "'%.*s': %s is not in the vocabulary", i + 1, na, m.a, nb, m.b,
	    found->left < 0 ? "the first" : found->right < 0 ? "the second" :
	    "what they make");
}

int
peft_find_merges(struct peft_reader *r, void (*besides)(struct peft_reader *),
    struct peft_err *err)
{
	size_t n = r->merges.n, ntasks = (n + TASK - 1) / TASK, i;
	struct search s = { .r = r, .besides = besides };
	int status = -1;

	s.whole = peft_calloc((size_t)peft_pool_threads(r->pool),
	    r->t->longest + 1, err);
	s.bad = peft_calloc(ntasks, sizeof(*s.bad), err);
	if (s.whole != NULL && s.bad != NULL)
		status = peft_bpe_list(&r->t->bpe, n, err);
	if (status == 0)
		peft_pool_run(r->pool, 1 + ntasks, do_task, &s);
	for (i = 0; status == 0 && i < ntasks; i++)
		if (s.bad[i] != SIZE_MAX)
			status = refuse(r, s.bad[i], err);
	r->t->has_merges = status == 0;
	free(s.whole);
	free(s.bad);
	return status;
}
