/* SPDX-License-Identifier: Apache-2.0 */
/* Few tokens by whole numbers with AVX-VNNI (flags: Makefile). */

#define FEW_FIXED	peft_few_fixed_avxvnni

#include "quant/few-fixed-path.inc"
