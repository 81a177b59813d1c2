/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_DECODE_H
#define PEFT_QUANT_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "tensor/dtype.h"

/*
 * Decoders: n elements (whole blocks) from src.  One source, decode.inc, is
 * compiled once for each processor path; the results are the same bits,
 * since every value is one product and one sum in f32.
 */
struct peft_decoders {
	void	(*plain[PEFT_NDTYPE])(const uint8_t *src, size_t n, float *dst);
	/* 4-bit codes of one block with one scale: element `first' (0 or 1
	 * within its byte is all that matters) .. first+n. */
	void	(*codes4)(const uint8_t *src, size_t first, size_t n,
		    const float map[16], float scale, float *dst);
	void	(*codes8)(const int8_t *src, size_t n, float scale, float *dst);
};

extern const struct peft_decoders peft_decoders_ref, peft_decoders_avx2,
    peft_decoders_avx512;

#endif
