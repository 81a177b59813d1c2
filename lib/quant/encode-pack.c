/* SPDX-License-Identifier: Apache-2.0 */
/* From codes to the bytes of ggml's blocks. */

#include <string.h>

#include "quant/encode.h"
#include "quant/quant.h"

float
peft_put_half(uint8_t *p, float v)
{
	uint16_t h = peft_f32_to_f16(v);

	peft_store16(p, h);
	return peft_half_f32(h);
}

void
peft_pack_nibbles(const uint8_t q[32], uint8_t low[16])
{
	size_t j;

	for (j = 0; j < 16; j++)
		low[j] = (uint8_t)((q[j] & 15) | (q[j + 16] & 15) << 4);
}

void
peft_pack_fifth(const uint8_t q[32], uint8_t high[4])
{
	uint32_t h = 0;
	size_t j;

	for (j = 0; j < 32; j++)
		h |= (uint32_t)(q[j] >> 4 & 1) << j;
	for (j = 0; j < 4; j++)
		high[j] = (uint8_t)(h >> 8 * j);
}

void
peft_pack2(const uint8_t q[restrict 256], uint8_t b[restrict 64])
{
	size_t half, j;

	for (half = 0; half < 2; half++, q += 128, b += 32)
		for (j = 0; j < 32; j++)
			b[j] = (uint8_t)((q[j] & 3) | (q[j + 32] & 3) << 2 |
			    (q[j + 64] & 3) << 4 | (q[j + 96] & 3) << 6);
}

void
peft_pack1(const uint8_t q[restrict 256], int shift, uint8_t b[restrict 32])
{
	size_t i, j;

	memset(b, 0, 32);
	for (i = 0; i < 8; i++, q += 32)
		for (j = 0; j < 32; j++)
			b[j] |= (uint8_t)(q[j] >> shift << i);
}

void
peft_pack4(const uint8_t q[restrict 256], uint8_t b[restrict 128])
{
	size_t i, j;

	for (i = 0; i < 4; i++, q += 64, b += 32)
		for (j = 0; j < 32; j++)
			b[j] = (uint8_t)((q[j] & 15) | (q[j + 32] & 15) << 4);
}

/* Nibbles of the first and third, of the second and fourth 32 of each half;
 * upper bits of all four. */
void
peft_pack6(const uint8_t q[restrict 256], uint8_t low[restrict 128],
    uint8_t high[restrict 64])
{
	size_t half, j;

	for (half = 0; half < 2; half++, q += 128, low += 64, high += 32) {
		for (j = 0; j < 64; j++)
			low[j] = (uint8_t)((q[j] & 15) |
			    (q[j + 64] & 15) << 4);
		for (j = 0; j < 32; j++)
			high[j] = (uint8_t)(q[j] >> 4 | q[j + 32] >> 4 << 2 |
			    q[j + 64] >> 4 << 4 | q[j + 96] >> 4 << 6);
	}
}

/* Sixteen 6-bit scales in 12 bytes: low nibbles, then the upper bits. */
void
peft_pack_scales3(const uint8_t s[16], uint8_t b[12])
{
	size_t j;

	memset(b, 0, 12);
	for (j = 0; j < 16; j++) {
		b[j % 8] |= (uint8_t)((s[j] & 15) << 4 * (j / 8));
		b[8 + j % 4] |= (uint8_t)(s[j] >> 4 << 2 * (j / 4));
	}
}

/* Eight 6-bit scales and offsets in 12 bytes: the last four of each are cut,
 * their upper bits are above the first four. */
void
peft_pack_scales4(const uint8_t s[8], const uint8_t m[8], uint8_t b[12])
{
	size_t j;

	for (j = 0; j < 4; j++) {
		b[j] = (uint8_t)(s[j] | s[j + 4] >> 4 << 6);
		b[j + 4] = (uint8_t)(m[j] | m[j + 4] >> 4 << 6);
		b[j + 8] = (uint8_t)((s[j + 4] & 15) | (m[j + 4] & 15) << 4);
	}
}
