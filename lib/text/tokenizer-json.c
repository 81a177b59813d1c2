/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.json, read: model.vocab and model.merges are most of it, and are
 * taken as they go by; the rest is small and goes to cJSON, with null in
 * their places.  All of it is read strictly: what is left out of the rest
 * here, the rest itself by peft_json().
 */

#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-reader.h"

static int
take(struct peft_reader *r, int (*read)(struct peft_reader *))
{
	peft_buf_put(&r->rest, r->copied, (size_t)(r->w.p - r->copied));
	peft_buf_puts(&r->rest, "null");
	if (read(r) == -1)
		return -1;
	r->copied = r->w.p;
	return 0;
}

static int
is_key(const char *from, const char *to, const char *key)
{
	size_t n = strlen(key);

	return (size_t)(to - from) == n + 2 && memcmp(from + 1, key, n) == 0;
}

/* Merges are looked up when all is read: they may come before the vocabulary,
 * and what says how they are joined may come behind them. */
static int
read_merges(struct peft_reader *r)
{
	if (r->merges.to == NULL)
		return peft_spell_merges(&r->w, &r->merges);
	r->w.p = r->merges.to;		/* read_ahead() read them */
	return 0;
}

struct lists {
	struct peft_reader	*r;
	struct peft_walk	 ahead;
	int			 status;
};

/* Passes over the vocabulary to the merges, if they come next, and reads
 * them.  What is not right there is met again. */
static void
read_ahead(struct lists *l)
{
	struct peft_spelt *merges = &l->r->merges;
	struct peft_walk *w = &l->ahead;
	struct peft_err ignored;
	const char *from;

	w->err = &ignored;
	if (peft_walk_skip(w) == -1 || peft_walk_expect(w, ',') == -1 ||
	    peft_walk_peek(w) != '"')
		return;
	from = w->p;
	if (peft_walk_skip_string(w) == -1 || !is_key(from, w->p, "merges") ||
	    peft_walk_expect(w, ':') == -1 || peft_walk_peek(w) != '[')
		return;
	if (peft_spell_merges(w, merges) == -1)
		merges->from = NULL;
}

static void
read_list(void *ctx, size_t task, int thread)
{
	struct lists *l = ctx;

	(void)thread;
	if (task == 0)
		l->status = peft_read_vocab(l->r);
	else
		read_ahead(l);
}

/* The vocabulary, and by another thread the merges. */
static int
read_vocab(struct peft_reader *r)
{
	struct lists l = { .r = r, .ahead = r->w };

	bool ahead = peft_pool_threads(r->pool) > 1 && r->merges.from == NULL;

	peft_pool_run(r->pool, ahead ? 2 : 1, read_list, &l);
	return l.status;
}

/* model.continuing_subword_prefix */
static int
read_prefix(struct peft_reader *r)
{
	struct peft_walk w = r->w;
	char *s = peft_calloc((size_t)(w.end - w.p) + 1, 1, w.err);

	if (s == NULL || peft_walk_string(&w, s, &r->prefix) == -1) {
		free(s);
		return -1;
	}
	free(s);
	r->w.p = w.p;
	return 0;
}

static int members(struct peft_reader *, bool in_model);

static int
member(struct peft_reader *r, bool in_model)
{
	const char *from, *to;
	int c;

	if (peft_walk_peek(&r->w) != '"')
		return peft_walk_fail(&r->w, "a key is missing");
	from = r->w.p;
	if (peft_walk_skip_string(&r->w) == -1)
		return -1;
	to = r->w.p;
	if (peft_walk_expect(&r->w, ':') == -1)
		return -1;
	c = peft_walk_peek(&r->w);
	if (!in_model && c == '{' && is_key(from, to, "model"))
		return members(r, true);
	if (in_model && c == '{' && is_key(from, to, "vocab") &&
	    !r->t->has_vocab)
		return take(r, read_vocab);
	if (in_model && c == '[' && is_key(from, to, "vocab") &&
	    !r->t->has_vocab)
		return take(r, peft_read_scored);
	if (in_model && c == '[' && is_key(from, to, "merges") &&
	    (r->merges.from == NULL || r->merges.from == r->w.p))
		return take(r, read_merges);
	if (in_model && c == '"' && r->prefix == 0 && is_key(from, to,
	    "continuing_subword_prefix"))
		return read_prefix(r);
	return peft_walk_skip(&r->w);
}

static int
members(struct peft_reader *r, bool in_model)
{
	if (peft_walk_expect(&r->w, '{') == -1)
		return -1;
	for (; peft_walk_peek(&r->w) != '}'; r->w.p++) {
		if (member(r, in_model) == -1)
			return -1;
		if (peft_walk_peek(&r->w) == '}')
			break;
		if (r->w.p == r->w.end || *r->w.p != ',')
			return peft_walk_fail(&r->w, "expected ',' or '}'");
	}
	r->w.p++;
	return 0;
}

static void
read_rest(struct peft_reader *r)
{
	r->t->json = peft_json(r->rest.data, r->rest.len, &r->wrong);
	if (r->t->json == NULL)
		peft_errprefix(&r->wrong, "without vocabulary and merges");
}

/* Behind the last brace, or what is not right.  Merges that name no tokens
 * come before what is wrong behind them. */
static int
finish(struct peft_reader *r, bool read, struct peft_err *err)
{
	int status = 0;

	peft_buf_put(&r->rest, r->copied, (size_t)(r->w.end - r->copied));
	if (r->rest.failed)
		return peft_seterr(err, "no memory for %zu bytes", r->rest.len);
	if (r->merges.from != NULL && r->t->has_vocab)
		status = peft_find_merges(r, read ? read_rest : NULL, err);
	else if (r->merges.from != NULL && read)
		status = peft_seterr(err, "model.vocab is missing or not an "
		    "object");
	else if (read)
		read_rest(r);
	if (status == -1 || r->t->json != NULL)
		return status;
	*err = r->wrong;
	return -1;
}

int
peft_tokenizer_read(struct peft_tokenizer *t, const char *json, size_t len,
    struct peft_pool *pool, struct peft_err *err)
{
	struct peft_reader r = { .w = { json, json, json + len, &r.wrong },
	    .t = t, .pool = pool, .copied = json };
	bool read = members(&r, false) == 0;
	int status = finish(&r, read, err);

	peft_buf_free(&r.rest);
	free(r.merges.at);
	free(r.merges.copies);
	return status;
}
