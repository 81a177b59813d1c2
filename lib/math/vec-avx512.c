/* SPDX-License-Identifier: Apache-2.0 */
/* The vector kernels for processors with AVX-512 (flags: Makefile). */

#define VEC_TABLE	peft_vec_avx512
#define VEC_NAME	"avx512"
#define LANES		64

#include "math/vec.inc"
