/* SPDX-License-Identifier: Apache-2.0 */
/* The f32 panel kernels for processors with AVX2 (flags: Makefile). */

#define PANEL_TABLE	peft_panel_f32_avx2
#define WIDE		8
#define TALL		6

#include "math/panel.inc"
