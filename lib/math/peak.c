/* SPDX-License-Identifier: Apache-2.0 */
/* The most that processor and memory can do. */

#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/progress.h"
#include "math/panel.h"
#include "math/peak.h"

enum {
	TIMES = 1 << 16, CHAINS = 16, REPEAT = 12,
	WAYS = 8,		/* the ways of a processor without AVX */
	STRIP = 1 << 20,	/* bytes of a task that reads */
	READ = 64		/* of them: more than any cache */
};

/* Operations of one call. */
#define SPIN(lanes, chains) ((double)TIMES * (chains) * 2 * (lanes))

__attribute__((target("avx512f")))
static void
spin_avx512(float *sink)
{
	__m512 a[CHAINS], b = _mm512_set1_ps(0.999f);
	int i, j;

	for (j = 0; j < CHAINS; j++)
		a[j] = _mm512_set1_ps((float)j);
	for (i = 0; i < TIMES; i++)
#pragma GCC unroll 16
		for (j = 0; j < CHAINS; j++)
			a[j] = _mm512_fmadd_ps(a[j], b, b);
	for (j = 1; j < CHAINS; j++)
		a[0] = _mm512_add_ps(a[0], a[j]);
	_mm512_storeu_ps(sink, a[0]);
}

__attribute__((target("avx2,fma")))
static void
spin_avx2(float *sink)
{
	__m256 a[CHAINS - 4], b = _mm256_set1_ps(0.999f);
	int i, j;

	for (j = 0; j < CHAINS - 4; j++)
		a[j] = _mm256_set1_ps((float)j);
	for (i = 0; i < TIMES; i++)
#pragma GCC unroll 16
		for (j = 0; j < CHAINS - 4; j++)
			a[j] = _mm256_fmadd_ps(a[j], b, b);
	for (j = 1; j < CHAINS - 4; j++)
		a[0] = _mm256_add_ps(a[0], a[j]);
	_mm256_storeu_ps(sink, a[0]);
}

/* Products and sums apart: what the plain kernels are made of. */
static void
spin_plain(float *sink)
{
	__m128 a[WAYS], b = _mm_set1_ps(0.999f);
	int i, j;

	for (j = 0; j < WAYS; j++)
		a[j] = _mm_set1_ps((float)j);
	for (i = 0; i < TIMES; i++)
#pragma GCC unroll 8
		for (j = 0; j < WAYS; j++)
			a[j] = _mm_add_ps(_mm_mul_ps(a[j], b), b);
	for (j = 1; j < WAYS; j++)
		a[0] = _mm_add_ps(a[0], a[j]);
	_mm_storeu_ps(sink, a[0]);
}

__attribute__((target("avx512f,avx512bf16")))
static void
spin_bf16(float *sink)
{
	__m512 a[CHAINS];
	__m512bh b = (__m512bh)_mm512_set1_epi16(0x3c00);
	int i, j;

	for (j = 0; j < CHAINS; j++)
		a[j] = _mm512_set1_ps((float)j);
	for (i = 0; i < TIMES; i++)
#pragma GCC unroll 16
		for (j = 0; j < CHAINS; j++)
			a[j] = _mm512_dpbf16_ps(a[j], b, b);
	for (j = 1; j < CHAINS; j++)
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
	for (i = 0; i < TIMES / 4; i++) {
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
	double	 work;			/* operations of one call */
};

static void
spin_task(void *ctx, size_t task, int thread)
{
	const struct spin *s = ctx;
	float sink[16];

	(void)task;
	(void)thread;
	s->fn(sink);
}

static struct spin
spin_of(const struct peft_cpu *cpu)
{
	const struct peft_panel_bf16 *h = peft_cpu_panel_bf16(cpu);
	const struct peft_panel_f32 *f = peft_cpu_panel_f32(cpu);
	bool bf16 = peft_cpu_computes(cpu) == PEFT_COMPUTE_BF16;

	if (bf16 && h == &peft_panel_bf16_amx)
		return (struct spin){ spin_amx, SPIN(16 * 16 * 32, 1) };
	if (bf16 && h == &peft_panel_bf16_avx512)
		return (struct spin){ spin_bf16, SPIN(32, CHAINS) };
	if (f == &peft_panel_f32_avx512)
		return (struct spin){ spin_avx512, SPIN(16, CHAINS) };
	if (f == &peft_panel_f32_avx2)
		return (struct spin){ spin_avx2, SPIN(8, CHAINS - 4) };
	return (struct spin){ spin_plain, SPIN(4, WAYS) };
}

double
peft_peak_products(struct peft_cpu *cpu)
{
	size_t threads = (size_t)peft_cpu_threads(cpu);
	struct spin s = spin_of(cpu);
	double best = 1e9, t;
	int r;

	for (r = 0; r < REPEAT; r++) {
		t = peft_now();
		peft_cpu_run(cpu, threads, spin_task, &s);
		t = peft_now() - t;
		best = t < best ? t : best;
	}
	return s.work * (double)threads / best;
}

struct reading {
	const uint64_t	*src;
	uint64_t	*sums;			/* [READ] */
};

static void
read_task(void *ctx, size_t task, int thread)
{
	const struct reading *r = ctx;
	const uint64_t *p = r->src + task * (STRIP / 8);
	uint64_t s[WAYS] = { 0 };
	size_t i, j;

	(void)thread;
	for (i = 0; i < STRIP / 8; i += WAYS)
		for (j = 0; j < WAYS; j++)
			s[j] += p[i + j];
	for (j = 1; j < WAYS; j++)
		s[0] += s[j];
	r->sums[task] = s[0];
}

double
peft_peak_memory(struct peft_cpu *cpu, struct peft_err *err)
{
	uint64_t sums[READ], *src = peft_calloc(READ, STRIP, err);
	struct reading job = { src, sums };
	double best = 1e9, t;
	int r;

	if (src == NULL)
		return -1;
	memset(src, 1, (size_t)READ * STRIP);	/* pages of its own */
	for (r = 0; r < REPEAT / 3; r++) {
		t = peft_now();
		peft_cpu_run(cpu, READ, read_task, &job);
		t = peft_now() - t;
		best = t < best ? t : best;
	}
	free(src);
	return (double)READ * STRIP / best;
}
