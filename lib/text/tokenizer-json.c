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

/* Merges that come before the vocabulary wait for it. */
static int
read_merges(struct peft_reader *r)
{
	r->merges = r->w.p;
	return r->t->has_vocab ? peft_read_merges(r) : peft_walk_skip(&r->w);
}

static int
again(struct peft_reader *r)
{
	const char *end = r->w.p;

	r->w.p = r->merges;
	if (peft_read_merges(r) == -1)
		return -1;
	r->w.p = end;
	return 0;
}

/* model.continuing_subword_prefix; merges that were read already are read
 * again. */
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
	return r->prefix > 0 && r->t->has_merges ? again(r) : 0;
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
		return take(r, peft_read_vocab);
	if (in_model && c == '[' && is_key(from, to, "vocab") &&
	    !r->t->has_vocab)
		return take(r, peft_read_scored);
	if (in_model && c == '[' && is_key(from, to, "merges") &&
	    r->merges == NULL)
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

static int
late_merges(struct peft_reader *r)
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
	struct peft_reader r = { .w = { json, json, json + len, err }, .t = t,
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
	free(r.whole);
	return status;
}
