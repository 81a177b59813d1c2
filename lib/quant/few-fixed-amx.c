/* SPDX-License-Identifier: Apache-2.0 */
/* Few tokens by whole numbers for the path "amx" (flags: Makefile). */

#define FIXED	peft_few_fixed_amx

#include "quant/few-fixed.inc"
