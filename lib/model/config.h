/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_CONFIG_H
#define PEFT_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "model/family.h"
#include "tensor/source.h"

/*
 * What config.json says of a decoder, checked.  A key that the family's code
 * does not honour is an error that names it, unless it is known to say
 * nothing about the arithmetic (config.c has the list) or is null, false, 0
 * or empty.
 */
enum { PEFT_MAXEOS = 8 };

struct peft_rope {
	double	theta;
	/* "llama3" scaling; factor 0: none */
	double	factor, low_freq_factor, high_freq_factor;
	double	original_max_position;
};

struct peft_config {
	const struct peft_family *family;
	size_t	vocab, hidden, inter, layers, heads, kv_heads, head_dim;
	size_t	max_position;
	double	norm_eps;
	struct peft_rope rope;
	bool	tied;			/* lm_head is embed_tokens */
	bool	attn_bias, mlp_bias;
	int32_t	bos;			/* -1: none */
	int32_t	eos[PEFT_MAXEOS];	/* generation_config's first */
	size_t	neos;
};

/* From the side files config.json and generation_config.json. */
int	peft_config_read(struct peft_config *, const struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* The same from the text of the two files; generation may be NULL. */
int	peft_config_parse(struct peft_config *, const struct peft_side *config,
	    const struct peft_side *generation, struct peft_err *)
	    PEFT_MUSTCHECK;

/* Is id one of the tokens that end a text? */
bool	peft_config_is_eos(const struct peft_config *, int32_t id);

#endif
