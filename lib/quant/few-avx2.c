/* SPDX-License-Identifier: Apache-2.0 */
/* Few tokens' products for the path "avx2" (flags: Makefile). */

#define FEWS	peft_few_avx2

#include "quant/few.inc"
