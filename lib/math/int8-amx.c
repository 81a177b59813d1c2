/* SPDX-License-Identifier: Apache-2.0 */
/* int8 products with AMX (flags: Makefile); tiles as in panel-amx.c, of 64
 * elements where those have 32. */

#include <cpuid.h>
#include <immintrin.h>
#include <stdint.h>

#include "math/int8.h"

#define LANES	16
#define PER	4
#define OFFSET	0
#define INLINE	static inline __attribute__((always_inline))

#include "math/int8-pack.inc"
#include "math/tiles.h"

enum { ROWS = 32, CHUNK = 512 };	/* as in panel-amx.c */

/* sums [32, 32] of rows a and a panel; tall, wide: the second half, too, is
 * of use. */
INLINE void
tile(const bool tall, const bool wide, size_t k, const int8_t *a, size_t lda,
    const int8_t *b, int32_t *sums)
{
	const size_t lb = 4 * PEFT_PANEL, ls = PEFT_PANEL * sizeof(*sums);
	const int8_t *a1 = a + 16 * lda;
	size_t p;

	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
	for (p = 0; p < k; p += 64, b += 64 * PEFT_PANEL) {
		_tile_loadd(6, b, lb);
		_tile_stream_loadd(4, a + p, lda);
		_tile_dpbssd(0, 4, 6);
		if (wide) {
			_tile_loadd(7, b + 64, lb);
			_tile_dpbssd(1, 4, 7);
		}
		if (tall) {
			_tile_stream_loadd(5, a1 + p, lda);
			_tile_dpbssd(2, 5, 6);
		}
		if (tall && wide)
			_tile_dpbssd(3, 5, 7);
	}
	_tile_stored(0, sums, ls);
	if (wide)
		_tile_stored(1, sums + 16, ls);
	if (tall)
		_tile_stored(2, sums + 16 * PEFT_PANEL, ls);
	if (tall && wide)
		_tile_stored(3, sums + 16 * PEFT_PANEL + 16, ls);
}

static void
tiles(size_t m, size_t n, size_t k, const int8_t *a, size_t lda,
    const int8_t *b, int32_t *sums)
{
	if (m > 16 && n > 16)
		tile(true, true, k, a, lda, b, sums);
	else if (m > 16)
		tile(true, false, k, a, lda, b, sums);
	else if (n > 16)
		tile(false, true, k, a, lda, b, sums);
	else
		tile(false, false, k, a, lda, b, sums);
}

INLINE __mmask16
mask_of(size_t n)
{
	return (__mmask16)(n >= 16 ? 0xffff : (1u << n) - 1);
}

/* m rows by n columns of c from their sums. */
static void
put(const struct peft_block *b, const int32_t *sums, const float *sa,
    const float *sb, size_t m, size_t n, float *c)
{
	size_t i, j;

	for (j = 0; j < n; j += 16) {
		const __m512 w = _mm512_loadu_ps(sb + j);
		const __mmask16 there = mask_of(n - j);

		for (i = 0; i < m; i++) {
			float *to = c + i * b->ldc + j;
			__m512 s = _mm512_mul_ps(_mm512_set1_ps(sa[i]), w);
			__m512 x = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums +
			    i * PEFT_PANEL + j));

			x = b->add ? _mm512_fmadd_ps(x, s,
			    _mm512_maskz_loadu_ps(there, to)) :
			    _mm512_mul_ps(x, s);
			_mm512_mask_storeu_ps(to, there, x);
		}
	}
}

/* m rows from row i on by one panel's columns, from column j on.  What is
 * done with one tile's sums overlaps with the next tile's products. */
static void
panel(const struct peft_block *b, size_t i, size_t m, size_t j)
{
	size_t n = b->n - j < PEFT_PANEL ? b->n - j : PEFT_PANEL, end = i + m;
	const int8_t *p = (const int8_t *)b->b + j / PEFT_PANEL * b->ldb;
	const float *sb = (const float *)(const void *)(p + b->k *
	    PEFT_PANEL);
	int32_t sums[2][ROWS * PEFT_PANEL] __attribute__((aligned(64)));
	size_t mr, turn = 0;

	for (; i < end; i += ROWS, turn ^= 1) {
		mr = end - i < ROWS ? end - i : ROWS;
		tiles(mr, n, b->k, (const int8_t *)b->a + i * b->lda, b->lda,
		    p, sums[turn]);
		put(b, sums[turn], b->scale + i, sb, mr, n, b->c + i *
		    b->ldc + j);
	}
}

static void
block(const struct peft_block *b)
{
	size_t i, j, m;

	peft_tiles_configure();
	for (i = 0; i < b->m; i += m) {
		m = b->m - i < CHUNK ? b->m - i : CHUNK;
		for (j = 0; j < b->n; j += PEFT_PANEL)
			panel(b, i, m, j);
	}
	_tile_release();
}

/* Leaf 7 of cpuid, EDX bits 24 and 25: clang 14 has no name for them. */
static bool
here(void)
{
	unsigned a, b, c, d;

	__builtin_cpu_init();
	return peft_int8_avx512.here() &&
	    __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
	    (d >> 24 & 3) == 3 && peft_amx_permitted();
}

const struct peft_panel_int8 peft_int8_amx = { "amx", here, sizeof(element),
	block, rows, cols, quantise };
