/* SPDX-License-Identifier: Apache-2.0 */
/* The most that processor and memory can do. */

#include <immintrin.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/progress.h"
#include "math/panel.h"
#include "math/peak.h"
#include "math/peak-impl.h"

enum {
	TIMES = PEFT_SPIN_TIMES, CHAINS = 16, REPEAT = 12,
	PAUSES = 1 << 16,	/* a millisecond or some, before others have
				 * the core */
	WAYS = 8,		/* the ways of a processor without AVX */
	STRIP = 1 << 20,	/* bytes of a task that reads */
	READ = 96,		/* of them: more than most caches */
	AHEAD = 8192		/* bytes that are asked for before they are
				 * read: guesses end with each page */
};

/* Operations of one call. */
#define SPIN(lanes, chains) ((double)TIMES * (chains) * 2 * (lanes))

PEFT_SPIN(spin_avx512, "avx512f", __m512, CHAINS, _mm512_set1_ps((float)j),
    _mm512_set1_ps(0.999f), a[j] = _mm512_fmadd_ps(a[j], b, b),
    _mm512_add_ps, _mm512_storeu_ps)

PEFT_SPIN(spin_avx2, "avx2,fma", __m256, CHAINS - 4,
    _mm256_set1_ps((float)j), _mm256_set1_ps(0.999f),
    a[j] = _mm256_fmadd_ps(a[j], b, b), _mm256_add_ps, _mm256_storeu_ps)

/* Products and sums apart: what the plain kernels are made of. */
PEFT_SPIN(spin_plain, "sse2", __m128, WAYS, _mm_set1_ps((float)j),
    _mm_set1_ps(0.999f), a[j] = _mm_add_ps(_mm_mul_ps(a[j], b), b),
    _mm_add_ps, _mm_storeu_ps)

PEFT_SPIN(spin_bf16, "avx512f,avx512bf16", __m512, CHAINS,
    _mm512_set1_ps((float)j), (__m512bh)_mm512_set1_epi16(0x3c00),
    a[j] = _mm512_dpbf16_ps(a[j], b, b), _mm512_add_ps, _mm512_storeu_ps)

PEFT_SPIN_TILES(spin_amx, "amx-bf16", _tile_dpbf16ps)

/* Each thread has a task, and none begins before all are awake. */
struct round {
	struct peft_spin	 spin;
	size_t			 threads;
	atomic_size_t		 here;
	double			 begun;
};

static void
spin_task(void *ctx, size_t task, int thread)
{
	struct round *r = ctx;
	float sink[16];
	int looks = 0;

	(void)task;
	(void)thread;
	if (atomic_fetch_add(&r->here, 1) == r->threads - 1)
		r->begun = peft_now();
	while (atomic_load(&r->here) < r->threads)
		if (looks++ < PAUSES)
			__builtin_ia32_pause();
		else
			sched_yield();
	r->spin.fn(sink);
}

static struct peft_spin
spin_of(const struct peft_cpu *cpu)
{
	const struct peft_panel_bf16 *h = peft_cpu_panel_bf16(cpu);
	const struct peft_panel_f32 *f = peft_cpu_panel_f32(cpu);
	bool bf16 = peft_cpu_computes(cpu) == PEFT_COMPUTE_BF16;
	struct peft_spin int8 = peft_spin_int8(peft_cpu_panel_int8(cpu));

	if (peft_cpu_computes(cpu) == PEFT_COMPUTE_INT8 && int8.fn != NULL)
		return int8;
	if (bf16 && h == &peft_panel_bf16_amx)
		return (struct peft_spin){ spin_amx, SPIN(16 * 16 * 32, 1) };
	if (bf16 && h == &peft_panel_bf16_avx512)
		return (struct peft_spin){ spin_bf16, SPIN(32, CHAINS) };
	if (f == &peft_panel_f32_avx512)
		return (struct peft_spin){ spin_avx512, SPIN(16, CHAINS) };
	if (f == &peft_panel_f32_avx2)
		return (struct peft_spin){ spin_avx2, SPIN(8, CHAINS - 4) };
	return (struct peft_spin){ spin_plain, SPIN(4, WAYS) };
}

double
peft_peak_products(struct peft_cpu *cpu)
{
	struct round r = { .spin = spin_of(cpu),
	    .threads = (size_t)peft_cpu_threads(cpu) };
	double best = 1e9, t;
	int i;

	for (i = 0; i < REPEAT; i++) {
		atomic_store(&r.here, 0);
		peft_cpu_run(cpu, r.threads, spin_task, &r);
		t = peft_now() - r.begun;
		best = t < best ? t : best;
	}
	return r.spin.work * (double)r.threads / best;
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
	for (i = 0; i < STRIP / 8; i += WAYS) {
		__builtin_prefetch((const char *)(p + i) + AHEAD);
		for (j = 0; j < WAYS; j++)
			s[j] += p[i + j];
	}
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
