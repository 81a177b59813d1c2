/* SPDX-License-Identifier: Apache-2.0 */
/* The most products and sums of int8 that a processor can do. */

#include <immintrin.h>

#include "math/peak-impl.h"
#include "math/tiles.h"

enum { TIMES = PEFT_SPIN_TIMES, WIDE_CHAINS = 16, CHAINS = 12 };

__attribute__((target("avx512f,avx512vnni")))
static void
spin_avx512vnni(float *sink)
{
	__m512i a[WIDE_CHAINS], b = _mm512_set1_epi32(0x01020304);
	int i, j;

	for (j = 0; j < WIDE_CHAINS; j++)
		a[j] = _mm512_set1_epi32(j);
	for (i = 0; i < TIMES; i++)
#pragma GCC unroll 16
		for (j = 0; j < WIDE_CHAINS; j++)
			a[j] = _mm512_dpbusd_epi32(a[j], b, b);
	for (j = 1; j < WIDE_CHAINS; j++)
		a[0] = _mm512_add_epi32(a[0], a[j]);
	_mm512_storeu_si512(sink, a[0]);
}

__attribute__((target("avx2,avxvnni")))
static void
spin_avxvnni(float *sink)
{
	__m256i a[CHAINS], b = _mm256_set1_epi32(0x01020304);
	int i, j;

	for (j = 0; j < CHAINS; j++)
		a[j] = _mm256_set1_epi32(j);
	for (i = 0; i < TIMES; i++)
#pragma GCC unroll 16
		for (j = 0; j < CHAINS; j++)
			a[j] = _mm256_dpbusd_avx_epi32(a[j], b, b);
	for (j = 1; j < CHAINS; j++)
		a[0] = _mm256_add_epi32(a[0], a[j]);
	_mm256_storeu_si256((__m256i *)(void *)sink, a[0]);
}

/* Products that do not change would be made once: b is as good as new. */
__attribute__((target("avx512f,avx512bw")))
static void
spin_avx512(float *sink)
{
	__m512i a[WIDE_CHAINS], b = _mm512_set1_epi16(3);
	int i, j;

	for (j = 0; j < WIDE_CHAINS; j++)
		a[j] = _mm512_set1_epi32(j);
	for (i = 0; i < TIMES; i++)
#pragma GCC unroll 16
		for (j = 0; j < WIDE_CHAINS; j++) {
			__asm__ volatile("" : "+v"(b));
			a[j] = _mm512_add_epi32(a[j], _mm512_madd_epi16(b, b));
		}
	for (j = 1; j < WIDE_CHAINS; j++)
		a[0] = _mm512_add_epi32(a[0], a[j]);
	_mm512_storeu_si512(sink, a[0]);
}

__attribute__((target("avx2")))
static void
spin_avx2(float *sink)
{
	__m256i a[CHAINS], b = _mm256_set1_epi16(3);
	int i, j;

	for (j = 0; j < CHAINS; j++)
		a[j] = _mm256_set1_epi32(j);
	for (i = 0; i < TIMES; i++)
#pragma GCC unroll 16
		for (j = 0; j < CHAINS; j++) {
			__asm__ volatile("" : "+x"(b));
			a[j] = _mm256_add_epi32(a[j], _mm256_madd_epi16(b, b));
		}
	for (j = 1; j < CHAINS; j++)
		a[0] = _mm256_add_epi32(a[0], a[j]);
	_mm256_storeu_si256((__m256i *)(void *)sink, a[0]);
}

/* Four tiles of sums, as the kernel has. */
__attribute__((target("amx-tile,amx-int8")))
static void
spin_amx(float *sink)
{
	static const uint8_t zeros[16 * 64] = { 0 };
	int i;

	peft_tiles_configure();
	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
	_tile_loadd(4, zeros, 64);
	_tile_loadd(5, zeros, 64);
	_tile_loadd(6, zeros, 64);
	_tile_loadd(7, zeros, 64);
	for (i = 0; i < TIMES / 4; i++) {
		_tile_dpbssd(0, 4, 6);
		_tile_dpbssd(1, 4, 7);
		_tile_dpbssd(2, 5, 6);
		_tile_dpbssd(3, 5, 7);
	}
	(void)sink;
	_tile_release();
}

struct peft_spin
peft_spin_int8(const struct peft_panel_int8 *k)
{
	static const struct {
		const struct peft_panel_int8	*k;
		void				(*fn)(float *);
		double				 products;	/* each time */
	} spins[] = {
		{ &peft_int8_amx, spin_amx, 16 * 16 * 64 },
		{ &peft_int8_avx512vnni, spin_avx512vnni, 64 * WIDE_CHAINS },
		{ &peft_int8_avx512, spin_avx512, 32 * WIDE_CHAINS },
		{ &peft_int8_avxvnni, spin_avxvnni, 32 * CHAINS },
		{ &peft_int8_avx2, spin_avx2, 16 * CHAINS },
	};
	size_t i;

	for (i = 0; i < sizeof(spins) / sizeof(spins[0]); i++)
		if (spins[i].k == k)
			return (struct peft_spin){ spins[i].fn, 2.0 * TIMES *
			    spins[i].products };
	return (struct peft_spin){ NULL, 0 };
}
