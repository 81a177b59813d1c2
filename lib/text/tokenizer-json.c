/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tokenizer.json, read: model.vocab and model.merges are most of it, and are
 * taken as they go by; the rest is small and goes to cJSON, with null in
 * their places.  All of it is read strictly: what is left out of the rest
 * here, the rest itself by peft_json().
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/jsonwalk.h"
#include "text/tokenizer-impl.h"

struct reader {
	struct peft_walk	 w;
	struct peft_tokenizer	*t;
	const char		*copied;	/* so far to rest */
	struct peft_buf		 rest;
	char			*key;		/* of one merge */
	const char		*merges;	/* where they are, once seen */
	size_t			 prefix;	/* bytes that the second of two
						 * loses when merged */
};

static int
id_number(struct peft_walk *w, const char *token, size_t *id)
{
	const char *from;
	size_t v = 0;

	peft_walk_peek(w);
	for (from = w->p; w->p < w->end && *w->p >= '0' && *w->p <= '9' &&
	    v < PEFT_MAXVOCAB; w->p++)
		v = v * 10 + (size_t)(*w->p - '0');
	if (w->p == from || (*from == '0' && w->p - from > 1) ||
	    v >= PEFT_MAXVOCAB || (w->p < w->end &&
	    strchr(".eE", *w->p) != NULL))
		return peft_seterr(w->err, "model.vocab: the id of token "
		    "'%.100s' is not a whole number below %d", token,
		    PEFT_MAXVOCAB);
	*id = v;
	return 0;
}

/* model.vocab: {"token": id, ...} */
static int
vocab(struct reader *r)
{
	struct peft_walk *w = &r->w;
	size_t n = 0, id = 0;
	char *dst;

	dst = peft_calloc((size_t)(w->end - w->p) + 1, 1, w->err);
	if ((r->t->arena = dst) == NULL)
		return -1;
	r->t->has_vocab = true;
	for (w->p++;; w->p++) {
		if (peft_walk_string(w, dst, &n) == -1 ||
		    peft_walk_expect(w, ':') == -1 ||
		    id_number(w, dst, &id) == -1)
			return -1;
		/* no more memory than the file gives reason for */
		if (id >= (size_t)(w->end - w->begin))
			return peft_walk_fail(w, "an id beyond all tokens");
		if (peft_vocab_add(r->t, dst, n, id, w->err) == -1)
			return -1;
		dst += n + 1;
		if (peft_walk_peek(w) == '}')
			break;
		if (w->p == w->end || *w->p != ',')
			return peft_walk_fail(w, "expected ',' or '}'");
	}
	w->p++;
	return peft_vocab_index(r->t, w->err);
}

/* A number at w->p to *out. */
static int
score_number(struct peft_walk *w, const char *token, double *out)
{
	char digits[64], *end;
	size_t n = 0;

	peft_walk_peek(w);
	while (w->p < w->end && n < sizeof(digits) - 1 &&
	    strchr("+-.0123456789eE", *w->p) != NULL && *w->p != '\0')
		digits[n++] = *w->p++;
	digits[n] = '\0';
	*out = strtod(digits, &end);
	if (n == 0 || *end != '\0' || !isfinite(*out))
		return peft_seterr(w->err, "model.vocab: the score of token "
		    "'%.100s' is no number", token);
	return 0;
}

/* ["token", score], whose id is its place in the list */
static int
scored(struct reader *r, char *dst, size_t *n)
{
	struct peft_tokenizer *t = r->t;
	size_t id = t->ntokens;
	double *grown;

	if (peft_walk_expect(&r->w, '[') == -1 ||
	    peft_walk_string(&r->w, dst, n) == -1 ||
	    peft_walk_expect(&r->w, ',') == -1)
		return -1;
	grown = peft_grow(t->score, id, &t->score_cap, sizeof(*grown),
	    r->w.err);
	if (grown == NULL)
		return -1;
	t->score = grown;
	if (score_number(&r->w, dst, &t->score[id]) == -1 ||
	    peft_walk_expect(&r->w, ']') == -1)
		return -1;
	return peft_vocab_add(t, dst, *n, id, r->w.err);
}

/* model.vocab of Unigram: [["token", score], ...] */
static int
vocab_list(struct reader *r)
{
	struct peft_walk *w = &r->w;
	size_t n = 0;
	char *dst;

	dst = peft_calloc((size_t)(w->end - w->p) + 1, 1, w->err);
	if ((r->t->arena = dst) == NULL)
		return -1;
	r->t->has_vocab = true;
	for (w->p++; peft_walk_peek(w) != ']'; w->p++) {
		if (scored(r, dst, &n) == -1)
			return -1;
		dst += n + 1;
		if (peft_walk_peek(w) == ']')
			break;
		if (w->p == w->end || *w->p != ',')
			return peft_walk_fail(w, "expected ',' or ']'");
	}
	w->p++;
	return peft_vocab_index(r->t, w->err);
}

/* "a b", cut at its single space, or ["a", "b"]: b behind a in r->key. */
static int
merge_parts(struct reader *r, size_t *na, size_t *nb)
{
	struct peft_walk *w = &r->w;
	char *space;
	size_t n = 0;

	if (peft_walk_peek(w) == '[') {
		w->p++;
		return peft_walk_string(w, r->key, na) == -1 ||
		    peft_walk_expect(w, ',') == -1 ||
		    peft_walk_string(w, r->key + *na, nb) == -1 ||
		    peft_walk_expect(w, ']') == -1 ? -1 : 0;
	}
	if (peft_walk_string(w, r->key, &n) == -1)
		return -1;
	space = memchr(r->key, ' ', n);
	if (space == NULL || memchr(space + 1, ' ',
	    n - (size_t)(space + 1 - r->key)) != NULL)
		return peft_seterr(w->err, "model.merges: '%.100s' is not two "
		    "tokens and a space", r->key);
	*na = (size_t)(space - r->key);
	*nb = n - *na - 1;
	memmove(space, space + 1, *nb);
	return 0;
}

static int
merge(struct reader *r)
{
	struct peft_tokenizer *t = r->t;
	struct peft_merge m;
	size_t na = 0, nb = 0, cut;

	if (merge_parts(r, &na, &nb) == -1)
		return -1;
	m.left = peft_lookup_find(&t->vocab, r->key, na);
	m.right = peft_lookup_find(&t->vocab, r->key + na, nb);
	if ((cut = r->prefix < nb ? r->prefix : nb) > 0) {
		memmove(r->key + na, r->key + na + cut, nb - cut);
		nb -= cut;
	}
	m.result = peft_lookup_find(&t->vocab, r->key, na + nb);
	if (m.left < 0 || m.right < 0 || m.result < 0)
		return peft_seterr(r->w.err, "model.merges: merge %zu, of "
		    "'%.*s' and '%.*s': %s is not in the vocabulary",
		    t->bpe.n + 1, (int)(na < 100 ? na : 100), r->key,
		    (int)(nb < 100 ? nb : 100), r->key + na, m.left < 0 ?
		    "the first" : m.right < 0 ? "the second" :
		    "what they make");
	return peft_bpe_add(&t->bpe, m, r->w.err);
}

static int
merges(struct reader *r)
{
	struct peft_walk *w = &r->w;

	free(r->key);
	r->key = peft_calloc((size_t)(w->end - w->p) + 1, 1, w->err);
	if (r->key == NULL)
		return -1;
	r->t->has_merges = true;
	r->t->bpe.n = 0;
	w->p++;
	if (peft_walk_peek(w) == ']') {
		w->p++;
		return 0;
	}
	for (;; w->p++) {
		if (merge(r) == -1)
			return -1;
		if (peft_walk_peek(w) == ']')
			break;
		if (w->p == w->end || *w->p != ',')
			return peft_walk_fail(w, "expected ',' or ']'");
	}
	w->p++;
	return 0;
}

static int
take(struct reader *r, int (*read)(struct reader *))
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

/* Merges that come before the vocabulary wait for it. */
static int
read_merges(struct reader *r)
{
	r->merges = r->w.p;
	return r->t->has_vocab ? merges(r) : peft_walk_skip(&r->w);
}

static int
again(struct reader *r)
{
	const char *end = r->w.p;

	r->w.p = r->merges;
	if (merges(r) == -1)
		return -1;
	r->w.p = end;
	return 0;
}

/* model.continuing_subword_prefix; merges that were read already are read
 * again. */
static int
read_prefix(struct reader *r)
{
	struct peft_walk w = r->w;
	char *s = peft_calloc((size_t)(w.end - w.p) + 1, 1, w.err);

	if (s == NULL || peft_walk_string(&w, s, &r->prefix) == -1) {
		free(s);
		return -1;
	}
	free(s);
	r->w.p = w.p;
	return r->prefix > 0 && r->t->has_merges ? again(r) : 0;
}

static int members(struct reader *, bool in_model);

static int
member(struct reader *r, bool in_model)
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
		return take(r, vocab);
	if (in_model && c == '[' && is_key(from, to, "vocab") &&
	    !r->t->has_vocab)
		return take(r, vocab_list);
	if (in_model && c == '[' && is_key(from, to, "merges") &&
	    r->merges == NULL)
		return take(r, read_merges);
	if (in_model && c == '"' && r->prefix == 0 && is_key(from, to,
	    "continuing_subword_prefix"))
		return read_prefix(r);
	return peft_walk_skip(&r->w);
}

static int
members(struct reader *r, bool in_model)
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

static int
late_merges(struct reader *r)
{
	if (r->merges == NULL || r->t->has_merges)
		return 0;
	if (!r->t->has_vocab)
		return peft_seterr(r->w.err, "model.vocab is missing or not an "
		    "object");
	return again(r);
}

int
peft_tokenizer_read(struct peft_tokenizer *t, const char *json, size_t len,
    struct peft_err *err)
{
	struct reader r = { .w = { json, json, json + len, err }, .t = t,
	    .copied = json };
	int status;

	status = members(&r, false);
	if (status == 0)
		status = late_merges(&r);
	peft_buf_put(&r.rest, r.copied, (size_t)(r.w.end - r.copied));
	if (status == 0 && r.rest.failed)
		status = peft_seterr(err, "no memory for %zu bytes", len);
	if (status == 0 && (t->json = peft_json(r.rest.data, r.rest.len,
	    err)) == NULL)
		status = peft_errprefix(err, "without vocabulary and merges");
	peft_buf_free(&r.rest);
	free(r.key);
	return status;
}
