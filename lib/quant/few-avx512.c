/* SPDX-License-Identifier: Apache-2.0 */
/* Few tokens' products for the path "avx512" (flags: Makefile). */

#define FEWS	peft_few_avx512

#include "quant/few.inc"
