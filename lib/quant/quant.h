/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_QUANT_QUANT_H
#define PEFT_QUANT_QUANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tensor/maps.h"
#include "tensor/weight.h"

/*
 * From storage types to f32 and back: one table row a type (quant.c), one
 * file a kind of type.  Every fast routine has a _ref twin.
 */

/* dst[0..n) = elements first .. first+n of w in row-major order, as f32.
 * first and n are multiples of the type's block (n may also reach the end of
 * the tensor).  Thread-safe; no allocation. */
void	peft_decode(const struct peft_weight *w, size_t first, size_t n,
	    float *dst);
/* Columns c0 .. c0+nc of row r (both multiples of 64, or the end of the
 * row). */
void	peft_decode_part(const struct peft_weight *w, size_t r, size_t c0,
	    size_t nc, float *dst);
/* Is there a decoder (all dtypes but BOOL and integers)? */
bool	peft_can_decode(enum peft_dtype);
bool	peft_can_encode(enum peft_dtype);

/* dst = n f32 values encoded as `t' (F32, F16, BF16 and ggml's blocks; n a
 * multiple of the block).  Rounding to nearest even; values that overflow
 * F16 (BF16) are refused (-1, PEFT_NUMERIC, with their count), NaN too. */
int	peft_encode(enum peft_dtype t, const float *src, size_t n, void *dst,
	    struct peft_err *) PEFT_MUSTCHECK;

/* One block of bitsandbytes' 8-bit quantisation: q[n] are the codes of x / the
 * largest |x|, which is returned, in an ascending map of 256 values. */
float	peft_encode_code8(const float *map, const float *x, size_t n,
	    uint8_t *q);

/* bitsandbytes' 4-bit blocks (NF4, FP4), byte for byte as its CPU code:
 * n values make (n+1)/2 bytes and ceil(n/blocksize) scales.  The call must
 * start at a block's boundary; `last' says that these are the tensor's last
 * values (a trailing partial block is divided, not multiplied). */
int	peft_encode_4bit(enum peft_dtype t, const float *src, size_t n,
	    size_t blocksize, bool last, uint8_t *dst, float *absmax,
	    struct peft_err *) PEFT_MUSTCHECK;
/* The second quantisation, of n scales in blocks of 256: q[n],
 * nested_absmax[ceil(n/256)], *offset; by peft_dynamic_map(). */
void	peft_encode_nested(const float *absmax, size_t n, uint8_t *q,
	    float *nested_absmax, float *offset);

/* Expands the doubly quantised scales of w: dst[w->scales.nabsmax]. */
void	peft_decode_absmax(const struct peft_weight *w, float *dst);

/* One value each; tested over all 65536 inputs. */
float	 peft_f16_to_f32(uint16_t);
uint16_t peft_f32_to_f16(float);
float	 peft_bf16_to_f32(uint16_t);
uint16_t peft_f32_to_bf16(float);

#endif
