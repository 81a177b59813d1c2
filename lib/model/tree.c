/* SPDX-License-Identifier: Apache-2.0 */
/* The forest of common prefixes of a micro-batch's sequences. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "data/tokens.h"
#include "model/tree.h"

/* May its tokens stand for another's?  The tree knows one next token for
 * each of them, so labels must be the ids. */
static bool
sharable(const struct peft_seq *s)
{
	size_t i;

	if (s->kv != NULL)
		return false;
	for (i = 0; s->labels != NULL && i < s->n; i++)
		if (s->labels[i] != PEFT_IGNORE && s->labels[i] != s->ids[i])
			return false;
	return true;
}

static size_t
common(const struct peft_seq *a, const struct peft_seq *b)
{
	size_t n = a->n < b->n ? a->n : b->n, i;

	for (i = 0; i < n && a->ids[i] == b->ids[i]; i++)
		;
	return i;
}

static int
sign(bool less, bool more)
{
	return (int)more - (int)less;
}

/* Adapters apart, then by the tokens, then as they were given. */
static int
compare(const void *pa, const void *pb, void *ctx)
{
	size_t ia = *(const size_t *)pa, ib = *(const size_t *)pb, i;
	const struct peft_seq *a = (const struct peft_seq *)ctx + ia;
	const struct peft_seq *b = (const struct peft_seq *)ctx + ib;

	if (a->adapter != b->adapter)
		return sign(a->adapter < b->adapter, a->adapter >
		    b->adapter);
	if (a->task != b->task)
		return sign(a->task < b->task, a->task > b->task);
	i = common(a, b);
	if (i < a->n && i < b->n)
		return sign(a->ids[i] < b->ids[i], a->ids[i] > b->ids[i]);
	if (a->n != b->n)
		return sign(a->n < b->n, a->n > b->n);
	return sign(ia < ib, ia > ib);
}

static void
sort(struct peft_tree *t, const struct peft_seq *seqs, size_t n)
{
	size_t i;

	qsort_r(t->order, n, sizeof(*t->order), compare,
	    (void *)(uintptr_t)seqs);
	for (i = 1; i < n; i++) {
		const struct peft_seq *a = &seqs[t->order[i - 1]];
		const struct peft_seq *b = &seqs[t->order[i]];

		if (a->adapter == b->adapter && a->task == b->task &&
		    sharable(a) && sharable(b))
			t->common[i] = common(a, b);
	}
}

static size_t
add_node(struct peft_tree *t, size_t lo, size_t hi, size_t depth, size_t end,
    size_t parent)
{
	t->nodes[t->n] = (struct peft_node){ .first = t->tokens,
	    .n = end - depth, .depth = depth, .parent = parent, .lo = lo,
	    .hi = hi };
	t->tokens += end - depth;
	return t->n++;
}

/* Nodes for order[lo..hi), which have `depth' tokens in common, those of the
 * node `parent' and of what is above it. */
static void
grow(struct peft_tree *t, const struct peft_seq *seqs, size_t lo, size_t hi,
    size_t depth, size_t parent)
{
	size_t next, end, node;

	for (; lo < hi; lo = next) {
		end = seqs[t->order[lo]].n;
		for (next = lo + 1; next < hi && t->common[next] >=
		    depth + PEFT_SHARED_MIN; next++)
			if (t->common[next] < end)
				end = t->common[next];
		node = add_node(t, lo, next, depth, end, parent);
		while (lo < next && seqs[t->order[lo]].n == end)
			lo++;			/* they end with the node */
		grow(t, seqs, lo, next, end, node);
	}
}

void
peft_tree_build(struct peft_tree *t, const struct peft_seq *seqs, size_t nseqs,
    bool share)
{
	size_t i;

	t->n = t->tokens = 0;
	for (i = 0; i < nseqs; i++) {
		t->order[i] = i;
		t->common[i] = 0;
	}
	if (share)
		sort(t, seqs, nseqs);
	grow(t, seqs, 0, nseqs, 0, SIZE_MAX);
}

static size_t
tokens_of(struct peft_tree *t, const struct peft_seq *seqs, size_t n,
    bool share, size_t (*extra)(const void *, const struct peft_seq *),
    const void *ctx)
{
	size_t tokens = 0, i;

	for (i = 0; i < n; i++)
		tokens += extra(ctx, &seqs[i]);
	peft_tree_build(t, seqs, n, share);
	return t->tokens + tokens;
}

size_t
peft_tree_fit(struct peft_tree *t, const struct peft_seq *seqs, size_t nseqs,
    bool share, size_t (*extra)(const void *, const struct peft_seq *),
    const void *ctx, size_t most)
{
	size_t fits = 0, try;

	for (try = nseqs; fits < nseqs; try = fits + (nseqs - fits + 1) / 2) {
		if (tokens_of(t, seqs, try, share, extra, ctx) <= most)
			fits = try;
		else
			nseqs = try - 1;
	}
	return fits;
}
