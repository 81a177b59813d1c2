/* SPDX-License-Identifier: Apache-2.0 */
/* int8 products with AMX (flags: Makefile); tiles as in panel-amx.c, of 64
 * elements where those have 32.  A part's products of 32 x 32 sums take 128
 * cycles; storing these, and scaling them, took twice that on a Sapphire Rapids
 * core, and takes 200 beside what tiles do. */

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

/* A step along k: rows a by a panel; tall, wide: the second half, too, is of
 * use. */
INLINE void
step(const bool tall, const bool wide, const int8_t *a, size_t lda,
    const int8_t *b)
{
	const size_t lb = 4 * PEFT_PANEL;

	_tile_loadd(6, b, lb);
	_tile_stream_loadd(4, a, lda);
	_tile_dpbssd(0, 4, 6);
	if (wide) {
		_tile_loadd(7, b + 64, lb);
		_tile_dpbssd(1, 4, 7);
	}
	if (tall) {
		_tile_stream_loadd(5, a + 16 * lda, lda);
		_tile_dpbssd(2, 5, 6);
	}
	if (tall && wide)
		_tile_dpbssd(3, 5, 7);
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

/* 16 columns of a row. */
INLINE void
put16(float *to, const float *from, const int32_t *sum, __m512 by,
    __mmask16 there)
{
	_mm512_mask_storeu_ps(to, there, _mm512_fmadd_ps(_mm512_cvtepi32_ps(
	    _mm512_loadu_si512(sum)), by, _mm512_maskz_loadu_ps(there,
	    from)));
}

/* Rows i .. end of these; whole: all 32 columns. */
INLINE void
put_rows(const bool whole, const struct put *p, size_t i, size_t end)
{
	const size_t ldfrom = p->ldfrom, ldto = p->ldto;
	const __m512 w0 = _mm512_loadu_ps(p->sb);
	const __m512 w1 = _mm512_loadu_ps(p->sb + 16);
	const __mmask16 low = whole ? 0xffff : mask_of(p->n);
	const __mmask16 high = whole ? 0xffff : mask_of(p->n > 16 ? p->n -
	    16 : 0);
	const int32_t *sum = p->sums + i * PEFT_PANEL;
	const float *from = p->from + i * ldfrom, *sa = p->sa;
	float *to = p->to + i * ldto;

#pragma GCC unroll 4
	for (; i < end; i++, sum += PEFT_PANEL, from += ldfrom, to += ldto) {
		const __m512 a = _mm512_set1_ps(sa[i]);

		put16(to, from, sum, _mm512_mul_ps(a, w0), low);
		put16(to + 16, from + 16, sum + 16, _mm512_mul_ps(a, w1),
		    high);
	}
}

/* What is masked is slow to read again: not so where it need not be. */
INLINE void
put(const struct put *p, size_t i, size_t end)
{
	if (p->m == ROWS && p->n == PEFT_PANEL)
		put_rows(true, p, i, end);
	else if (i < p->m)
		put_rows(false, p, i, end < p->m ? end : p->m);
}

struct tile {
	size_t		 m, n, k, lda, lds, ldc;
	const int8_t	*a, *b;
	const float	*sa;
	float		*c;
	bool		 add;
};

/* What is done with a part's sums is done between the steps of the next part,
 * be it of the next tile: so vectors work while tiles do.  m 0: there is
 * nothing to be done yet. */
struct pipe {
	int32_t		 sums[2][ROWS * PEFT_PANEL];
	float		 own[ROWS * PEFT_PANEL];
	struct put	 put;
	int		 turn;
};

/* What is to be done with the sums of the part from `at' on: c itself is read
 * with the first, and written with the last. */
INLINE struct put
put_of(const struct tile *t, struct pipe *pipe, size_t at, const int8_t *tail)
{
	static const float zeros[PEFT_PANEL];
	struct put p = { .m = t->m, .n = t->n, .from = pipe->own,
	    .ldfrom = PEFT_PANEL, .to = pipe->own, .ldto = PEFT_PANEL,
	    .sa = t->sa + at / PEFT_INT8_DEEP * t->lds,
	    .sb = (const float *)(const void *)tail,
	    .sums = pipe->sums[pipe->turn] };

	if (at == 0) {
		p.from = t->add ? t->c : zeros;
		p.ldfrom = t->add ? t->ldc : 0;
	}
	if (t->k - at <= PEFT_INT8_DEEP) {
		p.to = t->c;
		p.ldto = t->ldc;
	}
	return p;
}

INLINE void
tile(const bool tall, const bool wide, const struct tile *t,
    struct pipe *pipe)
{
	const int8_t *b = t->b;
	size_t at, deep, p, slice, rows;

	for (at = 0; at < t->k; at += deep) {
		deep = t->k - at < PEFT_INT8_DEEP ? t->k - at :
		    PEFT_INT8_DEEP;
		slice = ROWS * 64 / deep;
		rows = 0;
		_tile_zero(0);
		_tile_zero(1);
		_tile_zero(2);
		_tile_zero(3);
		for (p = 0; p < deep; p += 64, b += 64 * PEFT_PANEL) {
			step(tall, wide, t->a + at + p, t->lda, b);
			put(&pipe->put, rows, rows + slice);
			rows += slice;
		}
		pipe->turn ^= 1;
		store(tall, wide, pipe->sums[pipe->turn]);
		pipe->put = put_of(t, pipe, at, b);
		b += PEFT_INT8_TAIL * PEFT_PANEL;
	}
}

static void
tiles(const struct tile *t, struct pipe *pipe)
{
	if (t->m > 16 && t->n > 16)
		tile(true, true, t, pipe);
	else if (t->m > 16)
		tile(true, false, t, pipe);
	else if (t->n > 16)
		tile(false, true, t, pipe);
	else
		tile(false, false, t, pipe);
}

/* m rows from row i on by one panel's columns, from column j on. */
static void
panel(const struct peft_block *b, size_t i, size_t m, size_t j,
    struct pipe *pipe)
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
		tiles(&t, pipe);
	}
}

static void
block(const struct peft_block *b)
{
	struct pipe pipe __attribute__((aligned(64)));
	size_t i, j, m;

	pipe.put = (struct put){ .m = 0 };
	pipe.turn = 0;
	peft_tiles_configure();
	for (i = 0; i < b->m; i += m) {
		m = b->m - i < CHUNK ? b->m - i : CHUNK;
		for (j = 0; j < b->n; j += PEFT_PANEL)
			panel(b, i, m, j, &pipe);
	}
	put(&pipe.put, 0, ROWS);
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
