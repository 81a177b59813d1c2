/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bf16 panel kernels for processors with AVX512-BF16 (flags: Makefile).
 * vdpbf16ps adds two products to each f32, rounding after each, and takes
 * denormals for zero.
 */

#include <string.h>

#include "math/panel-bf16-impl.h"
#include "math/panel-rows.h"

#define INLINE	static inline __attribute__((always_inline))
#define UNROLL	_Pragma("GCC unroll 16")

enum { TALL = 14 };

INLINE __m512i
pair_of(const uint16_t *p)
{
	int32_t pair;

	memcpy(&pair, p, sizeof(pair));
	return _mm512_set1_epi32(pair);
}

INLINE __mmask16
mask_of(size_t n)
{
	return (__mmask16)(n >= 16 ? 0xffff : (1u << n) - 1);
}

/* mr rows by nv vectors of a panel, as in panel.inc. */
INLINE void
tile(const int mr, const int nv, size_t k, const uint16_t *a, size_t lda,
    const uint16_t *b, float *c, size_t ldc, size_t n, bool add)
{
	const uint16_t *row[(TALL + 3) / 4];
	__m512 sum[TALL][2];
	size_t p;
	int i, v;

	UNROLL
	for (i = 0; i < mr; i += 4)
		row[i / 4] = a + (size_t)i * lda;
	UNROLL
	for (i = 0; i < mr; i++)
		sum[i][0] = sum[i][1] = _mm512_setzero_ps();
	for (p = 0; p < k; p += 2, b += 2 * PEFT_PANEL) {
		__m512bh w[2];

		UNROLL
		for (v = 0; v < nv; v++)
			w[v] = (__m512bh)_mm512_loadu_si512(b + 32 * v);
		UNROLL
		for (i = 0; i < mr; i++) {
			__m512bh x = (__m512bh)pair_of(row[i / 4] +
			    (size_t)(i % 4) * lda);

			UNROLL
			for (v = 0; v < nv; v++)
				sum[i][v] = _mm512_dpbf16_ps(sum[i][v], x,
				    w[v]);
		}
		UNROLL
		for (i = 0; i < mr; i += 4)
			row[i / 4] += 2;
	}
	UNROLL
	for (i = 0; i < mr; i++)
		UNROLL
		for (v = 0; v < nv; v++) {
			float *to = c + (size_t)i * ldc + 16 * v;
			__mmask16 m = mask_of(n - (size_t)(16 * v));

			if (add)
				sum[i][v] = _mm512_add_ps(sum[i][v],
				    _mm512_maskz_loadu_ps(m, to));
			_mm512_mask_storeu_ps(to, m, sum[i][v]);
		}
}

#define TILE(r) \
	case r: \
		if (n > 16) \
			tile(r, 2, k, a, lda, b, c, ldc, n, add); \
		else \
			tile(r, 1, k, a, lda, b, c, ldc, n, add); \
		break;

static void
tiles(size_t mr, size_t k, const uint16_t *a, size_t lda, const uint16_t *b,
    float *c, size_t ldc, size_t n, bool add)
{
	switch (mr) {
	TILE(1) TILE(2) TILE(3) TILE(4) TILE(5) TILE(6) TILE(7) TILE(8)
	TILE(9) TILE(10) TILE(11) TILE(12) TILE(13) TILE(14)
	}
}

static void
block(const struct peft_block *b)
{
	size_t left = (b->m + TALL - 1) / TALL, i, mr, j;

	for (i = 0; i < b->m; i += mr, left--) {
		mr = (b->m - i + left - 1) / left;
		for (j = 0; j < b->n; j += PEFT_PANEL)
			tiles(mr, b->k, (const uint16_t *)b->a + i * b->lda,
			    b->lda, (const uint16_t *)b->b + j / PEFT_PANEL *
			    b->ldb, b->c + i * b->ldc + j, b->ldc,
			    b->n - j < PEFT_PANEL ? b->n - j : PEFT_PANEL,
			    b->add);
	}
}

/* 32 values, those behind n zero, as bf16. */
INLINE __m512i
round32(const float *src, size_t n)
{
	__m512 low = _mm512_maskz_loadu_ps(mask_of(n), src);
	__m512 high = _mm512_maskz_loadu_ps(n > 16 ? mask_of(n - 16) : 0,
	    src + 16);

	return (__m512i)_mm512_cvtne2ps_pbh(high, low);
}

/* The same of values that are bf16. */
INLINE __m512i
load32(const uint16_t *src, size_t n)
{
	return _mm512_maskz_loadu_epi16(n >= 32 ? ~(__mmask32)0 :
	    (__mmask32)((1u << n) - 1), src);
}

INLINE void
store_pairs(uint16_t *panel, __m512i r[16])
{
	int i;

	peft_transpose16(r);
	UNROLL
	for (i = 0; i < 16; i++)
		_mm512_storeu_si512(panel + i * 2 * PEFT_PANEL, r[i]);
}

void
peft_bf16_rows(const float *src, size_t ld, size_t n, size_t k,
    uint16_t *panel)
{
	__m512i r[16];
	size_t p, j, i;

	for (p = 0; p < k; p += 32, panel += 32 * PEFT_PANEL)
		for (j = 0; j < PEFT_PANEL; j += 16) {
			UNROLL
			for (i = 0; i < 16; i++)
				r[i] = j + i < n ? round32(src + (j + i) * ld +
				    p, k - p) : _mm512_setzero_si512();
			store_pairs(panel + 2 * j, r);
		}
}

void
peft_bf16_rows16(const uint16_t *src, size_t ld, size_t n, size_t k,
    uint16_t *panel)
{
	__m512i r[16];
	size_t p, j, i;

	for (p = 0; p < k; p += 32, panel += 32 * PEFT_PANEL)
		for (j = 0; j < PEFT_PANEL; j += 16) {
			UNROLL
			for (i = 0; i < 16; i++)
				r[i] = j + i < n ? load32(src + (j + i) * ld +
				    p, k - p) : _mm512_setzero_si512();
			store_pairs(panel + 2 * j, r);
		}
}

/* Words 0, 16, 1, 17 ...: two rows of 16 as pairs. */
INLINE __m512i
pairs(__m512i both)
{
	const __m512i low = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7,
	    6, 5, 4, 3, 2, 1, 0);
	const __m512i order = _mm512_or_si512(low, _mm512_slli_epi32(
	    _mm512_add_epi32(low, _mm512_set1_epi32(16)), 16));

	return _mm512_permutexvar_epi16(order, both);
}

static void
clear(uint16_t *panel, size_t k)
{
	size_t to = (k + PEFT_KSTEP - 1) / PEFT_KSTEP * PEFT_KSTEP;

	k = (k + 1) / 2 * 2;
	memset(panel + k * PEFT_PANEL, 0, (to - k) * PEFT_PANEL *
	    sizeof(*panel));
}

void
peft_bf16_cols(const float *src, size_t ld, size_t k, size_t n,
    uint16_t *panel)
{
	__mmask16 low = mask_of(n), high = n > 16 ? mask_of(n - 16) : 0;
	size_t p;

	for (p = 0; p < k; p += 2) {
		const float *a = src + p * ld, *b = a + ld;
		uint16_t *to = panel + p * PEFT_PANEL;
		bool two = p + 1 < k;

		_mm512_storeu_si512(to, pairs((__m512i)_mm512_cvtne2ps_pbh(
		    _mm512_maskz_loadu_ps(two ? low : 0, b),
		    _mm512_maskz_loadu_ps(low, a))));
		_mm512_storeu_si512(to + 32, pairs((__m512i)
		    _mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(two ? high : 0,
		    b + 16), _mm512_maskz_loadu_ps(high, a + 16))));
	}
	clear(panel, k);
}

void
peft_bf16_cols16(const uint16_t *src, size_t ld, size_t k, size_t n,
    uint16_t *panel)
{
	size_t p, j;

	for (p = 0; p < k; p += 2)
		for (j = 0; j < PEFT_PANEL; j += 16) {
			const uint16_t *a = src + p * ld + j;
			__mmask16 m = n > j ? mask_of(n - j) : 0;
			__m256i x = _mm256_maskz_loadu_epi16(m, a);
			__m256i y = _mm256_maskz_loadu_epi16(p + 1 < k ? m :
			    0, a + ld);

			_mm512_storeu_si512(panel + p * PEFT_PANEL + 2 * j,
			    pairs(_mm512_inserti64x4(_mm512_castsi256_si512(x),
			    y, 1)));
		}
	clear(panel, k);
}

void
peft_bf16_round(uint16_t *dst, const float *src, size_t n)
{
	size_t i;

	for (i = 0; i < n; i += 32)
		_mm512_storeu_si512(dst + i, round32(src + i, n - i));
}

const struct peft_panel_bf16 peft_panel_bf16_avx512 = { "avx512-bf16", block,
	peft_bf16_rows, peft_bf16_cols, peft_bf16_rows16, peft_bf16_cols16,
	peft_bf16_round };
