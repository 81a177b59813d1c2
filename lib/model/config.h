/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_CONFIG_H
#define PEFT_MODEL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tensor/source.h"

/*
 * What config.json says of a decoder, checked.  A key that the family's code
 * does not honour and whose value matters is an error that names it.
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

/* One row a family (family.c): names of its modules, what its layer has. */
struct peft_family {
	const char	*model_type;	/* config.json's */
};

/* From the side files config.json and generation_config.json. */
int	peft_config_read(struct peft_config *, const struct peft_source *,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
