/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_WEIGHT_H
#define PEFT_TENSOR_WEIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h"

enum { PEFT_MAXDIM = 8 };

/*
 * What belongs to a quantised weight besides its codes; pointers are borrowed
 * from where the weight's data is.  NF4, FP4 and INT8: see bitsandbytes'
 * functional.py and peft-bundle(5).
 *
 * NF4, FP4: element i has the scale absmax[i / blocksize]; doubly quantised,
 * absmax[b] = nested_map[qabsmax[b]] * nested_absmax[b / nested_blocksize]
 * + nested_offset.  INT8: element i of row r is q * absmax[r] / 127.
 *
 * Grouped types (U2G .. F8G_E5M2; GPTQ, AWQ, compressed-tensors, FP8): the
 * element of row r and column c is
 *	(code - zero[k]) * absmax[k],
 *	k = r / group_rows * ngroups + (order ? order[c] : c / group)
 * in f32: one difference of whole numbers, which is exact, and one product.
 * Codes of `bits' bits follow each other from the lowest bit of a row's first
 * byte on; rows are `stride' bytes apart.
 *
 * MXFP4G: shape [e, n, m], stored as e x m rows of n; 16 bytes are
 * 32 elements of a row, low nibble first, and have an exponent (OCP MX).
 *
 * KVB (DeepSeek's kv_b_proj in a GGUF): of each of its heads, `keys' rows,
 * which are stored turned over, [heads, cols, keys] of type[0], and the
 * others, [heads, .., cols] of type[1], `first' bytes behind.
 */
struct peft_kvb {
	size_t		heads, keys, first;
	enum peft_dtype	type[2];
};

struct peft_scales {
	size_t		 blocksize;		/* NF4, FP4; else 0 */
	size_t		 nabsmax;
	const float	*absmax;		/* NULL if doubly quantised */
	const uint8_t	*qabsmax;		/* NULL if not */
	const float	*nested_absmax;
	const float	*nested_map;		/* [256] */
	size_t		 nested_blocksize;
	size_t		 nnested;
	float		 nested_offset;
	enum peft_dtype	 orig;			/* what it was made from */

	size_t		 group, group_rows;	/* grouped types; else 0 */
	size_t		 ngroups;		/* to a row */
	size_t		 stride;
	unsigned	 bits;
	const int16_t	*zero;			/* NULL: zero0 for all */
	int16_t		 zero0;
	const uint32_t	*order;			/* [cols], or NULL */
	const uint8_t	*exponents;		/* MXFP4G: [nabsmax] */
	struct peft_kvb	 kvb;
};

/*
 * A weight as the model knows it: Hugging Face's name, row-major, logical
 * shape [rows, cols] whatever the container stores.
 */
struct peft_weight {
	const char		*name;	/* "model.norm.weight" */
	enum peft_dtype		 dtype;
	int			 ndim;
	size_t			 shape[PEFT_MAXDIM];
	size_t			 rows, cols;	/* cols: last dimension; rows:
						 * the product of the others;
						 * 1 x n for vectors */
	size_t			 nelem;
	size_t			 nbytes;	/* of data alone */
	const void		*data;		/* NULL: not loaded */
	const void		*panels[2];	/* made ahead for x W^T, for
						 * g W (quant/product.h), or
						 * NULL */
	bool			 turned;	/* [out, in], where Hugging Face
						 * has [in, out] (GPT-2) */
	struct peft_scales	 scales;	/* of quantised types only */
};

#endif
