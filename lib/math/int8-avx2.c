/* SPDX-License-Identifier: Apache-2.0 */
/* int8 products with AVX2: vpmaddubsw would saturate, so elements have 16
 * bits. */

#include <immintrin.h>

#include "math/int8.h"

#define WIDE	8
#define TALL	6
#define LANES	8
#define PER	2
#define OFFSET	0

typedef int ivec __attribute__((vector_size(32)));

static inline __attribute__((always_inline)) ivec
dot(ivec sum, ivec a, ivec b)
{
	return sum + (ivec)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}

static inline __attribute__((always_inline)) __m256
fused(__m256 a, __m256 b, __m256 c)
{
	return _mm256_fmadd_ps(a, b, c);
}

#include "math/int8.inc"

static bool
here(void)
{
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

const struct peft_panel_int8 peft_int8_avx2 = { "avx2", here,
	sizeof(element), block, rows, cols, quantise };
