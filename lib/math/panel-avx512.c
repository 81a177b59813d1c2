/* SPDX-License-Identifier: Apache-2.0 */
/* The f32 panel kernels for processors with AVX-512 (flags: Makefile). */

#define PANEL_TABLE	peft_panel_f32_avx512
#define WIDE		16
#define TALL		14

#include "math/panel.inc"
