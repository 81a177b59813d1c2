/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_MIX_H
#define PEFT_QUANT_MIX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "tensor/source.h"

/*
 * What people ask llama.cpp's llama-quantize for: a name stands for a type of
 * most matrices, and for more bits where they pay (llama.cpp's
 * llama_tensor_get_type).  The choice rests on what a weight is, on its
 * layer, and on the model's number of heads and experts.
 */
struct peft_mix {
	const char	*name;		/* "q4_k_m" */
	enum peft_dtype	 dtype;		/* of most matrices */
	uint32_t	 file_type;	/* general.file_type */
};

/* Ends with a name of NULL. */
extern const struct peft_mix peft_mixes[];

/* Also by llama-quantize's other names: q4_k for q4_k_m.  NULL: none. */
const struct peft_mix *peft_mix_of_name(const char *);

struct peft_arch;

/* Matrices that llama.cpp has in f32, whatever the type of the rest: routers
 * among experts, positions, norms of several heads.  Its converter leaves
 * them so and its quantiser passes over them; products of norms with numbers
 * of 16 bits its CPU code does not have at all. */
bool		 peft_mix_is_small(const struct peft_arch *,
		    const char *hf_name);

struct peft_mixer;

/* config.json tells of the model; imatrix: there are importances, for which
 * llama.cpp chooses otherwise here and there. */
struct peft_mixer *peft_mixer_open(const struct peft_mix *,
		    const struct peft_source *, bool imatrix,
		    struct peft_err *) PEFT_MUSTCHECK;
/* The type of weight i of the source, which is a matrix and not small,
 * before a look at whether its rows divide; *why is told if it is not what
 * most get. */
enum peft_dtype	 peft_mixer_type(const struct peft_mixer *, size_t i,
		    const char **why);
void		 peft_mixer_close(struct peft_mixer *);

#endif
