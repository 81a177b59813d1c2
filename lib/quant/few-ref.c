/* SPDX-License-Identifier: Apache-2.0 */
/* Few tokens' products for the path "ref" (flags: Makefile). */

#define FEWS	peft_few_ref

#include "quant/few.inc"
