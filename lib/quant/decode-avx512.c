/* SPDX-License-Identifier: Apache-2.0 */
/* The decoders for the path "avx512" (flags: Makefile). */

#define DECODERS	peft_decoders_avx512

#include "quant/decode-lanes.inc"
