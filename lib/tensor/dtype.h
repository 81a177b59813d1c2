/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_DTYPE_H
#define PEFT_TENSOR_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Storage types of weights: one table for all containers.  A type is a
 * number of elements to a block and a number of bytes to a block; elements
 * of a block lie in one row (ggml's types) or follow each other in row-major
 * order without regard to rows (NF4, FP4: bitsandbytes).
 */
enum peft_dtype {
	PEFT_F32, PEFT_F16, PEFT_BF16, PEFT_F64,
	PEFT_F8_E4M3, PEFT_F8_E5M2, PEFT_F8_E8M0,
	PEFT_I8, PEFT_I16, PEFT_I32, PEFT_I64,
	PEFT_U8, PEFT_U16, PEFT_U32, PEFT_U64, PEFT_BOOL,
	PEFT_NF4, PEFT_FP4,		/* with struct peft_scales */
	PEFT_INT8,			/* LLM.int8 row-wise, likewise */
	/* with scales for groups of elements, likewise: GPTQ, AWQ, FP8, ... */
	PEFT_U2G, PEFT_U3G, PEFT_U4G, PEFT_U8G, PEFT_I8G,
	PEFT_F8G_E4M3, PEFT_F8G_E5M2, PEFT_MXFP4G,
	PEFT_KVB,			/* two types, likewise */
	PEFT_Q4_0, PEFT_Q4_1, PEFT_Q5_0, PEFT_Q5_1, PEFT_Q8_0,
	PEFT_Q2_K, PEFT_Q3_K, PEFT_Q4_K, PEFT_Q5_K, PEFT_Q6_K, PEFT_Q8_K,
	PEFT_IQ4_NL, PEFT_IQ4_XS, PEFT_MXFP4, PEFT_TQ1_0, PEFT_TQ2_0,
	PEFT_IQ1_S, PEFT_IQ1_M, PEFT_IQ2_XXS, PEFT_IQ2_XS, PEFT_IQ2_S,
	PEFT_IQ3_XXS, PEFT_IQ3_S,
	PEFT_NDTYPE
};

enum { PEFT_MAXBLOCK = 256 };

struct peft_dtype_info {
	const char	*name;		/* "f32", "q4_1": options, tables */
	const char	*st;		/* safetensors' name, or NULL */
	int		 ggml;		/* ggml's number, or -1 */
	unsigned	 block;		/* elements to a block */
	unsigned	 bytes;		/* bytes to a block */
};

extern const struct peft_dtype_info peft_dtypes[PEFT_NDTYPE];

/* PEFT_NDTYPE if there is none of that name or number; of_name takes capitals,
 * too, in which llama.cpp writes its types. */
enum peft_dtype	peft_dtype_of_name(const char *);
enum peft_dtype	peft_dtype_of_st(const char *);
enum peft_dtype	peft_dtype_of_ggml(uint32_t);

/* The floats that weights are trained and kept in: f32, f16, bf16. */
bool	peft_is_float(enum peft_dtype);
/* What is made of those at a loss: blocks, codes with scales, and fp8. */
bool	peft_is_quantised(enum peft_dtype);

#endif
