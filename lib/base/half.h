/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_BASE_HALF_H
#define PEFT_BASE_HALF_H

#include <stdint.h>
#include <string.h>

/* 16-bit floats, one value at a time; inline, for loops that compilers
 * vectorise. */

static inline float
peft_bits_f32(uint32_t u)
{
	float f;

	memcpy(&f, &u, sizeof(f));
	return f;
}

static inline uint32_t
peft_f32_bits(float f)
{
	uint32_t u;

	memcpy(&u, &f, sizeof(u));
	return u;
}

/* Normal numbers move by the difference of the exponents' biases (a product
 * with 2^112), denormals by the same product; Inf and NaN keep theirs. */
static inline float
peft_half_f32(uint16_t h)
{
	uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
	uint32_t rest = (uint32_t)(h & 0x7fffu) << 13;
	float f = peft_bits_f32(rest) * 0x1p112f;

	if (rest >= 0x0f800000u)		/* Inf, NaN */
		return peft_bits_f32(sign | rest | 0x7f800000u);
	return peft_bits_f32(sign | peft_f32_bits(f));
}

static inline float
peft_from_bf16(uint16_t b)
{
	return peft_bits_f32((uint32_t)b << 16);
}

/* To nearest, ties to even; NaN is kept quiet. */
static inline uint16_t
peft_to_bf16(float f)
{
	uint32_t u = peft_f32_bits(f), odd = u >> 16 & 1;

	return (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ?
	    u >> 16 | 0x40 : (u + 0x7fffu + odd) >> 16);
}

/* OCP's E8M0: a power of two, from 2^-127, which is a denormal; 255: NaN. */
static inline float
peft_e8m0_f32(uint8_t e)
{
	return peft_bits_f32(e == 0xff ? 0x7fc00000u : e == 0 ? 0x00400000u :
	    (uint32_t)e << 23);
}

static inline uint16_t
peft_load16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline void
peft_store16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

#endif
