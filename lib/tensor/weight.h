/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TENSOR_WEIGHT_H
#define PEFT_TENSOR_WEIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h"

enum { PEFT_MAXDIM = 8 };

/*
 * What belongs to a weight of type NF4, FP4 or INT8 besides its codes; see
 * bitsandbytes' functional.py and peft-bundle(5).  Pointers are borrowed
 * from where the weight's data is.
 *
 * NF4, FP4: element i has the scale absmax[i / blocksize]; doubly quantised,
 * absmax[b] = nested_map[qabsmax[b]] * nested_absmax[b / nested_blocksize]
 * + nested_offset.  INT8: element i of row r is q * absmax[r] / 127.
 */
struct peft_scales {
	size_t		 blocksize;		/* 0 for INT8 */
	size_t		 nabsmax;
	const float	*absmax;		/* NULL if doubly quantised */
	const uint8_t	*qabsmax;		/* NULL if not */
	const float	*nested_absmax;
	const float	*nested_map;		/* [256] */
	size_t		 nested_blocksize;
	size_t		 nnested;
	float		 nested_offset;
	enum peft_dtype	 orig;			/* what it was made from */
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
	bool			 turned;	/* [out, in], where Hugging Face
						 * has [in, out] (GPT-2) */
	struct peft_scales	 scales;	/* NF4, FP4, INT8 only */
};

#endif
