/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bf16 panel kernel for processors with AMX (flags: Makefile).  Tiles
 * are 16 rows of 64 bytes: 2 x 2 of them make 32 x 32 sums, and each step of
 * 32 along k takes two of A and two of the panel for four products.  The
 * panel stays in the first cache while the rows stream past it: their loads
 * carry the hint not to displace it (84 % of the register-only limit on a
 * Sapphire Rapids core, 62 % without).
 */

#include <immintrin.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "math/panel-bf16-impl.h"
#include "math/tiles.h"

#define INLINE	static inline __attribute__((always_inline))

enum {
	ROWS = 32,
	CHUNK = 512	/* rows that stay in the second cache */
};

/* c [32, 32]: all of it is there.  tall, wide: the second half, too, is of
 * use. */
INLINE void
tile(const bool tall, const bool wide, size_t k, const uint16_t *a, size_t lda,
    const uint16_t *b, float *c, size_t ldc, bool add)
{
	size_t p, la = lda * sizeof(*a), lc = ldc * sizeof(*c);
	const size_t lb = 2 * PEFT_PANEL * sizeof(*b);
	const uint16_t *a1 = a + 16 * lda;
	float *c1 = c + 16 * ldc;

	if (add) {
		_tile_loadd(0, c, lc);
		if (wide)
			_tile_loadd(1, c + 16, lc);
		if (tall)
			_tile_loadd(2, c1, lc);
		if (tall && wide)
			_tile_loadd(3, c1 + 16, lc);
	} else {
		_tile_zero(0);
		_tile_zero(1);
		_tile_zero(2);
		_tile_zero(3);
	}
	for (p = 0; p < k; p += 32, b += 32 * PEFT_PANEL) {
		_tile_loadd(6, b, lb);
		_tile_stream_loadd(4, a + p, la);
		_tile_dpbf16ps(0, 4, 6);
		if (wide) {
			_tile_loadd(7, b + 32, lb);
			_tile_dpbf16ps(1, 4, 7);
		}
		if (tall) {
			_tile_stream_loadd(5, a1 + p, la);
			_tile_dpbf16ps(2, 5, 6);
		}
		if (tall && wide)
			_tile_dpbf16ps(3, 5, 7);
	}
	_tile_stored(0, c, lc);
	if (wide)
		_tile_stored(1, c + 16, lc);
	if (tall)
		_tile_stored(2, c1, lc);
	if (tall && wide)
		_tile_stored(3, c1 + 16, lc);
}

static void
tiles(size_t m, size_t n, size_t k, const uint16_t *a, size_t lda,
    const uint16_t *b, float *c, size_t ldc, bool add)
{
	if (m > 16 && n > 16)
		tile(true, true, k, a, lda, b, c, ldc, add);
	else if (m > 16)
		tile(true, false, k, a, lda, b, c, ldc, add);
	else if (n > 16)
		tile(false, true, k, a, lda, b, c, ldc, add);
	else
		tile(false, false, k, a, lda, b, c, ldc, add);
}

/* Tiles that stand over the edge of C go through memory of their own. */
static void
edge(size_t m, size_t n, size_t k, const uint16_t *a, size_t lda,
    const uint16_t *b, float *c, size_t ldc, bool add)
{
	float whole[ROWS * PEFT_PANEL];
	size_t i;

	if (add)
		memset(whole, 0, sizeof(whole));
	for (i = 0; add && i < m; i++)
		memcpy(whole + i * PEFT_PANEL, c + i * ldc, n * sizeof(*c));
	tiles(m, n, k, a, lda, b, whole, PEFT_PANEL, add);
	for (i = 0; i < m; i++)
		memcpy(c + i * ldc, whole + i * PEFT_PANEL, n * sizeof(*c));
}

/* m rows by one panel's columns. */
static void
panel(size_t m, size_t n, const struct peft_block *b, const uint16_t *a,
    const uint16_t *p, float *c)
{
	size_t i, mr;

	for (i = 0; i < m; i += ROWS, a += ROWS * b->lda, c += ROWS * b->ldc) {
		mr = m - i < ROWS ? m - i : ROWS;
		if (b->slack)
			mr = (mr + 15) / 16 * 16;
		(mr % 16 == 0 && n % 16 == 0 ? tiles : edge)(mr, n, b->k, a,
		    b->lda, p, c, b->ldc, b->add);
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
			panel(m, b->n - j < PEFT_PANEL ? b->n - j :
			    PEFT_PANEL, b, (const uint16_t *)b->a + i * b->lda,
			    (const uint16_t *)b->b + j / PEFT_PANEL * b->ldb,
			    b->c + i * b->ldc + j);
	}
	_tile_release();
}

/* Linux hands out the 8 KB of state only to processes that asked
 * (arch_prctl(2), ARCH_REQ_XCOMP_PERM); threads inherit it. */
bool
peft_amx_permitted(void)
{
	enum { REQUEST = 0x1023, TILEDATA = 18 };

	return syscall(SYS_arch_prctl, REQUEST, TILEDATA) == 0;
}

const struct peft_panel_bf16 peft_panel_bf16_amx = { "amx", block,
	peft_bf16_rows, peft_bf16_cols, peft_bf16_rows16, peft_bf16_cols16,
	peft_bf16_round };
