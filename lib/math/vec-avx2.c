/* SPDX-License-Identifier: Apache-2.0 */
/* The vector kernels for processors with AVX2 and FMA (flags: Makefile). */

#define VEC_TABLE	peft_vec_avx2
#define VEC_NAME	"avx2"
#define LANES		32

#include "math/vec.inc"
