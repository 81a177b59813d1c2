/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_QUANTCFG_H
#define PEFT_TENSOR_QUANTCFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tensor/dtype.h"

/*
 * What the "quantization_config" of a config.json says of the weights
 * (transformers' quantization_config.py; compressed-tensors' own).  A key
 * that would change what weights stand for and that is not honoured here is
 * an error; how activations are quantised at run time is not, since weights
 * are the same without.
 */
enum peft_quantmethod {
	PEFT_QM_NONE, PEFT_QM_BNB, PEFT_QM_GPTQ, PEFT_QM_AWQ, PEFT_QM_FP8,
	PEFT_QM_FBGEMM, PEFT_QM_CT, PEFT_QM_MXFP4, PEFT_NQM
};

/* One way in which weights are quantised; compressed-tensors may have
 * several, for different modules. */
struct peft_quantscheme {
	unsigned	bits;
	bool		is_float, symmetric;
	size_t		group;		/* columns; 0: the whole row */
	size_t		block[2];	/* rows, columns; or 0 */
	enum peft_dtype	f8;		/* if is_float; F32: either kind */
};

enum { PEFT_MAXSCHEME = 16 };

struct peft_quantcfg {
	enum peft_quantmethod	method;
	struct peft_quantscheme	scheme[PEFT_MAXSCHEME];
	size_t			nschemes;
	bool			v2;		/* GPTQ: zeros as they are */
	bool			dynamic;	/* GPTQ: modules differ */
	bool			act_order;	/* GPTQ: desc_act */
	bool			activations;	/* quantised at run time */
};

/* "gptq"; NULL for NONE. */
extern const char *const peft_quantmethods[PEFT_NQM];

/* The bytes of config.json, or, if `alone', of the object itself (GPTQ's
 * quantize_config.json, AWQ's quant_config.json: `otherwise' is its method
 * if it names none). */
int	peft_quantcfg_read(struct peft_quantcfg *, const char *text,
	    size_t len, struct peft_err *) PEFT_MUSTCHECK;
int	peft_quantcfg_read_alone(struct peft_quantcfg *, const char *text,
	    size_t len, enum peft_quantmethod otherwise, struct peft_err *)
	    PEFT_MUSTCHECK;

/* Does it call for zeros of codes of so many bits? */
bool	peft_quantcfg_needs_zeros(const struct peft_quantcfg *, unsigned bits);
/* Have all weights of so many bits several scales to a row, or to a column? */
bool	peft_quantcfg_all_blocks(const struct peft_quantcfg *, unsigned bits);
/* Has it weights of that type of 8 bits?  All have, where no method is
 * named. */
bool	peft_quantcfg_has(const struct peft_quantcfg *, enum peft_dtype);

#endif
