/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_ROUND_H
#define PEFT_MATH_ROUND_H

#include <stdint.h>
#include <string.h>

/* bf16, one value at a time; inline, for loops that compilers vectorise. */

static inline float
peft_from_bf16(uint16_t b)
{
	uint32_t u = (uint32_t)b << 16;
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

/* Round to nearest, ties to even; NaN is kept quiet. */
static inline uint16_t
peft_to_bf16(float f)
{
	uint32_t u, odd;

	memcpy(&u, &f, sizeof(u));
	odd = u >> 16 & 1;
	return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ?
	    u >> 16 | 0x40 : (u + 0x7fffu + odd) >> 16);
}

#endif
