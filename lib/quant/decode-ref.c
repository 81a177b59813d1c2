/* SPDX-License-Identifier: Apache-2.0 */
/* The decoders for the path "ref" (flags: Makefile). */

#define DECODERS	peft_decoders_ref

#include "quant/decode.inc"
