/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.json: model.vocab, with ids or with scores. */

#include <limits.h>
#include <math.h>
#include <stdio.h>
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
	    (*w->p == '.' || *w->p == 'e' || *w->p == 'E')))
		return peft_seterr(w->err, "model.vocab: the id of token "
		    "'%.100s' is not a whole number below %d", token,
		    PEFT_MAXVOCAB);
	*id = v;
	return 0;
}

/* From a token to its id. */
static inline int
colon(struct peft_walk *w, struct peft_gap *g)
{
	const char *from = w->p;

	if (peft_walk_again(w, g))
		return 0;
	if (peft_walk_expect(w, ':') == -1)
		return -1;
	peft_walk_space(w);
	peft_walk_gap(w, from, g);
	return 0;
}

/* From an id to the next token: 1, 0 there is none, -1. */
static inline int
comma(struct peft_walk *w, struct peft_gap *g)
{
	const char *from = w->p;

	if (peft_walk_again(w, g))
		return 1;
	if (peft_walk_peek(w) == '}')
		return 0;
	if (w->p == w->end || *w->p != ',')
		return peft_walk_fail(w, "expected ',' or '}'");
	w->p++;
	peft_walk_space(w);
	peft_walk_gap(w, from, g);
	return 1;
}

/* model.vocab: {"token": id, ...} */
int
peft_read_vocab(struct peft_reader *r)
{
	struct peft_gap before = { 0 }, between = { 0 };
	struct peft_walk *w = &r->w;
	size_t n = 0, id = 0;
	char *dst;
	int s = 1;

	dst = peft_table_alloc((size_t)(w->end - w->p) + 1, 1, w->err);
	if ((r->t->arena = dst) == NULL)
		return -1;
	for (w->p++; s == 1; s = comma(w, &between)) {
		if (peft_walk_string(w, dst, &n) == -1 ||
		    colon(w, &before) == -1 || id_number(w, dst, &id) == -1)
			return -1;
		/* no more memory than the file gives reason for */
		if (id >= (size_t)(w->end - w->begin))
			return peft_walk_fail(w, "an id beyond all tokens");
		if (peft_vocab_add(r->t, dst, n, id, w->err) == -1)
			return -1;
		dst += n + 1;
	}
	w->p += s == 0;
	return s == -1 ? -1 : peft_vocab_index(r->t, w->err);
}

static double
power_of_ten(int n)
{
	static const double exact[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6,
	    1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17,
	    1e18, 1e19, 1e20, 1e21, 1e22 };
	char s[16];

	if (n <= 22)
		return exact[n];
	snprintf(s, sizeof(s), "1e%d", n);
	return strtod(s, NULL);
}

/* The digits at w->p, as far as they fit; how often *digits has to be
 * multiplied by ten for those that are left out. */
static int
take_digits(struct peft_walk *w, uint64_t *digits, int *taken)
{
	int out = 0;

	for (; w->p < w->end && *w->p >= '0' && *w->p <= '9'; w->p++) {
		unsigned d = (unsigned)(*w->p - '0');

		if (out > 0 || *digits > (UINT64_MAX - d) / 10)
			out += out < 9999;
		else {
			*digits = *digits * 10 + d;
			*taken += *taken < 9999;
		}
	}
	return out;
}

static int
take_exponent(struct peft_walk *w)
{
	uint64_t digits = 0;
	int n = 0, sign = 1;

	w->p++;
	if (w->p < w->end && (*w->p == '-' || *w->p == '+'))
		sign = *w->p++ == '-' ? -1 : 1;
	take_digits(w, &digits, &n);
	return n == 0 ? INT_MAX : sign * (int)(digits > 9999 ? 9999 : digits);
}

/*
 * A number at w->p to *out.  It is rounded as the software rounds it that is
 * to be matched (serde_json: digits as a number, then once by a power of
 * ten), not always to the nearest: paths of equal tokens in another order
 * differ by just such roundings, and the best of them is wanted.
 */
static int
score_number(struct peft_walk *w, const char *token, double *out)
{
	int whole = 0, after = 0, ten, e = 0;
	uint64_t digits = 0;
	bool minus, zero, ok;

	peft_walk_peek(w);
	if ((minus = w->p < w->end && *w->p == '-'))
		w->p++;
	zero = w->p < w->end && *w->p == '0';
	ten = take_digits(w, &digits, &whole);
	ok = whole == 1 || (whole > 0 && !zero);
	if (w->p < w->end && *w->p == '.') {
		w->p++;
		take_digits(w, &digits, &after);
		ok = ok && after > 0;
	}
	if (w->p < w->end && (*w->p == 'e' || *w->p == 'E'))
		e = take_exponent(w);
	if (ok && e != INT_MAX) {
		*out = (double)digits;
		for (e += ten - after; e < -308 && *out != 0; e += 308)
			*out /= 1e308;
		if (e > 308 && *out != 0)
			*out = INFINITY;
		else if (*out != 0)
			*out = e < 0 ? *out / power_of_ten(-e) :
			    *out * power_of_ten(e);
		*out = minus ? -*out : *out;
		if (isfinite(*out))
			return 0;
	}
	return peft_seterr(w->err, "model.vocab: the score of token '%.100s' "
	    "is no number", token);
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

	dst = peft_table_alloc((size_t)(w->end - w->p) + 1, 1, w->err);
	if ((r->t->arena = dst) == NULL)
		return -1;
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
