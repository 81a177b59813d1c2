/* SPDX-License-Identifier: Apache-2.0 */
/* Byte-pair merges: by search in short pieces, by a heap in long ones. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "text/bpe.h"

static const uint32_t NONE = UINT32_MAX;
enum { AHEAD = 16 };		/* of what is fetched into the cache */

int
peft_bpe_list(struct peft_bpe *b, size_t n, struct peft_err *err)
{
	free(b->merge);
	b->n = 0;
	if ((b->merge = peft_table_alloc(n, sizeof(*b->merge), err)) == NULL)
		return -1;
	b->n = n;
	return 0;
}

int
peft_bpe_index(struct peft_bpe *b, struct peft_err *err)
{
	size_t slots = 16, i;

	for (b->shift = 60; slots / 8 * 5 < b->n; b->shift--)
		slots *= 2;
	b->slots = peft_table_alloc(slots, sizeof(*b->slots), err);
	if (b->slots == NULL)
		return -1;
	/* of free slots all bits are set: ids, PEFT_NORANK and -1 */
	memset(b->slots, 0xff, slots * sizeof(*b->slots));
	for (i = 0; i < b->n; i++) {
		const struct peft_bpe_merge *m = &b->merge[i];
		struct peft_pair *p;

		if (i + AHEAD < b->n)
			__builtin_prefetch(&b->slots[peft_bpe_place(b,
			    m[AHEAD].left, m[AHEAD].right)]);
		p = &b->slots[peft_bpe_find(b, m->left, m->right) - b->slots];
		*p = (struct peft_pair){ (uint64_t)(uint32_t)m->left << 32 |
		    (uint32_t)m->right, (uint32_t)i, m->result };
	}
	return 0;
}

void
peft_bpe_close(struct peft_bpe *b)
{
	free(b->merge);
	free(b->slots);
	*b = (struct peft_bpe){ 0 };
}

/* Short pieces: the ranks of all neighbours are at hand, and the lowest is
 * found by looking at them. */
struct row {
	uint32_t	rank[PEFT_BPE_SHORT];
	int32_t		result[PEFT_BPE_SHORT];
};

static inline void
look(const struct peft_bpe *b, const struct peft_symbol *s, struct row *r,
    size_t i)
{
	const struct peft_pair *p = peft_bpe_find(b, s[i].id, s[i + 1].id);

	r->rank[i] = p->rank;
	r->result[i] = p->result;
}

static size_t
merge_short(const struct peft_bpe *b, struct peft_symbol *s, size_t n)
{
	struct row r;
	size_t i, best;

	for (i = 0; i + 1 < n; i++)
		look(b, s, &r, i);
	while (n > 1) {
		for (best = 0, i = 1; i + 1 < n; i++)
			best = r.rank[i] < r.rank[best] ? i : best;
		if (r.rank[best] == PEFT_NORANK)
			break;
		s[best].id = r.result[best];
		s[best].end = s[best + 1].end;
		n--;
		for (i = best + 1; i < n; i++) {
			s[i] = s[i + 1];
			r.rank[i] = r.rank[i + 1];
			r.result[i] = r.result[i + 1];
		}
		if (best + 1 < n)
			look(b, s, &r, best);
		if (best > 0)
			look(b, s, &r, best - 1);
	}
	return n;
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
	uint32_t right, rank;

	if (left == NONE || (right = c->next[left]) == NONE)
		return;
	rank = peft_bpe_find(c->b, c->s[left].id, c->s[right].id)->rank;
	if (rank != PEFT_NORANK)
		push(&c->heap, (uint64_t)rank << 32 | left);
}

static void
merge_at(struct chain *c, uint32_t left, int32_t result)
{
	uint32_t right = c->next[left];

	c->s[left].id = result;
	c->s[left].end = c->s[right].end;
	c->s[right].id = -1;		/* dead */
	c->next[left] = c->next[right];
	if (c->next[left] != NONE)
		c->prev[c->next[left]] = left;
	push_pair(c, c->prev[left]);
	push_pair(c, left);
}

/* Pushes: n - 1 at first, and two for each of at most n - 1 merges. */
static size_t
merge_long(const struct peft_bpe *b, struct peft_symbol *s, size_t n,
    uint64_t *scratch)
{
	uint32_t *links = (uint32_t *)(void *)(scratch + 3 * n);
	struct chain c = { b, s, links, links + n, { scratch, 0 } };
	const struct peft_pair *p;
	size_t i, k = 0;
	uint64_t key;
	uint32_t left;

	for (i = 0; i < n; i++) {
		c.prev[i] = i == 0 ? NONE : (uint32_t)(i - 1);
		c.next[i] = i + 1 == n ? NONE : (uint32_t)(i + 1);
	}
	for (i = 0; i + 1 < n; i++)
		push_pair(&c, (uint32_t)i);
	while (c.heap.n > 0) {
		key = pop(&c.heap);
		left = (uint32_t)key;
		if (s[left].id < 0 || c.next[left] == NONE)
			continue;
		p = peft_bpe_find(b, s[left].id, s[c.next[left]].id);
		if (p->rank == key >> 32)
			merge_at(&c, left, p->result);
	}
	for (i = 0; i != NONE; i = c.next[i])
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
