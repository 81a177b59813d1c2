/* SPDX-License-Identifier: Apache-2.0 */
/* Greedy answers and whether they are the right ones. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "eval/decode.h"
#include "eval/score.h"

enum { WIDTH = 16 };		/* requests in work at once */

/* The last stretch of supervised tokens: [*begin, *end). */
static bool
last_stretch(const struct peft_record *r, size_t *begin, size_t *end)
{
	size_t i = r->n;

	if (r->labels == NULL || r->nchoices > 0)
		return false;
	while (i > 0 && r->labels[i - 1] == PEFT_IGNORE)
		i--;
	*end = i;
	while (i > 0 && r->labels[i - 1] != PEFT_IGNORE)
		i--;
	*begin = i;
	return i > 0 && *begin < *end;
}

/* Tokens before the first that ends a text. */
static size_t
until_eos(const struct peft_config *c, const int32_t *ids, size_t n)
{
	size_t i;

	for (i = 0; i < n && !peft_config_is_eos(c, ids[i]); i++)
		;
	return i;
}

static void
trim(struct peft_buf *b)
{
	size_t i = 0;

	while (b->len > 0 && strchr(" \t\r\n", b->data[b->len - 1]) != NULL)
		b->len--;
	while (i < b->len && strchr(" \t\r\n", b->data[i]) != NULL)
		i++;
	if (b->data == NULL)
		return;
	memmove(b->data, b->data + i, b->len - i);
	b->len -= i;
	b->data[b->len] = '\0';
}

/* Compare an answer with what was wanted. */
static int
judge(const struct peft_session *ses, const int32_t *got, size_t ngot,
    const int32_t *want, size_t nwant, struct peft_score *s,
    struct peft_err *err)
{
	const struct peft_config *c = peft_net_config(ses->net);
	struct peft_buf a = { 0 }, b = { 0 };
	int r = 0;

	ngot = until_eos(c, got, ngot);
	nwant = until_eos(c, want, nwant);
	s->asked = true;
	if (ses->codec.tok == NULL) {
		s->match = ngot == nwant &&
		    memcmp(got, want, ngot * sizeof(*got)) == 0;
		return 0;
	}
	if (peft_tokenizer_decode(ses->codec.tok, got, ngot, true, &a,
	    err) == -1 || peft_tokenizer_decode(ses->codec.tok, want, nwant,
	    true, &b, err) == -1)
		r = -1;
	else {
		trim(&a);
		trim(&b);
		s->match = a.len == b.len && (a.len == 0 ||
		    memcmp(a.data, b.data, a.len) == 0);
		s->answer = peft_strdup(a.len > 0 ? a.data : "", err);
		r = s->answer == NULL ? -1 : 0;
	}
	peft_buf_free(&a);
	peft_buf_free(&b);
	return r;
}

/* The requests of all records that can be asked; returns their number. */
static size_t
make_requests(const struct peft_record *r, size_t n, int adapter,
    size_t extra, struct peft_request *q, size_t *which, size_t *room)
{
	size_t i, k = 0, begin, end;

	*room = 0;
	for (i = 0; i < n; i++) {
		if (!last_stretch(&r[i], &begin, &end))
			continue;
		q[k] = (struct peft_request){ .prompt = r[i].ids, .n = begin,
		    .max = end - begin + extra,
		    .stretch = { { 0, adapter } }, .nstretch = 1,
		    .stream = i };
		*room += q[k].max;
		which[k++] = i;
	}
	return k;
}

int
peft_score_answers(struct peft_session *ses, int adapter,
    const struct peft_record *r, size_t n, size_t extra,
    struct peft_score *scores, struct peft_err *err)
{
	struct peft_sampling greedy = { .temperature = 0 };
	struct peft_request *q;
	size_t *which, k, i, room, at = 0;
	int32_t *out = NULL;
	int status = -1;

	q = peft_calloc(n + 1, sizeof(*q), err);
	which = peft_calloc(n + 1, sizeof(*which), err);
	if (q == NULL || which == NULL)
		goto out;
	k = make_requests(r, n, adapter, extra, q, which, &room);
	if ((out = peft_calloc(room + 1, sizeof(*out), err)) == NULL)
		goto out;
	for (i = 0; i < k; at += q[i++].max)
		q[i].out = out + at;
	if (peft_decode_requests(ses->net, &greedy, q, k, WIDTH, err) == -1)
		goto out;
	for (i = 0; i < k; i++) {
		const struct peft_record *rec = &r[which[i]];

		if (judge(ses, q[i].out, q[i].nout, rec->ids + q[i].n,
		    q[i].max - extra, &scores[which[i]], err) == -1)
			goto out;
	}
	status = 0;
out:
	free(q);
	free(which);
	free(out);
	return status;
}
