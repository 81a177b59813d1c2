/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored values straight to bf16 (flags: Makefile).  Most types go by their
 * groups of 32 (groups.h), two registers of f32 that become one.  Where few
 * codes share a scale all that a code can stand for is made and rounded at
 * once, and the codes look it up, 32 at a time.  The bits are the same: what
 * is rounded is.
 */

#include "quant/expand.h"
#include "quant/groups-iq.h"
#include "quant/groups-k.h"

INLINE __m512i
round2(__m512 low, __m512 high)
{
	return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* Where element `first' of a weight is: the first of a group. */
INLINE struct place
find(const struct peft_weight *w, size_t first)
{
	const struct peft_dtype_info *t = &peft_dtypes[w->dtype];

	return (struct place){ w, (const uint8_t *)w->data + first / t->block *
	    t->bytes, first };
}

/* `groups' of them to a block: see decode-lanes.inc. */
INLINE void
rows(group_fn *group, const int groups, const struct peft_weight *w,
    size_t first, size_t n, uint16_t *restrict dst)
{
	const struct place p = find(w, first);
	lanes out[PARTS];
	size_t g;
	int k;

	for (g = 0; g * GROUP < n; g += (size_t)groups)
#pragma GCC unroll 8
		for (k = 0; k < groups; k++, dst += GROUP) {
			group(&p, g + (size_t)k, out);
			_mm512_storeu_si512(dst, round2(out[0], out[1]));
		}
}

#define HALVES(type, groups) \
static void \
h_##type(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst) \
{ \
	rows(g_##type, groups, w, first, n, dst); \
}

HALVES(f16, 1)
HALVES(q5_0, 1)
HALVES(q5_1, 1)
HALVES(q8_0, 1)
HALVES(mxfp4, 1)
HALVES(q2_k, 8)
HALVES(q3_k, 8)
HALVES(q6_k, 8)
HALVES(iq4_xs, 8)
HALVES(tq1_0, 8)
HALVES(tq2_0, 8)
HALVES(iq1_s, 8)
HALVES(iq1_m, 8)
HALVES(iq2_xxs, 8)
HALVES(iq2_xs, 8)
HALVES(iq2_s, 8)
HALVES(iq3_xxs, 8)
HALVES(iq3_s, 8)

/* table[low five bits of each word]. */
INLINE void
look(uint16_t *dst, __m512i t, __m512i codes)
{
	_mm512_storeu_si512(dst, _mm512_permutexvar_epi16(codes, t));
}

/* 16 bytes, a nibble in each word's low four bits: of each byte the high one
 * first. */
INLINE __m512i
nibble_pairs(const uint8_t *p)
{
	__m512i b = l_bytes(p);

	return _mm512_or_si512(_mm512_srli_epi32(b, 4),
	    _mm512_slli_epi32(b, 16));
}

/* The same: all low ones first. */
INLINE __m512i
nibble_halves(const uint8_t *p)
{
	__m128i b = _mm_loadu_si128((const __m128i *)(const void *)p);

	return _mm512_cvtepu8_epi16(_mm256_inserti128_si256(
	    _mm256_castsi128_si256(b), _mm_srli_epi16(b, 4), 1));
}

/* Tables of 16 are there twice, whatever the fifth bit is. */
INLINE __m512i
twice(__m512 t)
{
	return round2(t, t);
}

INLINE void
mapped4(const struct peft_weight *w, const float map[16], size_t first,
    size_t n, uint16_t *dst)
{
	const uint8_t *src = (const uint8_t *)w->data + first / 2;
	const __m512 values = _mm512_loadu_ps(map);
	size_t bs = w->scales.blocksize, block = peft_block_of(first, bs);
	size_t left = (block + 1) * bs - first, m;
	__m512i t;

	for (; n > 0; n -= m, left = bs) {
		m = left < n ? left : n;
		t = twice(l_mul(values, l_set(peft_absmax_at(&w->scales,
		    block++))));
		for (left = m; left > 0; left -= GROUP, dst += GROUP,
		    src += GROUP / 2)
			look(dst, t, nibble_pairs(src));
	}
}

static void
h_nf4(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst)
{
	mapped4(w, peft_nf4_map, first, n, dst);
}

static void
h_fp4(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst)
{
	mapped4(w, peft_fp4_map, first, n, dst);
}

INLINE void
looked16(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst,
    const float map[16])
{
	const struct place p = find(w, first);
	const size_t bytes = peft_dtypes[w->dtype].bytes;
	const __m512 values = _mm512_loadu_ps(map);
	const uint8_t *b = p.at;

	for (; n > 0; n -= GROUP, dst += GROUP, b += bytes)
		look(dst, twice(l_mul(l_half(b), values)),
		    nibble_halves(b + 2));
}

static void
h_q4_0(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst)
{
	looked16(w, first, n, dst, q4_map);
}

static void
h_iq4_nl(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst)
{
	looked16(w, first, n, dst, iq4_map);
}

static const float ramp[32] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30,
	31 };

static void
h_q4_1(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst)
{
	const struct place p = find(w, first);
	const __m512 to15 = _mm512_loadu_ps(ramp);
	const uint8_t *b = p.at;
	lanes d, m;

	for (; n > 0; n -= GROUP, dst += GROUP, b += 20) {
		l_half2(b, &d, &m);
		look(dst, twice(l_add(l_mul(to15, d), m)),
		    nibble_halves(b + 4));
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

INLINE __m512i
bytes32(const uint8_t *p)
{
	return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)
	    (const void *)p));
}

/* What codes of group g stand for, from a register's first code on.  The
 * product is exact, so it matters not that it is fused with the sum. */
INLINE __m512
stand_for(const float s[16], int g, __m512 codes)
{
	return _mm512_fmsub_ps(codes, l_set(s[g]), l_set(s[8 + g]));
}

static void
h_q4_k(const struct peft_weight *w, size_t first, size_t n,
    uint16_t *restrict dst)
{
	const struct place p = find(w, first);
	const __m512 to15 = _mm512_loadu_ps(ramp);
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
			look(dst + GROUP, t, _mm512_or_si512(
			    _mm512_srli_epi16(q, 4), _mm512_set1_epi16(16)));
		}
	}
}

static void
h_q5_k(const struct peft_weight *w, size_t first, size_t n,
    uint16_t *restrict dst)
{
	const struct place p = find(w, first);
	const __m512 to15 = _mm512_loadu_ps(ramp);
	const __m512 to31 = _mm512_loadu_ps(ramp + 16);
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

			/* where bit 4 is set the upper operand's, else q's */
			q = _mm512_ternarylogic_epi32(_mm512_set1_epi16(16),
			    _mm512_srli_epi16(high, (unsigned)g), q, 0xca);
			look(dst, round2(stand_for(s, g, to15),
			    stand_for(s, g, to31)), q);
		}
	}
}

peft_halves_fn *const peft_halves_avx512bf16[PEFT_NDTYPE] = {
	[PEFT_F16] = h_f16, [PEFT_NF4] = h_nf4, [PEFT_FP4] = h_fp4,
	[PEFT_Q4_0] = h_q4_0, [PEFT_Q4_1] = h_q4_1, [PEFT_Q5_0] = h_q5_0,
	[PEFT_Q5_1] = h_q5_1, [PEFT_Q8_0] = h_q8_0, [PEFT_Q2_K] = h_q2_k,
	[PEFT_Q3_K] = h_q3_k, [PEFT_Q4_K] = h_q4_k, [PEFT_Q5_K] = h_q5_k,
	[PEFT_Q6_K] = h_q6_k, [PEFT_IQ4_NL] = h_iq4_nl,
	[PEFT_IQ4_XS] = h_iq4_xs, [PEFT_MXFP4] = h_mxfp4,
	[PEFT_TQ1_0] = h_tq1_0, [PEFT_TQ2_0] = h_tq2_0,
	[PEFT_IQ1_S] = h_iq1_s,
	[PEFT_IQ1_M] = h_iq1_m, [PEFT_IQ2_XXS] = h_iq2_xxs,
	[PEFT_IQ2_XS] = h_iq2_xs, [PEFT_IQ2_S] = h_iq2_s,
	[PEFT_IQ3_XXS] = h_iq3_xxs, [PEFT_IQ3_S] = h_iq3_s,
};
