/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_CONVERT_H
#define PEFT_QUANT_CONVERT_H

#include "base/buf.h"
#include "quant/mix.h"
#include "quant/rules.h"
#include "quant/sink.h"
#include "tensor/source.h"

/*
 * A model in another type or container: which type each weight gets.
 */
struct peft_convertopt {
	enum peft_dtype	 dtype;		/* PEFT_NDTYPE: keep each weight's */
	const struct peft_mix *mix;	/* then dtype is the mix's; or NULL */
	bool		 imatrix;	/* mixes choose by it */
	size_t		 blocksize;	/* NF4, FP4; 0: not given, 64 */
	bool		 nested;	/* doubly quantised */
	bool		 gguf;		/* the output is a GGUF file */
	const struct peft_rule *rules;	/* before all that; each must match */
	size_t		 nrules;
};

/* The specs of all weights, in the source's order; malloc'd.  4-bit types
 * are for linear layers, as bitsandbytes has it: embeddings, heads and norms
 * stay, in a float type if they came quantised; GGUF's block types need rows
 * that divide into blocks, others get what llama.cpp gives them: a type of
 * blocks of 32, or f16; but a type that a rule calls for must fit.  Each spec
 * says why it is not what was asked for. */
struct peft_spec *peft_convert_plan(const struct peft_source *,
		    const struct peft_convertopt *, size_t *n,
		    struct peft_err *) PEFT_MUSTCHECK;
/* Is it one of bitsandbytes' 4-bit types, which have block sizes and scales
 * that can be quantised, too? */
bool		 peft_is_4bit(enum peft_dtype);
/* Lines that say of the planned weights which do not get what they were to:
 * note i, if there is cause.  By type, those whose rows do not divide into its
 * blocks; behind these, those that stay in a float type because transformers
 * has them in one tensor, which bitsandbytes does not quantise. */
enum { PEFT_CONVERT_NOTE = 160, PEFT_NNOTE = PEFT_NDTYPE + 1 };
bool		 peft_convert_note(const struct peft_spec *, size_t n, int i,
		    char note[PEFT_CONVERT_NOTE]);

/* Types by what they are for, then names of mixes: lines, appended. */
void		 peft_convert_list(struct peft_buf *);

#endif
