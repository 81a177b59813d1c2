/* SPDX-License-Identifier: Apache-2.0 */
/* The simple encoders for the path "ref" (flags: Makefile). */

#define FAST	peft_fast_ref

#include "quant/fast.inc"
