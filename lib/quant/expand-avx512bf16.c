/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored values straight to bf16 (flags: Makefile).  Some types go by their
 * groups of 32 (groups.h), two registers of f32 that become one, others by a
 * look-up (halves-impl.h).
 */

#include "quant/groups-iq.h"
#include "quant/halves-impl.h"

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
HALVES(q8_0, 1)
HALVES(tq1_0, 8)
HALVES(tq2_0, 8)
HALVES(iq1_s, 8)
HALVES(iq1_m, 8)
HALVES(iq2_xxs, 8)
HALVES(iq2_xs, 8)
HALVES(iq2_s, 8)
HALVES(iq3_xxs, 8)
HALVES(iq3_s, 8)

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

/* Sixteen values times the scale of each 32. */
INLINE void
looked16(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst,
    const float map[16])
{
	const struct place p = find(w, first);
	const __m512 values = l_load(map);
	const uint8_t *b = p.at;

	for (; n > 0; n -= GROUP, dst += GROUP, b += 18)
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

static void
h_mxfp4(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst)
{
	const struct place p = find(w, first);
	const __m512 values = l_load(mxfp4_map);
	const uint8_t *b = p.at;

	for (; n > 0; n -= GROUP, dst += GROUP, b += 17)
		look(dst, twice(l_mul(l_set(mxfp4_scale(b[0])), values)),
		    nibble_halves(b + 1));
}

static void
h_q4_1(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst)
{
	const struct place p = find(w, first);
	const uint8_t *b = p.at;
	lanes d, m;

	for (; n > 0; n -= GROUP, dst += GROUP, b += 20) {
		l_half2(b, &d, &m);
		look(dst, twice(l_add(l_mul(l_load(ramp), d), m)),
		    nibble_halves(b + 4));
	}
}

/* Codes of five bits: nibbles, and a bit of the word for each. */
INLINE __m512i
fives(const uint8_t *nibbles, const uint8_t *word)
{
	uint32_t h;

	memcpy(&h, word, sizeof(h));
	return _mm512_or_si512(_mm512_and_si512(nibble_halves(nibbles),
	    _mm512_set1_epi16(15)), _mm512_maskz_set1_epi16(h, 16));
}

static void
h_q5_0(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst)
{
	const struct place p = find(w, first);
	const __m512 low = l_load(ramp) - 16, high = l_load(ramp + 16) - 16;
	const uint8_t *b = p.at;

	for (; n > 0; n -= GROUP, dst += GROUP, b += 22) {
		lanes d = l_half(b);

		look(dst, round2(l_mul(low, d), l_mul(high, d)),
		    fives(b + 6, b + 2));
	}
}

static void
h_q5_1(const struct peft_weight *w, size_t first, size_t n, uint16_t *dst)
{
	const struct place p = find(w, first);
	const uint8_t *b = p.at;
	lanes d, m;

	for (; n > 0; n -= GROUP, dst += GROUP, b += 24) {
		l_half2(b, &d, &m);
		look(dst, round2(l_add(l_mul(l_load(ramp), d), m),
		    l_add(l_mul(l_load(ramp + 16), d), m)),
		    fives(b + 8, b + 4));
	}
}

peft_halves_fn *const peft_halves_avx512bf16[PEFT_NDTYPE] = {
	[PEFT_F16] = h_f16, [PEFT_NF4] = h_nf4, [PEFT_FP4] = h_fp4,
	[PEFT_Q4_0] = h_q4_0, [PEFT_Q4_1] = h_q4_1, [PEFT_Q5_0] = h_q5_0,
	[PEFT_Q5_1] = h_q5_1, [PEFT_Q8_0] = h_q8_0,
	[PEFT_Q2_K] = peft_halves_q2_k, [PEFT_Q3_K] = peft_halves_q3_k,
	[PEFT_Q4_K] = peft_halves_q4_k, [PEFT_Q5_K] = peft_halves_q5_k,
	[PEFT_Q6_K] = peft_halves_q6_k, [PEFT_IQ4_NL] = h_iq4_nl,
	[PEFT_IQ4_XS] = peft_halves_iq4_xs, [PEFT_MXFP4] = h_mxfp4,
	[PEFT_TQ1_0] = h_tq1_0, [PEFT_TQ2_0] = h_tq2_0,
	[PEFT_IQ1_S] = h_iq1_s, [PEFT_IQ1_M] = h_iq1_m,
	[PEFT_IQ2_XXS] = h_iq2_xxs, [PEFT_IQ2_XS] = h_iq2_xs,
	[PEFT_IQ2_S] = h_iq2_s, [PEFT_IQ3_XXS] = h_iq3_xxs,
	[PEFT_IQ3_S] = h_iq3_s,
};
