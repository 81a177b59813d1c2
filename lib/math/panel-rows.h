/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_PANEL_ROWS_H
#define PEFT_MATH_PANEL_ROWS_H

/* Transposing into panels, for the files of panel kernels only. */

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "math/panel.h"

/* f32, or a pair of bf16 */
typedef uint32_t peft_word __attribute__((may_alias));

#ifdef __AVX512F__
/* 16 x 16 words: r[i] = row i becomes column i. */
static inline __attribute__((always_inline)) void
peft_transpose16(__m512i r[16])
{
	__m512i t[16];
	int i;

#pragma GCC unroll 8
	for (i = 0; i < 16; i += 2) {
		t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
		t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
	}
#pragma GCC unroll 4
	for (i = 0; i < 16; i += 4) {
		r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
		r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
		r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
		r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
	}
	/* r[4 q + c]: lane l has column 4 l + c of rows 4 q .. 4 q + 3 */
#pragma GCC unroll 4
	for (i = 0; i < 4; i++) {
		t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
		t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
		t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
		t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
	}
#pragma GCC unroll 4
	for (i = 0; i < 4; i++) {
		r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
		r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
		r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
		r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
	}
}

/* Rows of 32-bit elements (f32, pairs of bf16): panel[k][32]; what is not
 * there is zero.  k counts elements. */
static inline void
peft_panel_words(const peft_word *src, size_t ld, size_t n, size_t k,
    peft_word *panel)
{
	size_t p, j;
	__m512i r[16];
	int i;

	for (p = 0; p < k; p += 16)
		for (j = 0; j < PEFT_PANEL; j += 16) {
			peft_word *to = panel + p * PEFT_PANEL + j;
			size_t deep = k - p < 16 ? k - p : 16;
			__mmask16 m = (__mmask16)((1u << deep) - 1);

#pragma GCC unroll 16
			for (i = 0; i < 16; i++)
				r[i] = _mm512_maskz_loadu_epi32(
				    j + (size_t)i < n ? m : 0,
				    src + (j + (size_t)i) * ld + p);
			peft_transpose16(r);
			if (deep == 16) {
#pragma GCC unroll 16
				for (i = 0; i < 16; i++)
					_mm512_storeu_si512(to + i *
					    PEFT_PANEL, r[i]);
				continue;
			}
			for (i = 0; i < (int)deep; i++)
				_mm512_storeu_si512(to + i * PEFT_PANEL, r[i]);
		}
}

/* Rows of bf16, as f32: panel[k][32].  Pairs of them are words, of which each
 * becomes two. */
static inline void
peft_panel_widened(const uint16_t *src, size_t ld, size_t n, size_t k,
    float *panel)
{
	const __m512i high = _mm512_set1_epi32((int)0xffff0000);
	size_t p, j;
	__m512i r[16];
	int i;

	for (p = 0; p < k; p += 32)
		for (j = 0; j < PEFT_PANEL; j += 16) {
			float *to = panel + p * PEFT_PANEL + j;
			int deep = k - p < 32 ? (int)(k - p) : 32;
			__mmask32 m = (__mmask32)((1ull << deep) - 1);

#pragma GCC unroll 16
			for (i = 0; i < 16; i++)
				r[i] = _mm512_maskz_loadu_epi16(
				    j + (size_t)i < n ? m : 0,
				    src + (j + (size_t)i) * ld + p);
			peft_transpose16(r);
#pragma GCC unroll 32
			for (i = 0; i < 32; i++)
				if (i < deep)
					_mm512_storeu_si512(to + i *
					    PEFT_PANEL, i % 2 == 0 ?
					    _mm512_slli_epi32(r[i / 2], 16) :
					    _mm512_and_si512(r[i / 2], high));
		}
}
#else
/* Words, or bf16 of which each becomes the upper half of one. */
static inline __attribute__((always_inline)) void
peft_panel_plain(const void *src, int half, size_t ld, size_t n, size_t k,
    peft_word *panel)
{
	const uint16_t *halves = src;
	const peft_word *words = src;
	size_t i, j;

	for (j = 0; j < PEFT_PANEL; j++)
		for (i = 0; i < k; i++)
			panel[i * PEFT_PANEL + j] = j >= n ? 0 : half ?
			    (peft_word)halves[j * ld + i] << 16 :
			    words[j * ld + i];
}

static inline void
peft_panel_widened(const uint16_t *src, size_t ld, size_t n, size_t k,
    float *panel)
{
	peft_panel_plain(src, 1, ld, n, k, (peft_word *)panel);
}

static inline void
peft_panel_words(const peft_word *src, size_t ld, size_t n, size_t k,
    peft_word *panel)
{
	peft_panel_plain(src, 0, ld, n, k, panel);
}
#endif

#endif
