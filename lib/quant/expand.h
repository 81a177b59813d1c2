/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_EXPAND_H
#define PEFT_QUANT_EXPAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/cpu.h"
#include "math/int8.h"
#include "math/panel.h"
#include "quant/decode.h"
#include "tensor/weight.h"

/* Elements first .. first+n of a weight, whole blocks and groups of 32, as
 * bf16, rounded as panels of bf16 round. */
typedef void peft_halves_fn(const struct peft_weight *, size_t first, size_t n,
	    uint16_t *dst);

extern peft_halves_fn *const peft_halves_avx512bf16[PEFT_NDTYPE];

/*
 * Panels (math/panel.h) of stored weights: f32, or what a compute type makes
 * of it: bf16, f32 that was rounded to bf16, or int8.
 */
struct peft_expander {
	const struct peft_decoders	*decoders;
	const struct peft_panel_f32	*f32;
	const struct peft_panel_bf16	*bf16;	/* NULL: other panels */
	const struct peft_panel_int8	*int8;	/* NULL: other panels */
	peft_halves_fn *const		*halves; /* by type; NULL, as any of
						 * them may be: through f32 */
	bool				 trim;	/* f32 panels of bf16 values */
	peft_round_fn			*round;	/* int8: what left-hand sides
						 * come through */
	size_t				 size;	/* bytes of an element */
	size_t				 chunk;	/* rows of a panel, a multiple
						 * of every block; */
	size_t				 whole;	/* what has no more than this
						 * is not cut into chunks */
	size_t				 step;	/* depths are padded to this */
	size_t				 part;	/* so many rows of a panel, */
	size_t				 tail;	/* and so many behind them */
	size_t				 room;	/* floats for peft_expand_* */
};

enum { PEFT_ABREAST = 8 };	/* most panels of peft_expand_cols */

struct peft_expander peft_expander_of(const struct peft_cpu *,
	    enum peft_compute);

/* A panel of x W^T: rows r .. r+n (n <= 32) as columns, k columns from c on
 * as rows; ldw: stride of f32 rows; room: e->room floats.  c: a multiple of
 * the type's block. */
void	peft_expand_rows(const struct peft_expander *,
	    const struct peft_weight *, size_t ldw, size_t r, size_t n,
	    size_t c, size_t k, void *panel, float *room);
/* Panels of g W: columns c .. c+n (n <= 32 PEFT_ABREAST), rows r .. r+k; ld:
 * elements from a panel to the next. */
void	peft_expand_cols(const struct peft_expander *,
	    const struct peft_weight *, size_t ldw, size_t r, size_t k,
	    size_t c, size_t n, void *panels, size_t ld, float *room);

#endif
