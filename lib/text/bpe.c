/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-pair merges: by search in short pieces, by a heap in long ones. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/bpe.h"

static const uint64_t FREE = ~UINT64_C(0);
static const uint32_t NONE = UINT32_MAX;

static uint64_t
pair_of(int32_t left, int32_t right)
{
	return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static size_t
slot_of(const struct peft_bpe *b, uint64_t pair)
{
	uint64_t h = pair * 0x9e3779b97f4a7c15u;

	return (size_t)(h >> 20) & (b->nslots - 1);
}

int
peft_bpe_open(struct peft_bpe *b, size_t n, struct peft_err *err)
{
	size_t i;

	b->n = 0;
	for (b->nslots = 16; b->nslots < 2 * n; b->nslots *= 2)
		;
	b->slots = peft_calloc(b->nslots, sizeof(*b->slots), err);
	if (b->slots == NULL)
		return -1;
	for (i = 0; i < b->nslots; i++)
		b->slots[i].pair = FREE;
	return 0;
}

void
peft_bpe_close(struct peft_bpe *b)
{
	free(b->slots);
	b->slots = NULL;
}

static struct peft_merge *
probe(const struct peft_bpe *b, uint64_t pair)
{
	size_t i = slot_of(b, pair);

	while (b->slots[i].pair != pair && b->slots[i].pair != FREE)
		i = (i + 1) & (b->nslots - 1);
	return &b->slots[i];
}

void
peft_bpe_add(struct peft_bpe *b, int32_t left, int32_t right, uint32_t rank,
    int32_t result)
{
	struct peft_merge *m = probe(b, pair_of(left, right));

	if (m->pair == FREE)
		*m = (struct peft_merge){ pair_of(left, right), rank, result };
}

static const struct peft_merge *
find(const struct peft_bpe *b, int32_t left, int32_t right)
{
	const struct peft_merge *m;

	if (left < 0 || right < 0)
		return NULL;
	m = probe(b, pair_of(left, right));
	return m->pair == FREE ? NULL : m;
}

static uint32_t
rank_of(const struct peft_bpe *b, const struct peft_symbol *s)
{
	const struct peft_merge *m = find(b, s[0].id, s[1].id);

	return m == NULL ? NONE : m->rank;
}

/* Short pieces: the ranks of all neighbours are at hand, and the lowest is
 * found by looking at them. */
static size_t
merge_short(const struct peft_bpe *b, struct peft_symbol *s, size_t n)
{
	uint32_t rank[PEFT_BPE_SHORT];
	size_t i, best;

	for (i = 0; i + 1 < n; i++)
		rank[i] = rank_of(b, s + i);
	for (;;) {
		for (best = 0, i = 1; i + 1 < n; i++)
			if (rank[i] < rank[best])
				best = i;
		if (n < 2 || rank[best] == NONE)
			return n;
		s[best].id = find(b, s[best].id, s[best + 1].id)->result;
		s[best].end = s[best + 1].end;
		memmove(s + best + 1, s + best + 2, (n - best - 2) *
		    sizeof(*s));
		if (best + 2 < n)
			memmove(rank + best + 1, rank + best + 2,
			    (n - best - 2) * sizeof(*rank));
		n--;
		if (best + 1 < n)
			rank[best] = rank_of(b, s + best);
		if (best > 0)
			rank[best - 1] = rank_of(b, s + best - 1);
	}
}

/* Long pieces: a heap of (rank, place), and symbols as a linked list.  An
 * entry that no longer describes its pair is passed over when it comes up. */
struct heap {
	uint64_t	*at;		/* rank << 32 | place */
	size_t		 n;
};

static void
push(struct heap *h, uint64_t key)
{
	size_t i = h->n++, up;

	for (; i > 0 && h->at[up = (i - 1) / 2] > key; i = up)
		h->at[i] = h->at[up];
	h->at[i] = key;
}

static uint64_t
pop(struct heap *h)
{
	uint64_t top = h->at[0], last = h->at[--h->n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < h->n) {
		if (child + 1 < h->n && h->at[child + 1] < h->at[child])
			child++;
		if (h->at[child] >= last)
			break;
		h->at[i] = h->at[child];
		i = child;
	}
	h->at[i] = last;
	return top;
}

struct chain {
	const struct peft_bpe	*b;
	struct peft_symbol	*s;
	uint32_t		*prev, *next;	/* NONE at the ends */
	struct heap		 heap;
};

static void
push_pair(struct chain *c, uint32_t left)
{
	const struct peft_merge *m;
	uint32_t right;

	if (left == NONE || (right = c->next[left]) == NONE)
		return;
	m = find(c->b, c->s[left].id, c->s[right].id);
	if (m != NULL)
		push(&c->heap, (uint64_t)m->rank << 32 | left);
}

static void
merge_at(struct chain *c, uint32_t left, int32_t result)
{
	uint32_t right = c->next[left];

	c->s[left].id = result;
	c->s[left].end = c->s[right].end;
	c->s[right].id = -1;		/* dead: matches no pair */
	c->next[left] = c->next[right];
	if (c->next[left] != NONE)
		c->prev[c->next[left]] = left;
	push_pair(c, c->prev[left]);
	push_pair(c, left);
}

static size_t
merge_long(const struct peft_bpe *b, struct peft_symbol *s, size_t n,
    uint64_t *scratch)
{
	uint32_t *links = (uint32_t *)(void *)(scratch + 3 * n);
	struct chain c = { b, s, links, links + n, { scratch, 0 } };
	size_t i, k = 0;

	for (i = 0; i < n; i++) {
		c.prev[i] = i == 0 ? NONE : (uint32_t)(i - 1);
		c.next[i] = i + 1 == n ? NONE : (uint32_t)(i + 1);
	}
	for (i = 0; i + 1 < n; i++)
		push_pair(&c, (uint32_t)i);
	while (c.heap.n > 0) {
		uint64_t key = pop(&c.heap);
		uint32_t left = (uint32_t)key, right;
		const struct peft_merge *m;

		if (s[left].id < 0 || (right = c.next[left]) == NONE)
			continue;
		m = find(b, s[left].id, s[right].id);
		if (m != NULL && m->rank == key >> 32)
			merge_at(&c, left, m->result);
	}
	for (i = 0; i != NONE && n > 0; i = c.next[i])
		s[k++] = s[i];
	return k;
}

size_t
peft_bpe_merge(const struct peft_bpe *b, struct peft_symbol *sym, size_t n,
    uint64_t *scratch)
{
	return n <= PEFT_BPE_SHORT ? merge_short(b, sym, n) :
	    merge_long(b, sym, n, scratch);
}
