/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_HOOKS_IMPL_H
#define PEFT_MODEL_HOOKS_IMPL_H

#include "model/net-impl.h"

/* hooks.c: what adapters add at a site. */
enum peft_op_kind { PEFT_HAS_INPUT, PEFT_HAS_OUTPUT, PEFT_HAS_VECTOR };

/* A norm's vectors of an adapter, and where their gradients go. */
struct peft_vectors {
	const float	*w, *b;
	float		*dw, *db;	/* NULL: nowhere */
};

struct peft_hook_call peft_hook_at(struct peft_run *,
	    const struct peft_range *, const uint64_t *ident, const float *x,
	    size_t ldx, float *saved);
void	peft_hooks_begin(struct peft_run *);
void	peft_hooks_end(struct peft_run *);
size_t	peft_hooks_memory(const struct peft_sites *);
/* Rows that a hook's begin() multiplies with a weight, at most. */
size_t	peft_hooks_rows(const struct peft_sites *);
bool	peft_hooks_read(const struct peft_site *);
/* Floats a row of run->input, run->dout. */
size_t	peft_hooks_width(const struct peft_run *, enum peft_op_kind);
bool	peft_hooks_have(const struct peft_site *, enum peft_op_kind);
void	peft_hooks_output_back(struct peft_run *, const struct peft_site *,
	    const struct peft_range *, size_t nranges, const uint64_t *ident,
	    const float *x, size_t ldx, float *dy, size_t lddy, float *saved);
/* What the product is to see: x itself, or run->input. */
const float *peft_hooks_input(struct peft_run *, const struct peft_site *,
	    const struct peft_range *, size_t nranges, const uint64_t *ident,
	    const float *x, size_t *ldx);
void	peft_hooks_input_back(struct peft_run *, const struct peft_site *,
	    const struct peft_range *, size_t nranges, const uint64_t *ident,
	    const float *x, size_t ldx, const float *dy, float *dx,
	    size_t lddx);
/* Virtual tokens' keys and values (y NULL: does anything change them?). */
bool	peft_hooks_keys(struct peft_run *, const struct peft_site *,
	    const float *x, float *y);
void	peft_hooks_keys_back(struct peft_run *, const struct peft_site *,
	    const float *x, const float *y, float *dy, float *dx);
struct peft_vectors peft_hooks_vectors(const struct peft_normal *,
	    int adapter);
/* norms.c: a norm as an adapter has it, *v being its vectors; and the gradient
 * of these (v->dw is not NULL): += dy times what is multiplied with them. */
struct peft_normal peft_norm_of(const struct peft_normal *, int adapter,
	    struct peft_vectors *v);
void	peft_norm_vectors_back(const struct peft_run *,
	    const struct peft_normal *, size_t group,
	    const struct peft_vectors *, const float *dy, const float *x);
size_t	peft_hooks_saved(const struct peft_site *, size_t T);
size_t	peft_hooks_scratch(const struct peft_site *, size_t T);
void	peft_hooks_forward(struct peft_run *, const struct peft_site *,
	    const struct peft_range *, size_t nranges, const uint64_t *ident,
	    const float *x, size_t ldx, float *y, size_t ldy, float *saved);
void	peft_hooks_undo(struct peft_run *, const struct peft_site *,
	    const float *x, size_t ldx, float *y, size_t ldy);
/* For hooks that add nothing: the rows have no names, and nothing is kept. */
void	peft_hooks_hear(struct peft_run *, const struct peft_site *,
	    const struct peft_range *, const float *x, size_t ldx);
void	peft_hooks_backward(struct peft_run *, const struct peft_site *,
	    const struct peft_range *, size_t nranges, const uint64_t *ident,
	    const float *x, size_t ldx, const float *dy, size_t lddy,
	    float *dx, size_t lddx, float *saved);

/* hooks-stack.c: the same of a stack, for the visitors of one expert: rows
 * first .. first + n of x, y and `saved'. */
size_t	peft_stack_saved(const struct peft_run *, enum peft_stack,
	    size_t l, size_t end);
void	peft_stack_forward(struct peft_run *, size_t layer, enum peft_stack,
	    const struct peft_visits *, size_t expert, const float *x,
	    size_t ldx, float *y, size_t ldy);
void	peft_stack_backward(struct peft_run *, size_t layer, enum peft_stack,
	    const struct peft_visits *, size_t expert, const float *x,
	    size_t ldx, const float *dy, size_t lddy, float *dx, size_t lddx);

#endif
