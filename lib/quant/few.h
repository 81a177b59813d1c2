/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_FEW_H
#define PEFT_QUANT_FEW_H

#include <stdbool.h>
#include <stddef.h>

#include "math/panel.h"
#include "tensor/weight.h"

/*
 * Rows of a stored weight times a few tokens: y[t][r] (+)= x[t] . w[r].  For
 * one token this is bound by reading the weight, so values go from the stored
 * block into registers and are used there; for several, a piece of some rows
 * is expanded into the first cache.  Values are the bits that peft_decode()
 * gives.
 *
 * Each sum is in one order: columns by lanes, then the lanes as a tree, then
 * what is beyond the last whole group of 32.  It does not depend on how many
 * tokens or rows there are.
 */
enum {
	PEFT_FEW_TOKENS = 32,		/* at most */
	PEFT_FEW_ROWS = 4,		/* rows at a time */
	PEFT_FEW_STEP = 512		/* columns at a time */
};

struct peft_fixed_piece;

struct peft_few {
	const struct peft_weight *w;
	size_t		 row, n;	/* rows row .. row+n */
	size_t		 ldw;		/* stride of f32 rows */
	const float	*x;		/* [T, cols], row stride ldx */
	size_t		 ldx, T;
	float		*y;		/* of token 0 and row `row' */
	size_t		 ldy;
	bool		 add;
	float		*room;		/* PEFT_FEW_ROWS * PEFT_FEW_STEP */
	const struct peft_fixed_piece *pieces;	/* x, for few-fixed.h, */
	int		 bytes;		/* of so many */
};

struct peft_fews {
	void	(*rows)(const struct peft_few *);
};

extern const struct peft_fews peft_few_ref, peft_few_avx2, peft_few_avx512;

#endif
