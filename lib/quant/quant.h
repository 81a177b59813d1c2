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
/* The same of nrows rows of cols values (whole blocks), for weights whose
 * input is known: importance[cols] is the mean square of what each column is
 * multiplied with, finite and not negative; NULL: not known.  The bytes are
 * those of ggml's quantisers with that importance matrix.  Types that take
 * no notice of it (peft_can_weigh) are encoded as without. */
bool	peft_can_weigh(enum peft_dtype);
bool	peft_needs_importance(enum peft_dtype);	/* cannot do without */
int	peft_encode_rows(enum peft_dtype t, const float *src, size_t nrows,
	    size_t cols, const float *importance, void *dst,
	    struct peft_err *) PEFT_MUSTCHECK;

/* bitsandbytes' 4-bit blocks (NF4, FP4), byte for byte as its CPU code:
 * n values make (n+1)/2 bytes and ceil(n/blocksize) scales.  The call must
 * start at a block's boundary; `last' says that these are the tensor's last
 * values (a trailing partial block is divided, not multiplied). */
int	peft_encode_4bit(enum peft_dtype t, const float *src, size_t n,
	    size_t blocksize, bool last, uint8_t *dst, float *absmax,
	    struct peft_err *) PEFT_MUSTCHECK;
/* bitsandbytes' LLM.int8, byte for byte: a scale a row, of the values as f16
 * (which they must fit into); a row of zeros has the scale 0. */
int	peft_encode_int8(const float *src, size_t rows, size_t cols,
	    int8_t *dst, float *absmax, struct peft_err *) PEFT_MUSTCHECK;
/* FP8 (E4M3) in blocks of edge x edge with a scale each, the largest
 * magnitude / 448: scales[ceil(rows / edge)][ceil(cols / edge)].  rows begin
 * a block. */
int	peft_encode_fp8(const float *src, size_t rows, size_t cols,
	    size_t edge, uint8_t *dst, float *scales, struct peft_err *)
	    PEFT_MUSTCHECK;
/* Types whose scales are apart from the codes: NF4, FP4, INT8, FP8. */
bool	peft_is_coded(enum peft_dtype);
/* x, w->rows by w->cols, as w->dtype has it, with the blocks (FP8: edges) of
 * w->scales.blocksize: *w becomes a weight that peft_decode() reads, over
 * bytes (4 a value do) and scales (1 a value does).  last: as
 * peft_encode_4bit(). */
int	peft_encode_weight(struct peft_weight *w, const float *x, bool last,
	    uint8_t *bytes, float *scales, struct peft_err *) PEFT_MUSTCHECK;
/* Rows of cols values that must go together to peft_encode_weight(). */
size_t	peft_encode_step(enum peft_dtype, size_t blocksize, size_t cols);
/* The second quantisation, of n scales in blocks of 256: q[n],
 * nested_absmax[ceil(n/256)], *offset; by peft_dynamic_map(). */
void	peft_encode_nested(const float *absmax, size_t n, uint8_t *q,
	    float *nested_absmax, float *offset);

/* Expands the doubly quantised scales of w: dst[w->scales.nabsmax]. */
void	peft_decode_absmax(const struct peft_weight *w, float *dst);

/* One value each; tested over all 65536 inputs. */
float	 peft_f16_to_f32(uint16_t);
uint16_t peft_f32_to_f16(float);

#endif
