/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_FAST_H
#define PEFT_QUANT_FAST_H

#include <stddef.h>
#include <stdint.h>

/*
 * The simple encoders, which are to be as fast as memory: one source,
 * fast.inc, compiled once for each processor path, with the same bytes from
 * each (every value is by itself).
 */

/* bitsandbytes' 4-bit tables: a code is the number of midpoints below the
 * value, by way of a table from ranks to codes (NF4's values ascend, FP4's do
 * not). */
struct peft_map4 {
	float	mid[16];		/* the last is infinite */
	uint8_t	code[16];
};

struct peft_fast {
	/* Is a magnitude limit or more, or no number?  Finite ones are rounded
	 * to nearest, ties to even. */
	int	(*f16)(const float *x, size_t n, float limit, uint8_t *dst);
	int	(*bf16)(const float *x, size_t n, float limit, uint8_t *dst);
	/* The largest magnitude; infinite if a value is not finite. */
	float	(*most)(const float *x, size_t n);
	/* Codes of x / scale (n even), or of x * (1 / scale) by which whole
	 * blocks go; values beyond 1 are 1. */
	void	(*codes4)(const struct peft_map4 *, const float *x, size_t n,
		    float scale, int whole, uint8_t *dst);
	/* LLM.int8: x as f16, times 127 / most, rounded to even. */
	void	(*codes8)(const float *x, size_t n, float most, int8_t *dst);
	/* f8 e4m3 of x * inverse, which is within its range. */
	void	(*f8)(const float *x, size_t n, float inverse, uint8_t *dst);
};

extern const struct peft_fast peft_fast_ref, peft_fast_avx2, peft_fast_avx512;

/* The best of them that this processor has. */
const struct peft_fast *peft_fast(void);

#endif
