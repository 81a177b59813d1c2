/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_OPS_IMPL_H
#define PEFT_MODEL_OPS_IMPL_H

#include "model/net-impl.h"

/* Operations on rows of a micro-batch. */

/* ops.c: one operation over T rows, on all threads. */
void	peft_op_norm(struct peft_run *, const struct peft_normal *, float *y,
	    const float *x, size_t T);
/* y, ld apart, rounded to bf16, by way of run->tmp. */
void	peft_op_norm_halves(struct peft_run *, const struct peft_normal *,
	    uint16_t *y, size_t ld, const float *x);
/* x, or what the norm makes of it, in run->normed. */
const float *peft_normed(struct peft_run *, const struct peft_normal *,
	    const float *x);
/* dx += (or =, if set) the gradient. */
void	peft_op_norm_back(struct peft_run *, const struct peft_normal *,
	    float *dx, const float *dy, const float *x, size_t T, bool set);
/* y = a + scale b, put away rounded to bf16, too (keep NULL: not). */
void	peft_op_add(struct peft_run *, float *y, uint16_t *keep,
	    const float *a, const float *b, float scale);
void	peft_op_scale(struct peft_run *, float *y, const float *a,
	    float scale);
void	peft_op_bias(struct peft_run *, float *y, size_t ld, const float *b,
	    size_t n, size_t T);
/* One row of a norm, for tiles and heads. */
void	peft_norm_row(const struct peft_run *, const struct peft_normal *,
	    size_t group, float *y, const float *x);
void	peft_norm_back_row(const struct peft_run *, const struct peft_normal *,
	    size_t group, float *dx, const float *dy, const float *x);

/* Features of the widest norm that a model may have. */
size_t	peft_norm_widest(const struct peft_config *);

/* act.c: y = act(g) u of a row, or of a stretch of it (u NULL: nothing is
 * gated); its gradient in place of g and u. */
void	peft_act_row(const struct peft_run *, float *y, const float *g,
	    const float *u, size_t n);
void	peft_act_back_row(const struct peft_run *, float *g, float *u,
	    const float *dy, size_t n);

/* act-op.c: y[T, n] = act(gate) up from gu = [gate | up] or [up], which are put
 * away rounded to bf16 (keep NULL: not).  For backward, the same from what was
 * (kept NULL: from gu), and from that their gradient, to gu; with bf16 both
 * are rounded, as products and adapters use them (mlp-tiles.c). */
void	peft_op_act(struct peft_run *, float *y, const float *gu,
	    uint16_t *keep, size_t n, size_t T);
void	peft_op_act_again(struct peft_run *, float *y, const float *gu,
	    const uint16_t *kept, size_t n, size_t T);
void	peft_op_act_back(struct peft_run *, float *gu, const uint16_t *kept,
	    const float *dy, size_t n, size_t T);

/* A soft cap: y = cap tanh(y / cap), within 1e-6 of itself. */
void	peft_cap_row(const struct peft_vec *, float *y, size_t n, float cap);

/* virtual.c: tokens that adapters put before a sequence. */
const struct peft_virtual *peft_virtual_of(const struct peft_run *,
	    const struct peft_seq *);
/* How many tokens at its beginning count no positions. */
size_t	peft_virtual_still(const struct peft_run *, const struct peft_seq *);
void	peft_virtual_whole(struct peft_run *, size_t seq, size_t T);
void	peft_virtual_embed(struct peft_run *, float *x);
void	peft_virtual_embed_back(struct peft_run *, const float *dx);
void	peft_virtual_keys(struct peft_run *, size_t layer, float *qkv);
void	peft_virtual_keys_back(struct peft_run *, size_t layer, float *dqkv);

/* norms.c: a norm of rows `at' (NULL: 0, 1, ...) of x with the vectors that
 * the rows' adapters give it; dx +=, as do the vectors' gradients.  Rows of x
 * and dx lie ldx apart, those of y and dy are dense. */
void	peft_norm_rows(struct peft_run *, const struct peft_normal *,
	    const struct peft_range *, size_t nranges, float *y,
	    const float *x, size_t ldx, const size_t *at);
void	peft_norm_rows_back(struct peft_run *, const struct peft_normal *,
	    const struct peft_range *, size_t nranges, float *dx,
	    const float *dy, const float *x, size_t ldx, const size_t *at);

#endif
