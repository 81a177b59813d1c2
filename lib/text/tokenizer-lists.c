/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: its two big lists, model.vocab and model.merges. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "text/tokenizer-reader.h"

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
int
peft_read_vocab(struct peft_reader *r)
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
scored(struct peft_reader *r, char *dst, size_t *n)
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
int
peft_read_scored(struct peft_reader *r)
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
merge_parts(struct peft_reader *r, size_t *na, size_t *nb)
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
merge(struct peft_reader *r)
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

int
peft_read_merges(struct peft_reader *r)
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
