/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_MIX_IMPL_H
#define PEFT_QUANT_MIX_IMPL_H

#include "quant/mix.h"
#include "tensor/ggufmap.h"

/* What mix.c finds out of a model, for the table of mix-table.c. */

/* What a weight is, by its name in GGUF. */
enum peft_role {
	PEFT_M_OTHER, PEFT_M_EMBED, PEFT_M_HEAD, PEFT_M_QUERY, PEFT_M_KEY,
	PEFT_M_VALUE, PEFT_M_JOINED, PEFT_M_GATE_UP, PEFT_M_DOWN,
	PEFT_M_PLAIN		/* small: in no mix */
};

struct peft_mix_place {
	enum peft_role	role;
	int		layer;		/* -1: in none */
	int		rank, of;	/* among layers that have the like */
	bool		experts;	/* one of a layer's */
};

struct peft_mixer {
	const struct peft_mix	*mix;
	const struct peft_source *src;
	struct peft_mix_place	*at;		/* a place a weight */
	bool			 tied, imatrix, falcon;
	int64_t			 layers, experts;
	struct peft_heads	 heads;
};

/* Of a matrix that is neither small nor a head. */
enum peft_dtype	 peft_mix_type(const struct peft_mixer *,
		    const struct peft_mix_place *);
enum peft_dtype	 peft_mix_head_type(const struct peft_mixer *, size_t cols);

#endif
