/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MATH_PANEL_BF16_IMPL_H
#define PEFT_MATH_PANEL_BF16_IMPL_H

#include "math/panel.h"

/* Packing with AVX512-BF16, which processors with AMX have too. */
void	peft_bf16_rows(const float *src, size_t ld, size_t n, size_t k,
	    uint16_t *panel);
void	peft_bf16_cols(const float *src, size_t ld, size_t k, size_t n,
	    uint16_t *panel);
void	peft_bf16_rows16(const uint16_t *src, size_t ld, size_t n, size_t k,
	    uint16_t *panel);
void	peft_bf16_cols16(const uint16_t *src, size_t ld, size_t k, size_t n,
	    uint16_t *panel);
void	peft_bf16_round(uint16_t *dst, const float *src, size_t n);

#endif
