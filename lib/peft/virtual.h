/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_VIRTUAL_H
#define PEFT_PEFT_VIRTUAL_H

#include "peft/method.h"

/*
 * Adapters that are virtual tokens: rows of the embedding, or keys and values
 * of every layer, [n, width] as the file's prompt_embeddings has them (param
 * 0).  Where something else is trained that makes them (an encoder), param 0
 * is fixed, and the method's hook fills it in begin() and takes its gradient,
 * which is in the state, in end().
 */
#define PEFT_SET_VIRTUAL \
	PEFT_SET_LATER("num_virtual_tokens", "null"), \
	PEFT_SET_LATER("token_dim", "null"), \
	PEFT_SET_LATER("num_transformer_submodules", "null"), \
	PEFT_SET_LATER("num_attention_heads", "null"), \
	PEFT_SET_LATER("num_layers", "null")

enum { PEFT_PROMPT };			/* param[] */
enum { PEFT_VIRTUAL_N, PEFT_VIRTUAL_WIDTH };	/* own[] */

/* The keys that all their configs have, read and checked against the model;
 * fresh ones are filled in.  kv: of keys and values. */
int	peft_virtual_common(struct peft_module *, bool kv,
	    struct peft_shape *, struct peft_err *);
/* State: `extra' floats, zero, behind the prompt's gradient. */
int	peft_virtual_prepare(struct peft_module *, size_t extra,
	    struct peft_err *);
/* The gradient of param 0; and the floats behind it. */
float	*peft_virtual_gradient(const struct peft_module *);
float	*peft_virtual_extra(const struct peft_module *);
int	peft_virtual_attach(struct peft_module *, struct peft_sites *,
	    int index, bool kv, const struct peft_hook_ops *,
	    struct peft_err *);
size_t	peft_virtual_memory(const void *);
/* Of rows of the embedding that are trained as they are. */
int	peft_virtual_plain_prepare(struct peft_module *,
	    const struct peft_rows *base, struct peft_err *);
int	peft_virtual_plain_attach(struct peft_module *, struct peft_sites *,
	    int index, struct peft_err *);

/* prompt.c: prompt_tuning_init; the rows of param 0 that it calls for, if they
 * are not random. */
enum peft_prompt_start { PEFT_PROMPT_RANDOM, PEFT_PROMPT_VOCAB,
	PEFT_PROMPT_TEXT };
int	peft_prompt_start(struct peft_module *, enum peft_prompt_start,
	    struct peft_err *);

/* encoder.c: y [n, out] = x [n, in] W^T + b, its gradients added; dx may be
 * NULL. */
void	peft_layer(struct peft_cpu *, const struct peft_param *w,
	    const struct peft_param *b, const float *x, size_t n, float *y);
void	peft_layer_back(struct peft_cpu *, const struct peft_param *w,
	    const struct peft_param *b, const float *x, size_t n,
	    const float *dy, float *dx);
/* torch's first values of a Linear with such a weight, [out, in]. */
void	peft_layer_init(struct peft_rng, size_t in, float *value, size_t n);

#endif
