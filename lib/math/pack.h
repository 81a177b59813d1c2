/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_PACK_H
#define PEFT_MATH_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "math/cpu.h"
#include "math/panel.h"

/*
 * Products within a task, of matrices that are packed once and multiplied
 * often (a head's keys and values): panels (panel.h) of f32, or of f32
 * rounded to bf16.  Sums are f32 in both.
 */
struct peft_packer {
	const struct peft_panel_f32	*f32;
	const struct peft_panel_bf16	*bf16;	/* NULL: f32 it is */
	size_t				 size;	/* bytes of an element */
};

/* bf16 where the compute type of adapters is and the processor has kernels
 * for it, else f32. */
struct peft_packer peft_packer_of(const struct peft_cpu *);

/* n up to the next multiple of what panels are wide and deep in. */
static inline size_t
peft_pack_up(size_t n)
{
	return (n + PEFT_PANEL - 1) / PEFT_PANEL * PEFT_PANEL;
}

/* The i'th element. */
void	*peft_pack_at(const struct peft_packer *, const void *, size_t i);
/* Panels, ld elements apart, of n columns that lie as rows src[n][lds]; of k
 * rows src[k][lds].  k goes up to a multiple of 32 with zeros. */
void	peft_pack_rows(const struct peft_packer *, const float *src,
	    size_t lds, size_t n, size_t k, void *panels, size_t ld);
void	peft_pack_cols(const struct peft_packer *, const float *src,
	    size_t lds, size_t k, size_t n, void *panels, size_t ld);
/* A left-hand side src[m][*ld], where it is, or in room[m][k up] with *ld
 * changed. */
const void *peft_pack_left(const struct peft_packer *, const float *src,
	    size_t m, size_t k, void *room, size_t *ld);
/* The same of its transpose: room[k][ld], m <= ld.  copy: 48 k floats. */
void	peft_pack_turned(const struct peft_packer *, const float *src,
	    size_t lds, size_t m, size_t k, void *room, size_t ld,
	    float *copy);
/* C (+)= A B; b->k as it was packed. */
void	peft_pack_multiply(const struct peft_packer *,
	    const struct peft_block *);

#endif
