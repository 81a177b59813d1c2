/* SPDX-License-Identifier: Apache-2.0 */
/* ggml's K types straight to bf16: blocks of 256 at b (flags: Makefile). */

#include "quant/halves-impl.h"

/* 32 bytes, each in a word. */
INLINE __m512i
bytes32(const uint8_t *p)
{
	return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)
	    (const void *)p));
}

/* a where mask has a bit, else b. */
INLINE __m512i
either(int mask, __m512i a, __m512i b)
{
	return _mm512_ternarylogic_epi32(_mm512_set1_epi16((short)mask), a, b,
	    0xca);
}

/* Words k and k+1 for the first and the second 16. */
INLINE __m512i
words2(int k, int shift)
{
	return _mm512_inserti64x4(_mm512_set1_epi16((short)(k << shift)),
	    _mm256_set1_epi16((short)((k + 1) << shift)), 1);
}

/* Values k .. k + 16 / each of s, each of them so often. */
INLINE __m512
spread(__m512 s, int k, int each)
{
	const __m512i lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7,
	    6, 5, 4, 3, 2, 1, 0);

	return _mm512_permutexvar_ps(_mm512_add_epi32(_mm512_srli_epi32(lane,
	    each == 4 ? 2 : 3), l_word(k)), s);
}

/* Eight scales and minima for each half of a block: four values each make a
 * register. */
void
peft_halves_q2_k(const struct peft_weight *w, size_t first, size_t n,
    uint16_t *restrict dst)
{
	const struct place p = find(w, first);
	const __m512 to3 = _mm512_broadcast_f32x4(_mm_loadu_ps(ramp));
	const uint8_t *b = p.at;
	lanes d, m;
	int half, g;

	for (; n > 0; n -= 256, b += 84) {
		l_half2(b + 80, &d, &m);
		d = l_mul(d, l_nibbles16(b, 0));
		m = l_mul(m, l_nibbles16(b, 4));
#pragma GCC unroll 2
		for (half = 0; half < 2; half++) {
			__m512i q = bytes32(b + 16 + 32 * half), t = round2(
			    _mm512_fmsub_ps(spread(d, 8 * half, 4), to3,
			    spread(m, 8 * half, 4)), _mm512_fmsub_ps(
			    spread(d, 8 * half + 4, 4), to3, spread(m,
			    8 * half + 4, 4)));

#pragma GCC unroll 4
			for (g = 0; g < 4; g++, dst += GROUP)
				look(dst, t, either(3, _mm512_srli_epi16(q,
				    (unsigned)(2 * g)), words2(2 * g, 2)));
		}
	}
}

/* Four scales, of eight values each, make a register for two groups. */
void
peft_halves_q3_k(const struct peft_weight *w, size_t first, size_t n,
    uint16_t *restrict dst)
{
	const struct place p = find(w, first);
	const __m512 values = l_sub(l_eight(ramp), l_set(4));
	const uint8_t *b = p.at;
	int g;

	for (; n > 0; n -= 256, b += 110) {
		/* the third bits, moved up */
		__m512i third = _mm512_slli_epi16(bytes32(b), 2), t = third;
		__m512 s = l_mul(l_half(b + 108), scales3(b + 96));

#pragma GCC unroll 8
		for (g = 0; g < 8; g++, dst += GROUP) {
			__m512i q = _mm512_srli_epi16(bytes32(b + 32 +
			    g / 4 * 32), (unsigned)(g % 4 * 2));

			if (g % 2 == 0)
				t = round2(l_mul(spread(s, 2 * g, 8), values),
				    l_mul(spread(s, 2 * g + 2, 8), values));
			look(dst, t, either(3, q, either(4,
			    _mm512_srli_epi16(third, (unsigned)g),
			    words2(g % 2 * 2, 3))));
		}
	}
}

/* Of Q4_K and Q5_K: d times the eight scales, then that of the minima. */
INLINE void
scales(const uint8_t *b, float s[16])
{
	uint32_t from[3], to[4];
	lanes d, m;

	memcpy(from, b + 4, sizeof(from));
	to[0] = from[0] & 0x3f3f3f3f;
	to[1] = six(from[2], from[0] >> 6);
	to[2] = from[1] & 0x3f3f3f3f;
	to[3] = six(from[2] >> 4, from[1] >> 6);
	l_half2(b, &d, &m);
	l_store(s, l_mul(l_sixteen(to), _mm512_mask_mov_ps(d, 0xff00, m)));
}

/* What codes of group g stand for, from a register's first code on.  The
 * product is exact, so it matters not that it is fused with the sum. */
INLINE __m512
stand_for(const float s[16], int g, __m512 codes)
{
	return _mm512_fmsub_ps(codes, l_set(s[g]), l_set(s[8 + g]));
}

void
peft_halves_q4_k(const struct peft_weight *w, size_t first, size_t n,
    uint16_t *restrict dst)
{
	const struct place p = find(w, first);
	const __m512 to15 = l_load(ramp);
	const uint8_t *b = p.at;
	float s[16];
	int g;

	for (; n > 0; n -= 256, b += 144) {
		scales(b, s);
#pragma GCC unroll 4
		for (g = 0; g < 8; g += 2, dst += 2 * GROUP) {
			__m512i q = bytes32(b + 16 + g * 16);
			__m512i t = round2(stand_for(s, g, to15),
			    stand_for(s, g + 1, to15));

			look(dst, t, _mm512_and_si512(q,
			    _mm512_set1_epi16(15)));
			look(dst + GROUP, t, either(15, _mm512_srli_epi16(q,
			    4), _mm512_set1_epi16(16)));
		}
	}
}

void
peft_halves_q5_k(const struct peft_weight *w, size_t first, size_t n,
    uint16_t *restrict dst)
{
	const struct place p = find(w, first);
	const __m512 to15 = l_load(ramp);
	const __m512 to31 = l_load(ramp + 16);
	const uint8_t *b = p.at;
	float s[16];
	int g;

	for (; n > 0; n -= 256, b += 176) {
		/* bit g, moved to where the fifth is */
		__m512i high = _mm512_slli_epi16(bytes32(b + 16), 4);

		scales(b, s);
#pragma GCC unroll 8
		for (g = 0; g < 8; g++, dst += GROUP) {
			__m512i q = _mm512_srli_epi16(bytes32(b + 48 +
			    g / 2 * 32), (unsigned)(g % 2 * 4));

			q = either(16, _mm512_srli_epi16(high, (unsigned)g),
			    q);
			look(dst, round2(stand_for(s, g, to15),
			    stand_for(s, g, to31)), q);
		}
	}
}

/* Codes of group g of Q6_K, less 32. */
INLINE __m256i
sixes(const uint8_t *b, int g)
{
	const uint8_t *ql = b + g / 4 * 64 + g % 2 * 32;
	__m256i low = _mm256_loadu_si256((const __m256i *)(const void *)ql);
	__m256i high = _mm256_loadu_si256((const __m256i *)(const void *)
	    (b + 128 + g / 4 * 32));
	const int up = 4 - g % 4 * 2;

	low = _mm256_srli_epi16(low, (unsigned)(g % 4 / 2 * 4));
	high = up < 0 ? _mm256_srli_epi16(high, 2) :
	    _mm256_slli_epi16(high, (unsigned)up);
	return _mm256_sub_epi8(_mm256_or_si256(_mm256_and_si256(low,
	    _mm256_set1_epi8(15)), _mm256_and_si256(high,
	    _mm256_set1_epi8(48))), _mm256_set1_epi8(32));
}

void
peft_halves_q6_k(const struct peft_weight *w, size_t first, size_t n,
    uint16_t *restrict dst)
{
	const struct place p = find(w, first);
	const uint8_t *b = p.at;
	float s[16];
	int g;

	for (; n > 0; n -= 256, b += 210) {
		l_store(s, l_mul(l_half(b + 208), l_float(l_signed(b +
		    192))));
#pragma GCC unroll 8
		for (g = 0; g < 8; g++, dst += GROUP) {
			__m256i q = sixes(b, g);

			_mm512_storeu_si512(dst, round2(l_mul(l_float(
			    _mm512_cvtepi8_epi32(_mm256_castsi256_si128(q))),
			    l_set(s[2 * g])), l_mul(l_float(
			    _mm512_cvtepi8_epi32(_mm256_extracti128_si256(q,
			    1))), l_set(s[2 * g + 1]))));
		}
	}
}

void
peft_halves_iq4_xs(const struct peft_weight *w, size_t first, size_t n,
    uint16_t *restrict dst)
{
	const struct place p = find(w, first);
	const __m512 values = l_load(iq4_map);
	const uint8_t *b = p.at;
	int g;

	for (; n > 0; n -= 256, b += 136)
#pragma GCC unroll 8
		for (g = 0; g < 8; g++, dst += GROUP)
			look(dst, twice(l_mul(iq4_xs_scale(b, g), values)),
			    nibble_halves(b + 8 + 16 * g));
}
