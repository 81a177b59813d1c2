/* SPDX-License-Identifier: Apache-2.0 */
/* The decoders for the path "avx2" (flags: Makefile). */

#define DECODERS	peft_decoders_avx2

#include "quant/decode-lanes.inc"
