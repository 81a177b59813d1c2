/* SPDX-License-Identifier: Apache-2.0 */
/* Few tokens by whole numbers for the path "avx512vnni" (flags: Makefile). */

#define FIXED	peft_few_fixed_avx512vnni

#include "quant/few-fixed.inc"
