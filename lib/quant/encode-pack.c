/* SPDX-License-Identifier: Apache-2.0 */
/* From codes to the bytes of ggml's blocks; and codes chosen anew, once the
 * scale of their group has been rounded. */

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
peft_pack2(const uint8_t q[256], uint8_t b[64])
{
	size_t i;

	memset(b, 0, 64);
	for (i = 0; i < 256; i++)
		b[i / 128 * 32 + i % 32] |= (uint8_t)((q[i] & 3) <<
		    2 * (i / 32 % 4));
}

void
peft_pack1(const uint8_t q[256], int shift, uint8_t b[32])
{
	size_t j;

	memset(b, 0, 32);
	for (j = 0; j < 256; j++)
		b[j % 32] |= (uint8_t)(q[j] >> shift << j / 32);
}

void
peft_pack4(const uint8_t q[256], uint8_t b[128])
{
	size_t i;

	for (i = 0; i < 128; i++)
		b[i] = (uint8_t)((q[i / 32 * 64 + i % 32] & 15) |
		    (q[i / 32 * 64 + 32 + i % 32] & 15) << 4);
}

/* Nibbles of the first and third, of the second and fourth 32 of each half;
 * upper bits of all four. */
void
peft_pack6(const uint8_t q[256], uint8_t low[128], uint8_t high[64])
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

void
peft_again_above(const struct peft_fit *f, const float *x, float scale,
    float offset, uint8_t *q)
{
	size_t i;

	for (i = 0; scale != 0 && i < f->n; i++)
		q[i] = (uint8_t)peft_clamp(peft_nearest((x[i] + offset) /
		    scale), 0, f->most);
}

void
peft_again_signed(const float x[16], float scale, int most, uint8_t q[16])
{
	size_t i;

	for (i = 0; scale != 0 && i < 16; i++)
		q[i] = (uint8_t)(peft_clamp(peft_nearest(x[i] / scale), -most,
		    most - 1) + most);
}
