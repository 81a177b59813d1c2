/* SPDX-License-Identifier: Apache-2.0 */
/* What computes: path, threads, BLAS. */

#include <cpuid.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "math/cores.h"
#include "math/cpu-impl.h"

const char *const peft_compute_names[] = { "f32", "bf16", "int8", NULL };

enum { NPATH = 5 };

static bool
has_avx512(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl");
}

static bool
has_avx2(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool
is_intel(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_is("intel");
}

/* Leaf 7 of cpuid: AVX512-BF16 (subleaf 1, EAX bit 5); AMX's tiles and bf16
 * (subleaf 0, EDX bits 24 and 22). */
static void
find_bf16(bool *vector, bool *amx)
{
	unsigned a, b, c, d;

	*vector = has_avx512() && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
	    (a >> 5 & 1);
	*amx = *vector && __get_cpuid_count(7, 0, &a, &b, &c, &d) &&
	    (d >> 24 & 1) && (d >> 22 & 1);
}

/* The first of int8's kernels that this processor has, from one of them on
 * (they are listed best first): the plain one is always there. */
static const struct peft_panel_int8 *
int8_from(const struct peft_panel_int8 *k)
{
	size_t i = 0;

	while (peft_int8_kernels[i] != k)
		i++;
	while (!peft_int8_kernels[i]->here())
		i++;
	return peft_int8_kernels[i];
}

/*
 * The paths, best first.  On a Sapphire Rapids core OpenBLAS 0.3.21
 * multiplies f32 at 158 GF/s as SkylakeX, 150 as Cooperlake (what it makes
 * of SapphireRapids), 100 as Haswell.  Intel's vdpbf16ps does half as many
 * products a second as its f32 instructions (Emerald Rapids: 84 GF/s a core,
 * and 174; AMD's twice as many), so there avx512-bf16 is taken only if it is
 * asked for by name.  That a processor knows AMX cannot tell: hypervisors hide
 * it.
 */
static void
find_paths(struct peft_path paths[NPATH])
{
	bool bf16, amx;

	find_bf16(&bf16, &amx);
	paths[0] = (struct peft_path){ "amx", amx && peft_amx_permitted(),
	    false, &peft_vec_avx512, &peft_panel_f32_avx512,
	    &peft_panel_bf16_amx, int8_from(&peft_int8_amx), "SkylakeX" };
	paths[1] = (struct peft_path){ "avx512-bf16", bf16, is_intel(),
	    &peft_vec_avx512, &peft_panel_f32_avx512, &peft_panel_bf16_avx512,
	    int8_from(&peft_int8_avx512vnni), "SkylakeX" };
	paths[2] = (struct peft_path){ "avx512", has_avx512(), false,
	    &peft_vec_avx512, &peft_panel_f32_avx512, NULL,
	    int8_from(&peft_int8_avx512vnni), "SkylakeX" };
	paths[3] = (struct peft_path){ "avx2", has_avx2(), false,
	    &peft_vec_avx2, &peft_panel_f32_avx2, NULL,
	    int8_from(&peft_int8_avxvnni), "Haswell" };
	paths[4] = (struct peft_path){ "ref", true, false, &peft_vec_ref,
	    &peft_panel_f32_ref, &peft_panel_bf16_ref, &peft_int8_ref, NULL };
}

/* Asked for within loops over rows: what the paths with bf16 need, cpuid
 * (which a hypervisor answers) and a system call, does not show in it. */
const struct peft_vec *
peft_vec_best(void)
{
	return has_avx512() ? &peft_vec_avx512 : has_avx2() ? &peft_vec_avx2 :
	    &peft_vec_ref;
}

/* What the products are computed with. */
static void
describe_products(const struct peft_cpu *cpu, char *to, size_t size)
{
	const struct peft_panel_bf16 *bf16 = cpu->path.bf16;
	const char *with = "";

	if (cpu->compute == PEFT_COMPUTE_INT8)
		with = cpu->path.int8->name;
	else if (cpu->compute == PEFT_COMPUTE_BF16 && bf16 != NULL)
		with = bf16->name;
	snprintf(to, size, "products of %s%s%s%s",
	    peft_compute_names[cpu->compute], with[0] != '\0' ? " with " : "",
	    with, cpu->compute == PEFT_COMPUTE_BF16 && bf16 == NULL ?
	    " emulated in f32 (this processor has none faster)" : "");
}

static void
describe(struct peft_cpu *cpu)
{
	char products[96];

	describe_products(cpu, products, sizeof(products));
	snprintf(cpu->describe, sizeof(cpu->describe), "%s kernels, %s, "
	    "%d thread%s, %s", cpu->path.vec->name, products, cpu->threads,
	    cpu->threads == 1 ? "" : "s", cpu->blas.describe);
}

static int
set_path(struct peft_path *path, const char *name, struct peft_err *err)
{
	struct peft_path paths[NPATH];
	int i;

	find_paths(paths);
	for (i = 0; i < NPATH; i++)
		if (paths[i].here && (name == NULL ? !paths[i].by_name :
		    strcmp(paths[i].name, name) == 0)) {
			*path = paths[i];
			return 0;
		}
	return peft_seterr(err, "this processor has no path '%s' (amx, "
	    "avx512-bf16, avx512, avx2, ref)", name);
}

/* The best, or what PEFT_CPU asks for. */
static int
choose_path(struct peft_path *path, struct peft_err *err)
{
	const char *name = getenv("PEFT_CPU");

	if (set_path(path, name != NULL && name[0] != '\0' ? name : NULL,
	    err) == -1)
		return peft_errprefix(err, "PEFT_CPU");
	return 0;
}

int
peft_cpu_blas(struct peft_blas *b, struct peft_err *err)
{
	struct peft_path path;

	if (choose_path(&path, err) == -1)
		return -1;
	return peft_blas_open(b, path.core, err);
}

struct peft_cpu *
peft_cpu_open(int threads, struct peft_err *err)
{
	struct peft_cpu *cpu = peft_calloc(1, sizeof(*cpu), err);

	if (cpu == NULL)
		return NULL;
	cpu->threads = threads > 0 ? threads : peft_cores();
	if (choose_path(&cpu->path, err) == -1 ||
	    peft_blas_open(&cpu->blas, cpu->path.core, err) == -1 ||
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
	return cpu->path.vec;
}

const char *
peft_cpu_describe(const struct peft_cpu *cpu)
{
	return cpu->describe;
}

int
peft_cpu_limit(struct peft_cpu *cpu, const char *path, struct peft_err *err)
{
	if (set_path(&cpu->path, path, err) == -1)
		return -1;
	describe(cpu);
	return 0;
}

void
peft_cpu_compute(struct peft_cpu *cpu, enum peft_compute compute)
{
	cpu->compute = compute;
	describe(cpu);
}

enum peft_compute
peft_cpu_computes(const struct peft_cpu *cpu)
{
	return cpu->compute;
}

enum peft_compute
peft_cpu_computes_dense(const struct peft_cpu *cpu)
{
	if (cpu->compute != PEFT_COMPUTE_INT8)
		return cpu->compute;
	return cpu->path.bf16 != NULL ? PEFT_COMPUTE_BF16 : PEFT_COMPUTE_F32;
}

void
peft_cpu_sum(struct peft_cpu *cpu, enum peft_order_of_sums sums)
{
	cpu->sums = sums;
}

enum peft_order_of_sums
peft_cpu_sums(const struct peft_cpu *cpu)
{
	return cpu->sums;
}

const struct peft_panel_f32 *
peft_cpu_panel_f32(const struct peft_cpu *cpu)
{
	return cpu->path.f32;
}

const struct peft_panel_bf16 *
peft_cpu_panel_bf16(const struct peft_cpu *cpu)
{
	return cpu->path.bf16;
}

const struct peft_panel_int8 *
peft_cpu_panel_int8(const struct peft_cpu *cpu)
{
	return cpu->path.int8;
}

peft_round_fn *
peft_cpu_round(const struct peft_cpu *cpu)
{
	return cpu->path.bf16 != NULL ? cpu->path.bf16->round :
	    cpu->path.f32->round;
}

void
peft_cpu_count(struct peft_cpu *cpu, double operations)
{
	cpu->work += operations;
}

double
peft_cpu_counted(const struct peft_cpu *cpu)
{
	return cpu->work;
}

void
peft_cpu_run(struct peft_cpu *cpu, size_t ntasks,
    void (*fn)(void *ctx, size_t task, int thread), void *ctx)
{
	peft_pool_run(cpu->pool, ntasks, fn, ctx);
}
