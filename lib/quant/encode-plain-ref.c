/* SPDX-License-Identifier: Apache-2.0 */
/* The encoders without a search for the path "ref" (flags: Makefile). */

#define PLAIN	peft_plain_ref

#include "quant/encode-plain.inc"
