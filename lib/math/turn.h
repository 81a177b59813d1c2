/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_TURN_H
#define PEFT_MATH_TURN_H

#include <stdbool.h>
#include <stddef.h>

/* dst [cols, rows] = src [rows, cols], or +=. */
static inline void
peft_turn(float *dst, const float *src, size_t rows, size_t cols, bool add)
{
	size_t i, k;

	for (k = 0; k < cols; k++)
		for (i = 0; i < rows; i++)
			dst[k * rows + i] = src[i * cols + k] +
			    (add ? dst[k * rows + i] : 0);
}

#endif
