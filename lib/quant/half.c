/* SPDX-License-Identifier: Apache-2.0 */
/* 16-bit floats. */

#include "base/half.h"
#include "quant/quant.h"

float
peft_f16_to_f32(uint16_t h)
{
	return peft_half_f32(h);
}

uint16_t
peft_f32_to_f16(float f)
{
	uint32_t u = peft_f32_bits(f), a = u & 0x7fffffffu;
	uint16_t sign = (uint16_t)(u >> 16 & 0x8000u);

	if (a > 0x7f800000u)			/* NaN */
		return (uint16_t)(sign | 0x7e00 | (a >> 13 & 0x3ff));
	if (a >= 0x477ff000u)			/* rounds to 65536 or more */
		return (uint16_t)(sign | 0x7c00);
	if (a < 0x38800000u) {
		/* denormal: 2^-24 is the unit; adding 0.5 (whose unit in the
		 * last place is 2^-24) rounds to it */
		float d = peft_bits_f32(a) + 0.5f;

		return (uint16_t)(sign | (peft_f32_bits(d) - 0x3f000000u));
	}
	a += 0xfffu + (a >> 13 & 1);
	return (uint16_t)(sign | (a - 0x38000000u) >> 13);
}
