/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SentencePiece merges the two neighbours that make the piece with the best
 * score.  tokenizer.json wants to know which pairs these are, in order.
 */

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/map.h"
#include "tensor/pieces.h"

struct pair {
	uint32_t	whole, left, right;
	float		score;		/* of the whole */
};

struct pairs {
	struct pair	*at;
	size_t		 n, cap;
};

/* Best score first; then by what is made, and of what. */
static int
by_score(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	if (x->whole != y->whole)
		return x->whole < y->whole ? -1 : 1;
	if (x->left != y->left)
		return x->left < y->left ? -1 : 1;
	return x->right < y->right ? -1 : x->right > y->right;
}

/* Where piece e may be cut into two, and the hashes of these. */
struct cut {
	size_t		at;
	uint32_t	left, right;
};

static size_t
cuts(const struct peft_piece *e, const struct peft_map *known,
    struct cut cut[PEFT_MAXPIECE])
{
	size_t k, n = 0;

	for (k = peft_utf8_len(e->s, e->len); k < e->len;
	    k += peft_utf8_len(e->s + k, e->len - k))
		cut[n++] = (struct cut){ k, peft_map_hint(known, e->s, k),
		    peft_map_hint(known, e->s + k, e->len - k) };
	return n;
}

/* All ways to make piece i of two others. */
static int
ways(const struct peft_pieces *p, size_t i, const struct peft_map *known,
    struct pairs *out, struct peft_err *err)
{
	const struct peft_piece *e = &p->at[i];
	struct cut cut[PEFT_MAXPIECE];
	size_t k, n = cuts(e, known, cut), *left, *right;
	struct pair *grown;

	for (k = 0; k < n; k++) {
		const struct cut *c = &cut[k];

		if ((left = peft_map_hinted(known, e->s, c->at,
		    c->left)) == NULL || (right = peft_map_hinted(known,
		    e->s + c->at, e->len - c->at, c->right)) == NULL)
			continue;
		grown = peft_grow(out->at, out->n, &out->cap, sizeof(*grown),
		    err);
		if (grown == NULL)
			return -1;
		out->at = grown;
		out->at[out->n++] = (struct pair){ (uint32_t)i,
		    (uint32_t)*left, (uint32_t)*right, e->score };
	}
	return 0;
}

/* Scores fall from piece to piece in most vocabularies: then only the ways
 * to make one piece have to change places. */
static void
sort(struct pairs *p)
{
	size_t i, end;

	for (i = 0; i < p->n; i = end) {
		for (end = i + 1; end < p->n && p->at[end].whole ==
		    p->at[i].whole; end++)
			;
		if (end - i > 1)
			qsort(&p->at[i], end - i, sizeof(*p->at), by_score);
	}
	for (i = 1; i < p->n && by_score(&p->at[i - 1], &p->at[i]) < 0; i++)
		;
	if (i < p->n)
		qsort(p->at, p->n, sizeof(*p->at), by_score);
}

static int
find_pairs(const struct peft_pieces *p, struct pairs *out,
    struct peft_err *err)
{
	struct peft_map known = { 0 };
	int r = peft_map_reserve(&known, p->n, err);
	size_t i;

	for (i = 0; r != -1 && i < p->n; i++)
		if (p->at[i].type == PEFT_P_NORMAL)
			r = peft_map_add(&known, p->at[i].s, p->at[i].len, i,
			    err);
	for (i = 0; r != -1 && i < p->n; i++) {
		if (p->at[i].type != PEFT_P_NORMAL)
			continue;
		if (p->at[i].len > PEFT_MAXPIECE)
			r = peft_seterr(err, "%s: piece %zu has %zu bytes, "
			    "more than %d", p->what, i, p->at[i].len,
			    PEFT_MAXPIECE);
		else
			r = ways(p, i, &known, out, err);
	}
	peft_map_free(&known);
	if (r != -1)
		sort(out);
	return r == -1 ? -1 : 0;
}

int
peft_pieces_merges(const struct peft_pieces *p, struct peft_buf *b, size_t *n,
    struct peft_err *err)
{
	struct pairs pairs = { 0 };
	size_t i;
	int r = find_pairs(p, &pairs, err);

	peft_buf_putc(b, '[');
	for (i = 0; r == 0 && i < pairs.n; i++) {
		const struct peft_piece *left = &p->at[pairs.at[i].left];
		const struct peft_piece *right = &p->at[pairs.at[i].right];

		peft_buf_puts(b, i > 0 ? ",[" : "[");
		peft_json_putstr(b, left->s, left->len);
		peft_buf_putc(b, ',');
		peft_json_putstr(b, right->s, right->len);
		peft_buf_putc(b, ']');
	}
	peft_buf_putc(b, ']');
	*n = pairs.n;
	free(pairs.at);
	return r;
}
