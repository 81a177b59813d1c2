/* SPDX-License-Identifier: Apache-2.0 */
/* The simple encoders for the path "avx512" (flags: Makefile). */

#define FAST	peft_fast_avx512

#include "quant/fast.inc"
