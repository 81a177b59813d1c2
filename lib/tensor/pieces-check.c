/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces: what must hold of them. */

#include <math.h>
#include <string.h>

#include "tensor/pieces.h"

/* How many there are but for unused ones at the end, which only fill up. */
static size_t
used(const struct peft_pieces *p)
{
	size_t n = p->n;

	while (n > 0 && p->at[n - 1].type == PEFT_P_UNUSED)
		n--;
	return n;
}

static int
check_text(const struct peft_pieces *p, size_t i, struct peft_err *err)
{
	const struct peft_piece *e = &p->at[i];
	if (e->len == 0)
		return peft_seterr(err, "%s: piece %zu is empty", p->what, i);
	if (!p->are_text && (!peft_utf8_all(e->s, e->len) ||
	    memchr(e->s, '\0', e->len) != NULL))
		return peft_seterr(err, "%s: piece %zu is not UTF-8", p->what,
		    i);
	if (!isfinite(e->score))
		return peft_seterr(err, "%s: the score of piece %zu is not "
		    "finite", p->what, i);
	if (e->type < PEFT_P_NORMAL || e->type > PEFT_P_BYTE)
		return peft_seterr(err, "%s: piece %zu is of type %d, which "
		    "is none", p->what, i, e->type);
	if (p->unigram && e->type == PEFT_P_UNUSED)
		return peft_seterr(err, "%s: piece %zu is unused, which "
		    "cannot be told in tokenizer.json", p->what, i);
	return 0;
}

/* Only the scores of normal pieces count.  Of Unigram's the others get the
 * worst of them: the score of unknown characters hangs on the worst of all. */
static float
worst(const struct peft_pieces *p)
{
	float least = INFINITY;
	size_t i;

	for (i = 0; i < p->n; i++)
		if (p->at[i].type == PEFT_P_NORMAL && p->at[i].score < least)
			least = p->at[i].score;
	return isinf(least) ? 0 : least;
}

static int
put_scores(const struct peft_pieces *p, struct peft_tokjson *t,
    struct peft_err *err)
{
	float least = worst(p);
	size_t i;

	t->score = peft_calloc(t->n, sizeof(*t->score), err);
	for (i = 0; t->score != NULL && i < t->n; i++)
		t->score[i] = (double)(p->at[i].type == PEFT_P_NORMAL ?
		    p->at[i].score : least);
	return t->score == NULL ? -1 : 0;
}

static int
put_ranks(const struct peft_pieces *p, struct peft_tokjson *t,
    struct peft_err *err)
{
	size_t i;

	if ((t->rank = peft_calloc(t->n, sizeof(*t->rank), err)) == NULL)
		return -1;
	for (i = 0; i < t->n; i++) {
		t->rank[i] = INFINITY;
		if (p->at[i].type != PEFT_P_NORMAL)
			continue;
		if (p->at[i].len > PEFT_TOKJSON_LONGEST)
			return peft_seterr(err, "%s: piece %zu has %zu bytes, "
			    "more than %d", p->what, i, p->at[i].len,
			    PEFT_TOKJSON_LONGEST);
		t->rank[i] = p->at[i].score;
	}
	return 0;
}

int
peft_pieces_lists(const struct peft_pieces *p, struct peft_tokjson *t,
    struct peft_err *err)
{
	size_t i, n = used(p), bytes = 0, same[2];
	int r;

	if (n == 0)
		return peft_seterr(err, "%s: no pieces", p->what);
	for (i = 0; i < n; bytes += p->at[i++].len)
		if (check_text(p, i, err) == -1)
			return -1;
	if (peft_tokjson_open(t, n, bytes, err) == -1)
		return -1;
	for (i = 0; i < n; i++)
		peft_tokjson_put(t, i, p->at[i].s, p->at[i].len);
	if ((r = peft_tokjson_index(t, same, err)) == 1)
		return peft_seterr(err, "%s: pieces %zu and %zu are the same",
		    p->what, same[0], same[1]);
	return r == -1 ? -1 : p->unigram ? put_scores(p, t, err) :
	    put_ranks(p, t, err);
}
