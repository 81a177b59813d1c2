/* SPDX-License-Identifier: Apache-2.0 */
/* int8 products with AVX-VNNI: rows unsigned, by 128 more. */

#include <cpuid.h>
#include <immintrin.h>

#include "math/int8.h"

#define WIDE	8
#define TALL	6
#define LANES	8
#define PER	4
#define OFFSET	128

typedef int ivec __attribute__((vector_size(32)));

static inline __attribute__((always_inline)) ivec
dot(ivec sum, ivec a, ivec b)
{
	return (ivec)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)a,
	    (__m256i)b);
}

static inline __attribute__((always_inline)) __m256
fused(__m256 a, __m256 b, __m256 c)
{
	return _mm256_fmadd_ps(a, b, c);
}

#include "math/int8.inc"

/* Leaf 7 of cpuid, subleaf 1, EAX bit 4: clang 14 has no name for it. */
static bool
here(void)
{
	unsigned a, b, c, d;

	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
	    __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 4 & 1);
}

const struct peft_panel_int8 peft_int8_avxvnni = { "avx-vnni", here,
	sizeof(element), block, rows, cols, quantise };
