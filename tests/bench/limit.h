/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_BENCH_LIMIT_H
#define TESTS_BENCH_LIMIT_H

/*
 * What the processor can do at most: products and sums from registers to
 * registers, on all threads, in GF/s.
 */

#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "math/cpu.h"
#include "math/panel.h"
#include "math/vec.h"

enum { LIMIT_TIMES = 1 << 18, LIMIT_CHAINS = 16, LIMIT_REPEAT = 24 };

static double
bench_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

__attribute__((target("avx512f")))
static void
spin_avx512(float *sink)
{
	__m512 a[LIMIT_CHAINS], b = _mm512_set1_ps(0.999f);
	int i, j;

	for (j = 0; j < LIMIT_CHAINS; j++)
		a[j] = _mm512_set1_ps((float)j);
	for (i = 0; i < LIMIT_TIMES; i++)
#pragma GCC unroll 16
		for (j = 0; j < LIMIT_CHAINS; j++)
			a[j] = _mm512_fmadd_ps(a[j], b, b);
	for (j = 1; j < LIMIT_CHAINS; j++)
		a[0] = _mm512_add_ps(a[0], a[j]);
	_mm512_storeu_ps(sink, a[0]);
}

__attribute__((target("avx2,fma")))
static void
spin_avx2(float *sink)
{
	__m256 a[LIMIT_CHAINS - 4], b = _mm256_set1_ps(0.999f);
	int i, j;

	for (j = 0; j < LIMIT_CHAINS - 4; j++)
		a[j] = _mm256_set1_ps((float)j);
	for (i = 0; i < LIMIT_TIMES; i++)
#pragma GCC unroll 16
		for (j = 0; j < LIMIT_CHAINS - 4; j++)
			a[j] = _mm256_fmadd_ps(a[j], b, b);
	for (j = 1; j < LIMIT_CHAINS - 4; j++)
		a[0] = _mm256_add_ps(a[0], a[j]);
	_mm256_storeu_ps(sink, a[0]);
}

__attribute__((target("avx512f,avx512bf16")))
static void
spin_bf16(float *sink)
{
	__m512 a[LIMIT_CHAINS];
	__m512bh b = (__m512bh)_mm512_set1_epi16(0x3c00);
	int i, j;

	for (j = 0; j < LIMIT_CHAINS; j++)
		a[j] = _mm512_set1_ps((float)j);
	for (i = 0; i < LIMIT_TIMES; i++)
#pragma GCC unroll 16
		for (j = 0; j < LIMIT_CHAINS; j++)
			a[j] = _mm512_dpbf16_ps(a[j], b, b);
	for (j = 1; j < LIMIT_CHAINS; j++)
		a[0] = _mm512_add_ps(a[0], a[j]);
	_mm512_storeu_ps(sink, a[0]);
}

/* Four tiles of sums, as the kernel has. */
__attribute__((target("amx-tile,amx-bf16")))
static void
spin_amx(float *sink)
{
	struct {
		uint8_t		palette, start, reserved[14];
		uint16_t	width[16];
		uint8_t		height[16];
	} c = { .palette = 1 };
	static const uint16_t zeros[16 * 32] = { 0 };
	int i;

	for (i = 0; i < 8; i++) {
		c.width[i] = 64;
		c.height[i] = 16;
	}
	__asm__ volatile("" : : "r"(&c) : "memory");	/* as panel-amx.c */
	_tile_loadconfig(&c);
	_tile_zero(0);
	_tile_zero(1);
	_tile_zero(2);
	_tile_zero(3);
	_tile_loadd(4, zeros, 64);
	_tile_loadd(5, zeros, 64);
	_tile_loadd(6, zeros, 64);
	_tile_loadd(7, zeros, 64);
	for (i = 0; i < LIMIT_TIMES / 4; i++) {
		_tile_dpbf16ps(0, 4, 6);
		_tile_dpbf16ps(1, 4, 7);
		_tile_dpbf16ps(2, 5, 6);
		_tile_dpbf16ps(3, 5, 7);
	}
	(void)sink;
	_tile_release();
}

struct spin {
	void	(*fn)(float *);
	double	 flops;		/* of one call */
	float	*sink;
};

static void
spin_task(void *ctx, size_t task, int thread)
{
	struct spin *s = ctx;

	(void)task;
	s->fn(s->sink + 64 * thread);
}

static double
spin(struct peft_cpu *cpu, struct spin s)
{
	int threads = peft_cpu_threads(cpu), r;
	double best = 1e9, t;

	s.sink = malloc((size_t)threads * 64 * sizeof(float));
	if (s.sink == NULL)
		exit(2);
	for (r = 0; r < LIMIT_REPEAT; r++) {
		t = bench_now();
		peft_cpu_run(cpu, (size_t)threads, spin_task, &s);
		t = bench_now() - t;
		best = t < best ? t : best;
	}
	free(s.sink);
	return s.flops * threads / best * 1e-9;
}

/* Of the path in use, for the compute type in use. */
static double
limit(struct peft_cpu *cpu)
{
	const struct peft_panel_bf16 *h = peft_cpu_panel_bf16(cpu);
	const double vector = (double)LIMIT_TIMES * LIMIT_CHAINS * 2;
	bool bf16 = peft_cpu_computes(cpu) == PEFT_COMPUTE_BF16;

	if (bf16 && h == &peft_panel_bf16_amx)
		return spin(cpu, (struct spin){ spin_amx, (double)LIMIT_TIMES *
		    2 * 16 * 16 * 32, NULL });
	if (bf16 && h == &peft_panel_bf16_avx512)
		return spin(cpu, (struct spin){ spin_bf16, vector * 32,
		    NULL });
	if (peft_cpu_panel_f32(cpu) == &peft_panel_f32_avx512)
		return spin(cpu, (struct spin){ spin_avx512, vector * 16,
		    NULL });
	return spin(cpu, (struct spin){ spin_avx2, (double)LIMIT_TIMES *
	    (LIMIT_CHAINS - 4) * 2 * 8, NULL });
}

#endif
