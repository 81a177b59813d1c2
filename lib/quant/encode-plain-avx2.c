/* SPDX-License-Identifier: Apache-2.0 */
/* The encoders without a search for the path "avx2" (flags: Makefile). */

#define PLAIN	peft_plain_avx2

#include "quant/encode-plain.inc"
