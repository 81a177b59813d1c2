/* SPDX-License-Identifier: Apache-2.0 */
/* The simple encoders for the path "avx2" (flags: Makefile). */

#define FAST	peft_fast_avx2

#include "quant/fast.inc"
