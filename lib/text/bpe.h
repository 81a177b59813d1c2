/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_BPE_H
#define PEFT_TEXT_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tensor/tokjson.h"

/*
 * Byte-pair encoding (Sennrich et al. 2016): the pair of neighbours with the
 * lowest rank is merged, the leftmost among equals, until none is left.
 */
struct peft_bpe {
	struct peft_bpe_merge	*merge;		/* n of them; the rank of each
						 * is its place here */
	size_t			 n;
	struct peft_pair	*slots;
	unsigned		 shift;
};

struct peft_pair {
	uint64_t	ids;		/* left << 32 | right; ~0: free */
	uint32_t	rank;		/* PEFT_NORANK in free slots */
	int32_t		result;
};
#define PEFT_NORANK	UINT32_MAX

/* A list of n merges, to be filled in. */
int	peft_bpe_list(struct peft_bpe *, size_t n, struct peft_err *)
	    PEFT_MUSTCHECK;
/* The list is complete: index it.  Of equal pairs the last counts. */
int	peft_bpe_index(struct peft_bpe *, struct peft_err *) PEFT_MUSTCHECK;
void	peft_bpe_close(struct peft_bpe *);

/* A symbol: a token and the bytes of the piece that it stands for. */
struct peft_symbol {
	int32_t		id;
	uint32_t	begin, end;
};

/* Merge sym[0..n) in place; returns how many are left.  scratch:
 * PEFT_BPE_SCRATCH(n) words, which may be NULL for n up to PEFT_BPE_SHORT. */
enum { PEFT_BPE_SHORT = 32 };
size_t	peft_bpe_merge(const struct peft_bpe *, struct peft_symbol *sym,
	    size_t n, uint64_t *scratch);
#define PEFT_BPE_SCRATCH(n)	(4 * (n))	/* uint64_t's */

/* whole[id] = 1 for tokens that merging gives back whole when it is given
 * their text alone; atoms (the first symbols) must be set already.  What is
 * left 0 may be whole all the same. */
int	peft_bpe_whole(const struct peft_bpe *, unsigned char *whole,
	    size_t ntokens, struct peft_err *) PEFT_MUSTCHECK;

static inline size_t
peft_bpe_place(const struct peft_bpe *b, int32_t left, int32_t right)
{
	uint64_t ids = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;

	return (size_t)(ids * 0x9e3779b97f4a7c15u >> b->shift);
}

static inline const struct peft_pair *
peft_bpe_find(const struct peft_bpe *b, int32_t left, int32_t right)
{
	uint64_t ids = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
	size_t i = peft_bpe_place(b, left, right);
	size_t mask = SIZE_MAX >> b->shift;

	while (b->slots[i].ids != ids && b->slots[i].rank != PEFT_NORANK)
		i = (i + 1) & mask;
	return &b->slots[i];
}

#endif
