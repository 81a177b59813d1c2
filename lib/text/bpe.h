/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TEXT_BPE_H
#define PEFT_TEXT_BPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Byte-pair encoding (Sennrich et al. 2016): the pair of neighbours with the
 * lowest rank is merged, the leftmost among equals, until none is left.
 */
struct peft_merge {
	uint64_t	pair;		/* left id << 32 | right id; ~0: free */
	uint32_t	rank;
	int32_t		result;
};

struct peft_bpe {
	struct peft_merge	*slots;
	size_t			 nslots, n;	/* a power of two */
};

/* Room for n merges. */
int	peft_bpe_open(struct peft_bpe *, size_t n, struct peft_err *)
	    PEFT_MUSTCHECK;
void	peft_bpe_close(struct peft_bpe *);
/* A pair that is there already keeps its (lower) rank. */
void	peft_bpe_add(struct peft_bpe *, int32_t left, int32_t right,
	    uint32_t rank, int32_t result);

/* A symbol: a token and the bytes of the piece that it stands for. */
struct peft_symbol {
	int32_t		id;
	uint32_t	begin, end;
};

/* Merge sym[0..n) in place; returns how many are left.  heap: scratch of
 * 3 n entries of uint64_t, 2 n of uint32_t behind them (may be NULL for n up
 * to PEFT_BPE_SHORT). */
enum { PEFT_BPE_SHORT = 24 };
size_t	peft_bpe_merge(const struct peft_bpe *, struct peft_symbol *sym,
	    size_t n, uint64_t *scratch);
#define PEFT_BPE_SCRATCH(n)	(4 * (n))	/* uint64_t's */

#endif
