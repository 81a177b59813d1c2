/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_EXPAND_H
#define PEFT_QUANT_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "math/cpu.h"
#include "math/panel.h"
#include "tensor/weight.h"

/*
 * Panels (math/panel.h) of stored weights: f32, or what the compute type of
 * the cpu makes of it: bf16, or f32 that was rounded to bf16.
 */
struct peft_expander {
	const struct peft_panel_f32	*f32;
	const struct peft_panel_bf16	*bf16;	/* NULL: f32 panels */
	bool				 trim;	/* f32 panels of bf16 values */
};

enum {
	PEFT_DEEP = 640,	/* most rows of a panel: the rows that a tile
				 * of f32 takes stay in the first cache */
	PEFT_ABREAST = 8,	/* most panels of peft_expand_cols */
	PEFT_EXPAND_ROOM = PEFT_PANEL * PEFT_PANEL * PEFT_ABREAST
};

struct peft_expander peft_expander_of(const struct peft_cpu *);
/* Bytes of a panel's element. */
size_t	peft_expander_size(const struct peft_expander *);

/* A panel of x W^T: rows r .. r+n (n <= 32) as columns, k columns from c on
 * as rows; ldw: stride of f32 rows; room: PEFT_EXPAND_ROOM floats.  c: a
 * multiple of the type's block. */
void	peft_expand_rows(const struct peft_expander *,
	    const struct peft_weight *, size_t ldw, size_t r, size_t n,
	    size_t c, size_t k, void *panel, float *room);
/* Panels of g W: columns c .. c+n (n <= 32 PEFT_ABREAST), rows r .. r+k; ld:
 * elements from a panel to the next. */
void	peft_expand_cols(const struct peft_expander *,
	    const struct peft_weight *, size_t ldw, size_t r, size_t k,
	    size_t c, size_t n, void *panels, size_t ld, float *room);

#endif
