/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_LOWRANK_H
#define PEFT_PEFT_LOWRANK_H

#include "peft/method.h"

/*
 * Adapters that add s B (A drop(x)) + s b to a linear's output: A [r, in],
 * B [out, r] are parameters (LoRA), or functions of them.
 *
 * A method of the second kind has a struct peft_lowrank_ops as its ops: make
 * fills in A and B; back adds to the parameters' gradients, given gA and gB.
 * One of the first kind has none: its params 0, 1, 2 are A, B, b (or NULL).
 */
struct peft_lowrank_ops {
	void	(*make)(const struct peft_module *, float *a, float *b);
	void	(*back)(const struct peft_module *, const float *ga,
		    const float *gb);
};

/* A method's state begins with this. */
struct peft_lowrank {
	const float	*a, *b;
	float		*ga, *gb;	/* NULL: not trained */
	float		*own;		/* [2 r (in + out)] unless parameters */
	float		 data[];
};

int	peft_lowrank_prepare(struct peft_module *, const struct peft_rows *,
	    struct peft_err *);
size_t	peft_lowrank_memory(const void *);
size_t	peft_lowrank_saved(const void *, size_t T);
size_t	peft_lowrank_scratch(const void *, size_t T);
bool	peft_lowrank_thin(const void *, const struct peft_hook_call *,
	    struct peft_thin *);
void	peft_lowrank_forward(void *, const struct peft_hook_call *, float *y,
	    size_t ldy);
void	peft_lowrank_backward(void *, const struct peft_hook_call *,
	    const float *dy, size_t lddy, float *dx, size_t lddx);
extern const struct peft_hook_ops peft_lowrank_hook;

bool	peft_lowrank_changes(const struct peft_module *, enum peft_leaf);
int	peft_lowrank_merge(const struct peft_module *, enum peft_leaf,
	    size_t first, size_t n, float weight, float *rows,
	    const struct peft_rows *base, struct peft_err *);
/* row += s (b A), b [r], A [r, in]. */
void	peft_lowrank_row(const float *b, const float *a, size_t r, size_t in,
	    float s, float *row);

/* drop.c: dropout of the module's input.  The input that is to be seen (c->x
 * itself, or `room' [T, in]), and its stride; and dx += what the gradient g
 * [T, in] becomes behind it. */
bool	peft_drop_on(const struct peft_module *, const struct peft_hook_call *);
const float *peft_drop(const struct peft_module *,
	    const struct peft_hook_call *, float *room, size_t *ld);
void	peft_drop_back(const struct peft_module *,
	    const struct peft_hook_call *, const float *g, float *dx,
	    size_t lddx);
/* What a whole step does without is a function of the module and the step:
 * the module; rows of its change, keep[n] being what they are multiplied with;
 * the i-th of n blocks, asked for in order, *left of which are to go (first
 * what peft_drop_blocks() says). */
bool	peft_drop_all(const struct peft_module *,
	    const struct peft_hook_call *);
bool	peft_drop_rows(const struct peft_module *,
	    const struct peft_hook_call *, float *keep, size_t n);
size_t	peft_drop_blocks(const struct peft_module *,
	    const struct peft_hook_call *, size_t n);
bool	peft_drop_block(const struct peft_module *,
	    const struct peft_hook_call *, size_t i, size_t n, size_t *left);

#endif
