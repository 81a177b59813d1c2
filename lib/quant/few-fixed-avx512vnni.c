/* SPDX-License-Identifier: Apache-2.0 */
/* Few tokens by whole numbers with AVX-512 VNNI (flags: Makefile). */

#define FEW_FIXED	peft_few_fixed_avx512vnni

#include "quant/few-fixed-path.inc"
