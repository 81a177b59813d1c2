/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every storage type means, as plain loops: the decoders of processors
 * without AVX2, and what the others' are tested by.  Layouts: ggml's
 * ggml-common.h; bitsandbytes' functional.py.  d and m are f16, little-
 * endian.
 */

#include <stdbool.h>

#include "quant/decode-plain.inc"

static void
d_q4_0(const uint8_t *b, size_t n, float *dst)
{
	size_t j;

	for (; n > 0; n -= 32, b += 18, dst += 32) {
		float d = peft_half_f32(peft_load16(b));

		for (j = 0; j < 16; j++) {
			dst[j] = (float)((int)(b[2 + j] & 15) - 8) * d;
			dst[j + 16] = (float)((int)(b[2 + j] >> 4) - 8) * d;
		}
	}
}

static void
d_q4_1(const uint8_t *b, size_t n, float *dst)
{
	size_t j;

	for (; n > 0; n -= 32, b += 20, dst += 32) {
		float d = peft_half_f32(peft_load16(b));
		float m = peft_half_f32(peft_load16(b + 2));

		for (j = 0; j < 16; j++) {
			dst[j] = (float)(b[4 + j] & 15) * d + m;
			dst[j + 16] = (float)(b[4 + j] >> 4) * d + m;
		}
	}
}

/* The fifth bits: bit j of a 32-bit word belongs to element j. */
static inline uint32_t
load32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static void
d_q5_0(const uint8_t *b, size_t n, float *dst)
{
	size_t j;

	for (; n > 0; n -= 32, b += 22, dst += 32) {
		float d = peft_half_f32(peft_load16(b));
		uint32_t h = load32(b + 2);

		for (j = 0; j < 16; j++) {
			uint32_t lo = (h >> j & 1) << 4;
			uint32_t hi = (h >> (j + 16) & 1) << 4;

			dst[j] = (float)((int)((b[6 + j] & 15) | lo) - 16) * d;
			dst[j + 16] = (float)((int)((uint32_t)(b[6 + j] >> 4) |
			    hi) - 16) * d;
		}
	}
}

static void
d_q5_1(const uint8_t *b, size_t n, float *dst)
{
	size_t j;

	for (; n > 0; n -= 32, b += 24, dst += 32) {
		float d = peft_half_f32(peft_load16(b));
		float m = peft_half_f32(peft_load16(b + 2));
		uint32_t h = load32(b + 4);

		for (j = 0; j < 16; j++) {
			uint32_t lo = (h >> j & 1) << 4;
			uint32_t hi = (h >> (j + 16) & 1) << 4;

			dst[j] = (float)((b[8 + j] & 15) | lo) * d + m;
			dst[j + 16] = (float)((uint32_t)(b[8 + j] >> 4) | hi) *
			    d + m;
		}
	}
}

static void
d_q8_0(const uint8_t *b, size_t n, float *dst)
{
	size_t j;

	for (; n > 0; n -= 32, b += 34, dst += 32) {
		float d = peft_half_f32(peft_load16(b));

		for (j = 0; j < 32; j++)
			dst[j] = (float)(int8_t)b[2 + j] * d;
	}
}

static const int8_t iq4_map[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
	1, 13, 25, 38, 53, 69, 89, 113 };

static void
d_iq4_nl(const uint8_t *b, size_t n, float *dst)
{
	size_t j;

	for (; n > 0; n -= 32, b += 18, dst += 32) {
		float d = peft_half_f32(peft_load16(b));

		for (j = 0; j < 16; j++) {
			dst[j] = d * (float)iq4_map[b[2 + j] & 15];
			dst[j + 16] = d * (float)iq4_map[b[2 + j] >> 4];
		}
	}
}

static void
d_iq4_xs(const uint8_t *b, size_t n, float *dst)
{
	size_t g, j;

	for (; n > 0; n -= 256, b += 136) {
		float d = peft_half_f32(peft_load16(b));
		uint16_t high = peft_load16(b + 2);

		for (g = 0; g < 8; g++, dst += 32) {
			const uint8_t *q = b + 8 + 16 * g;
			int ls = (b[4 + g / 2] >> 4 * (g % 2) & 15) |
			    (high >> 2 * g & 3) << 4;
			float scale = d * (float)(ls - 32);

			for (j = 0; j < 16; j++) {
				dst[j] = scale * (float)iq4_map[q[j] & 15];
				dst[j + 16] = scale * (float)iq4_map[q[j] >> 4];
			}
		}
	}
}

/* E2M1 values, doubled; the exponent's bias makes up for it. */
static const int8_t mxfp4_map[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3,
	-4, -6, -8, -12 };

static void
d_mxfp4(const uint8_t *b, size_t n, float *dst)
{
	size_t j;

	for (; n > 0; n -= 32, b += 17, dst += 32) {
		float d = b[0] < 2 ? peft_bits_f32(0x00200000u << b[0]) :
		    peft_bits_f32((uint32_t)(b[0] - 1) << 23);

		for (j = 0; j < 16; j++) {
			dst[j] = d * (float)mxfp4_map[b[1 + j] & 15];
			dst[j + 16] = d * (float)mxfp4_map[b[1 + j] >> 4];
		}
	}
}

/* The first of the trits that are left of q, a fraction of 256. */
static inline float
first_trit(uint8_t q)
{
	return (float)((q * 3 >> 8) - 1);
}

/* Rows of trits: 5 of 32, 5 of 16, 4 of 4, each element of a row in a byte of
 * its own; the next row's trit is three times the byte. */
static void
d_tq1_0(const uint8_t *b, size_t n, float *dst)
{
	static const struct { size_t rows, cols; } parts[] = { { 5, 32 },
		{ 5, 16 }, { 4, 4 } };
	size_t p, r, j;

	for (; n > 0; n -= 256, b += 54) {
		const uint8_t *q = b;
		float d = peft_half_f32(peft_load16(b + 52));

		for (p = 0; p < 3; q += parts[p++].cols) {
			unsigned power = 1;

			for (r = 0; r < parts[p].rows; r++, power *= 3)
				for (j = 0; j < parts[p].cols; j++)
					*dst++ = first_trit((uint8_t)(q[j] *
					    power)) * d;
		}
	}
}

static void
d_tq2_0(const uint8_t *b, size_t n, float *dst)
{
	size_t half, shift, j;

	for (; n > 0; n -= 256, b += 66) {
		float d = peft_half_f32(peft_load16(b + 64));

		for (half = 0; half < 2; half++)
			for (shift = 0; shift < 8; shift += 2)
				for (j = 0; j < 32; j++)
					*dst++ = (float)((b[32 * half + j] >>
					    shift & 3) - 1) * d;
	}
}

#include "quant/decode-k.inc"
#include "quant/decode-iq.inc"

const struct peft_decoders peft_decoders_ref = {
	.plain = {
		PLAIN_DECODERS,
		[PEFT_Q4_0] = d_q4_0,
		[PEFT_Q4_1] = d_q4_1, [PEFT_Q5_0] = d_q5_0,
		[PEFT_Q5_1] = d_q5_1, [PEFT_Q8_0] = d_q8_0,
		[PEFT_Q2_K] = d_q2_k, [PEFT_Q3_K] = d_q3_k,
		[PEFT_Q4_K] = d_q4_k, [PEFT_Q5_K] = d_q5_k,
		[PEFT_Q6_K] = d_q6_k, [PEFT_Q8_K] = d_q8_k,
		[PEFT_IQ4_NL] = d_iq4_nl, [PEFT_IQ4_XS] = d_iq4_xs,
		[PEFT_MXFP4] = d_mxfp4, [PEFT_TQ1_0] = d_tq1_0,
		[PEFT_TQ2_0] = d_tq2_0,
		[PEFT_IQ1_S] = d_iq1_s, [PEFT_IQ1_M] = d_iq1_m,
		[PEFT_IQ2_XXS] = d_iq2_xxs, [PEFT_IQ2_XS] = d_iq2_xs,
		[PEFT_IQ2_S] = d_iq2_s, [PEFT_IQ3_XXS] = d_iq3_xxs,
		[PEFT_IQ3_S] = d_iq3_s,
	},
	CODE_DECODERS
};
