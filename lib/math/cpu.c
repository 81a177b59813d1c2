/* SPDX-License-Identifier: Apache-2.0 */
/* What computes: path, threads, BLAS. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "math/cpu-impl.h"

/*
 * The paths, best first; each with the OpenBLAS core type that fits.  On a
 * Sapphire Rapids core 0.3.21 multiplies f32 at 158 GF/s as SkylakeX, 150 as
 * Cooperlake (what it makes of SapphireRapids), 100 as Haswell.
 */
struct path {
	const struct peft_vec	*vec;
	bool			 here;
	const char		*core;
};

enum { NPATH = 3 };

static void
find_paths(struct path paths[NPATH])
{
	__builtin_cpu_init();
	paths[0] = (struct path){ &peft_vec_avx512,
	    __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl"), "SkylakeX" };
	paths[1] = (struct path){ &peft_vec_avx2,
	    __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"),
	    "Haswell" };
	paths[2] = (struct path){ &peft_vec_ref, true, NULL };
}

static const struct path *
best(const struct path *p)
{
	while (!p->here)
		p++;
	return p;
}

const struct peft_vec *
peft_vec_best(void)
{
	struct path paths[NPATH];

	find_paths(paths);
	return best(paths)->vec;
}

static void
describe(struct peft_cpu *cpu)
{
	snprintf(cpu->describe, sizeof(cpu->describe), "%s kernels, %d "
	    "thread%s, %s", cpu->vec->name, cpu->threads,
	    cpu->threads == 1 ? "" : "s", cpu->blas.describe);
}

struct peft_cpu *
peft_cpu_open(int threads, struct peft_err *err)
{
	struct peft_cpu *cpu = peft_calloc(1, sizeof(*cpu), err);
	struct path paths[NPATH];

	if (cpu == NULL)
		return NULL;
	find_paths(paths);
	cpu->vec = best(paths)->vec;
	cpu->threads = threads > 0 ? threads : peft_pool_cores();
	if (peft_blas_open(&cpu->blas, best(paths)->core, err) == -1 ||
	    (cpu->pool = peft_pool_open(cpu->threads, err)) == NULL) {
		peft_cpu_close(cpu);
		return NULL;
	}
	describe(cpu);
	return cpu;
}

void
peft_cpu_close(struct peft_cpu *cpu)
{
	if (cpu == NULL)
		return;
	peft_pool_close(cpu->pool);
	peft_blas_close(&cpu->blas);
	free(cpu);
}

int
peft_cpu_threads(const struct peft_cpu *cpu)
{
	return cpu->threads;
}

const struct peft_vec *
peft_cpu_vec(const struct peft_cpu *cpu)
{
	return cpu->vec;
}

const char *
peft_cpu_describe(const struct peft_cpu *cpu)
{
	return cpu->describe;
}

int
peft_cpu_limit(struct peft_cpu *cpu, const char *path, struct peft_err *err)
{
	struct path paths[NPATH];
	int i;

	find_paths(paths);
	for (i = 0; i < NPATH; i++)
		if (strcmp(paths[i].vec->name, path) == 0 && paths[i].here) {
			cpu->vec = paths[i].vec;
			describe(cpu);
			return 0;
		}
	return peft_seterr(err, "this processor has no path '%s' (avx512, "
	    "avx2, ref)", path);
}

void
peft_cpu_run(struct peft_cpu *cpu, size_t ntasks,
    void (*fn)(void *ctx, size_t task, int thread), void *ctx)
{
	peft_pool_run(cpu->pool, ntasks, fn, ctx);
}
