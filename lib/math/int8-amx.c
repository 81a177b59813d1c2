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

/* Sums of a part: rows a by a panel; tall, wide: the second half, too, is of
 * use. */
INLINE void
multiply(const bool tall, const bool wide, size_t k, const int8_t *a,
    size_t lda, const int8_t *b)
{
	const size_t lb = 4 * PEFT_PANEL;
	const int8_t *a1 = a + 16 * lda;
	size_t p;

	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
	for (p = 0; p < k; p += 64, b += 64 * PEFT_PANEL) {
		_tile_loadd(6, b, lb);
		_tile_loadd(4, a + p, lda);
		_tile_dpbssd(0, 4, 6);
		if (wide) {
			_tile_loadd(7, b + 64, lb);
			_tile_dpbssd(1, 4, 7);
		}
		if (tall) {
			_tile_loadd(5, a1 + p, lda);
			_tile_dpbssd(2, 5, 6);
		}
		if (tall && wide)
			_tile_dpbssd(3, 5, 7);
	}
}

INLINE void
store(const bool tall, const bool wide, int32_t *sums)
{
	const size_t ls = PEFT_PANEL * sizeof(*sums);

	_tile_stored(0, sums, ls);
	if (wide)
		_tile_stored(1, sums + 16, ls);
	if (tall)
		_tile_stored(2, sums + 16 * PEFT_PANEL, ls);
	if (tall && wide)
		_tile_stored(3, sums + 16 * PEFT_PANEL + 16, ls);
}

INLINE __mmask16
mask_of(size_t n)
{
	return (__mmask16)(n >= 16 ? 0xffff : (1u << n) - 1);
}

/* Rows that are m by n, from one place to another, with a part's sums. */
struct put {
	size_t		 m, n, ldfrom, ldto;
	const float	*from, *sa, *sb;
	float		*to;
	const int32_t	*sums;
};

INLINE void
put(const struct put *p)
{
	size_t i, j;

	for (j = 0; j < p->n; j += 16) {
		const __m512 w = _mm512_loadu_ps(p->sb + j);
		const __mmask16 there = mask_of(p->n - j);
		const int32_t *sum = p->sums + j;
		const float *from = p->from + j;
		float *to = p->to + j;

#pragma GCC unroll 4
		for (i = 0; i < p->m; i++)
			_mm512_mask_storeu_ps(to + i * p->ldto, there,
			    _mm512_fmadd_ps(_mm512_cvtepi32_ps(
			    _mm512_loadu_si512(sum + i * PEFT_PANEL)),
			    _mm512_mul_ps(_mm512_set1_ps(p->sa[i]), w),
			    _mm512_maskz_loadu_ps(there, from + i *
			    p->ldfrom)));
	}
}

struct tile {
	size_t		 m, n, k, lda, lds, ldc;
	const int8_t	*a, *b;
	const float	*sa;
	float		*c;
	bool		 add;
};

/* What is done with a part's sums overlaps with the next part's products; c
 * itself is read with the first, and written with the last. */
INLINE void
tile(const bool tall, const bool wide, const struct tile *t)
{
	static const float zeros[PEFT_PANEL];
	int32_t sums[ROWS * PEFT_PANEL] __attribute__((aligned(64)));
	float own[ROWS * PEFT_PANEL] __attribute__((aligned(64)));
	struct put p = { .m = t->m, .n = t->n, .from = t->add ? t->c : zeros,
	    .ldfrom = t->add ? t->ldc : 0, .sa = t->sa, .sums = sums,
	    .to = own, .ldto = PEFT_PANEL };
	const int8_t *a = t->a, *b = t->b;
	size_t at, deep;

	for (at = 0; at < t->k; at += PEFT_INT8_DEEP) {
		deep = t->k - at < PEFT_INT8_DEEP ? t->k - at :
		    PEFT_INT8_DEEP;
		multiply(tall, wide, deep, a + at, t->lda, b);
		if (at > 0) {
			put(&p);
			p.sa += t->lds;
			p.from = own;
			p.ldfrom = PEFT_PANEL;
		}
		store(tall, wide, sums);
		b += deep * PEFT_PANEL;
		p.sb = (const float *)(const void *)b;
		b += PEFT_INT8_TAIL * PEFT_PANEL;
	}
	p.to = t->c;
	p.ldto = t->ldc;
	put(&p);
}

static void
tiles(const struct tile *t)
{
	if (t->m > 16 && t->n > 16)
		tile(true, true, t);
	else if (t->m > 16)
		tile(true, false, t);
	else if (t->n > 16)
		tile(false, true, t);
	else
		tile(false, false, t);
}

/* m rows from row i on by one panel's columns, from column j on. */
static void
panel(const struct peft_block *b, size_t i, size_t m, size_t j)
{
	struct tile t = { .n = b->n - j < PEFT_PANEL ? b->n - j : PEFT_PANEL,
	    .k = b->k, .lda = b->lda, .lds = b->lds, .ldc = b->ldc,
	    .b = (const int8_t *)b->b + j / PEFT_PANEL * b->ldb,
	    .add = b->add };
	size_t end = i + m;

	for (; i < end; i += ROWS) {
		t.m = end - i < ROWS ? end - i : ROWS;
		t.a = (const int8_t *)b->a + i * b->lda;
		t.sa = b->scale + i;
		t.c = b->c + i * b->ldc + j;
		tiles(&t);
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
