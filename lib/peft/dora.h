/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_DORA_H
#define PEFT_PEFT_DORA_H

#include "peft/lora.h"

/* What DoRA on linear layers and on embeddings share: the state. */
struct peft_dora {
	struct peft_lowrank	 low;
	float			*norm2;		/* [out] |W_o|^2 */
	float			*scale;		/* [out] g */
	float			*back;		/* [out] 1 + weight (g - 1) */
	float			*inverse;	/* [out] 1 / |W + s B A| */
	float			*wa;		/* [r, out] A W^T */
	float			*aa;		/* [r, r] */
	struct peft_residual	 began;		/* W is W - s B0 A0, then */
};

/* All of it zeros but low and began. */
int	peft_dora_open(struct peft_module *, const struct peft_rows *base,
	    struct peft_err *);
size_t	peft_dora_memory(const void *);
/* scale, back and inverse from the others; begin: from wa and aa of now,
 * too. */
void	peft_dora_scales(const struct peft_module *);
void	peft_dora_begin(void *, struct peft_cpu *, float *product);
size_t	peft_dora_rows(const void *);

/* dora-embedding.c */
extern const struct peft_hook_ops peft_dora_embedding_hook;
int	peft_dora_embedding_prepare(struct peft_module *,
	    const struct peft_rows *, struct peft_err *);
int	peft_dora_embedding_start(struct peft_module *, struct peft_err *);
int	peft_dora_embedding_merge(const struct peft_module *, size_t first,
	    size_t n, float weight, float *rows, struct peft_err *);

#endif
