/* SPDX-License-Identifier: Apache-2.0 */
/* int8 products with AVX512-VNNI: rows unsigned, by 128 more. */

#include <immintrin.h>

#include "math/int8.h"

#define WIDE	16
#define TALL	14
#define LANES	16
#define PER	4
#define OFFSET	128

typedef int ivec __attribute__((vector_size(64)));

static inline __attribute__((always_inline)) ivec
dot(ivec sum, ivec a, ivec b)
{
	return (ivec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
}

static inline __attribute__((always_inline)) __m512
fused(__m512 a, __m512 b, __m512 c)
{
	return _mm512_fmadd_ps(a, b, c);
}

#include "math/int8.inc"

static bool
here(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl") &&
	    __builtin_cpu_supports("avx512vnni");
}

const struct peft_panel_int8 peft_int8_avx512vnni = { "avx512-vnni", here,
	sizeof(element), block, rows, cols, quantise };
