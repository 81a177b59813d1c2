/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_INT8_H
#define PEFT_MATH_INT8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "math/panel.h"

/*
 * Products in whole numbers of 8 bits, with sums of 32 (Dettmers and others
 * 2022, LLM.int8; Wortsman and others 2023, SwitchBack).  A vector x, which is
 * a row of A or a column of B as deep as a part of a panel, becomes s q, with
 * s = max |x| / 127 and whole q of -127 .. 127, to nearest, ties to even.
 *
 * Before that both sides are turned by the same orthogonal matrix, Hadamard's
 * of 64 / 8, each 64 along k (Ashkboos and others 2024, QuaRot): products stay
 * what they are, but one large value becomes 64 of an eighth of its size, and
 * costs the others fewer steps.  In five times twenty steps of SmolLM2 losses
 * were off by 0.9 % (root mean square), with parts of 256 by 1.2 %, and five
 * and more in a single step.  Rows of A come from bf16, which costs nothing
 * beside: so they can be made where bf16's are, and adapters take the same.
 *
 * A panel is cut along k into parts of 128 (PEFT_INT8_DEEP), of which the
 * last may be less, a multiple of 64 (PEFT_INT8_STEP) with zeros behind the
 * end.  A part is four elements along k to a word, [k/4][32][4]; then 32
 * scales (f32) and, of each column, -128 times the sum of q (int32; 0 where
 * the kernel has no use for it).  Kernels that want other elements (16 bits,
 * two to a word) have panels of their own: size.  Rows of A are in whatever
 * form quantise() gives them, part behind part.
 *
 * Sums are exact, and what becomes of one is, part by part,
 *	c = fma(s_a s_b, sum, c)
 * in f32, from 0 or what is there on: every kernel gives the same bits.  What
 * is not finite makes its row or column infinite or NaN.
 */
enum {
	PEFT_INT8_STEP = 64,
	PEFT_INT8_DEEP = 128,	/* most k of a part */
	PEFT_INT8_TAIL = 8	/* rows of 32 elements, for scales and sums */
};

struct peft_panel_int8 {
	const char *name;
	bool	(*here)(void);		/* does this processor have it? */
	size_t	  size;			/* bytes of an element */
	/* k is a multiple of PEFT_INT8_STEP; rows of A can be read to a
	 * multiple of 32; b->scale has those of A's rows, part by part. */
	void	(*block)(const struct peft_block *);
	/* A part of a panel, otherwise as peft_panel_f32 (panel.h). */
	void	(*rows)(const float *src, size_t ld, size_t n, size_t k,
		    void *panel);
	void	(*cols)(const float *src, size_t ld, size_t k, size_t n,
		    void *panel);
	/* A part of a row from bf16, dst [0 .. n rounded up to
	 * PEFT_INT8_STEP); returns the scale. */
	float	(*quantise)(void *dst, const uint16_t *src, size_t n);
};

extern const struct peft_panel_int8 peft_int8_ref, peft_int8_avx2,
    peft_int8_avx512, peft_int8_avxvnni, peft_int8_avx512vnni, peft_int8_amx;

/* All of them, NULL-terminated, the plain one last. */
extern const struct peft_panel_int8 *const peft_int8_kernels[];

#endif
