/* SPDX-License-Identifier: Apache-2.0 */
/* From any storage type to f32. */

#include "base/half.h"
#include "quant/decode.h"
#include "quant/quant.h"

static const struct peft_decoders *
decoders(void)
{
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw") &&
	    __builtin_cpu_supports("avx512dq") &&
	    __builtin_cpu_supports("avx512vl"))
		return &peft_decoders_avx512;
	if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
		return &peft_decoders_avx2;
	return &peft_decoders_ref;
}

bool
peft_can_decode(enum peft_dtype t)
{
	return t == PEFT_NF4 || t == PEFT_FP4 || t == PEFT_INT8 ||
	    (t >= PEFT_U2G && t <= PEFT_KVB) ||
	    peft_decoders_ref.plain[t] != NULL;
}

void
peft_decode_absmax(const struct peft_weight *w, float *dst)
{
	size_t i;

	for (i = 0; i < w->scales.nabsmax; i++)
		dst[i] = peft_absmax_at(&w->scales, i);
}

/* Blocks follow each other without regard to rows, so a range may begin and
 * end within one. */
static void
decode_4bit(const struct peft_decoders *d, const struct peft_weight *w,
    size_t first, size_t n, float *dst)
{
	const float *map = w->dtype == PEFT_NF4 ? peft_nf4_map : peft_fp4_map;
	size_t bs = w->scales.blocksize, block = peft_block_of(first, bs), m;

	for (; n > 0; n -= m, first += m, dst += m, block++) {
		m = (block + 1) * bs - first;
		m = m < n ? m : n;
		d->codes4(w->data, first, m, map,
		    peft_absmax_at(&w->scales, block), dst);
	}
}

/* In the order of bitsandbytes' int8_vectorwise_dequant, which rounds twice. */
static void
decode_int8(const struct peft_decoders *d, const struct peft_weight *w,
    size_t first, size_t n, float *dst)
{
	size_t m;

	for (; n > 0; n -= m, first += m, dst += m) {
		m = w->cols - first % w->cols;
		m = m < n ? m : n;
		d->codes8((const int8_t *)w->data + first, m,
		    w->scales.absmax[first / w->cols], 7.874015718698502e-3f,
		    dst);
	}
}

static void
decode(const struct peft_decoders *d, const struct peft_weight *w,
    size_t first, size_t n, float *dst)
{
	const struct peft_dtype_info *t = &peft_dtypes[w->dtype];

	if (w->dtype == PEFT_NF4 || w->dtype == PEFT_FP4)
		decode_4bit(d, w, first, n, dst);
	else if (w->dtype == PEFT_INT8)
		decode_int8(d, w, first, n, dst);
	else if (w->dtype == PEFT_KVB)
		peft_decode_kvb(w, first, n, dst);
	else if (w->scales.group > 0)
		peft_decode_grouped(d, w, first, n, dst);
	else
		d->plain[w->dtype]((const uint8_t *)w->data +
		    first / t->block * t->bytes, n, dst);
}

/* A part that cuts through blocks goes through a whole one. */
static void
decode_across(const struct peft_decoders *d, const struct peft_weight *w,
    size_t first, size_t n, float *dst)
{
	size_t block = peft_dtypes[w->dtype].block, at, m, i;
	float whole[PEFT_MAXBLOCK];

	for (; n > 0; n -= m, first += m, dst += m) {
		at = first % block;
		m = block - at < n ? block - at : n;
		decode(d, w, first - at, block, whole);
		for (i = 0; i < m; i++)
			dst[i] = whole[at + i];
	}
}

void
peft_decode(const struct peft_weight *w, size_t first, size_t n, float *dst)
{
	decode(decoders(), w, first, n, dst);
}

void
peft_decode_part_by(const struct peft_decoders *d,
    const struct peft_weight *w, size_t r, size_t c0, size_t nc, float *dst)
{
	size_t block = peft_dtypes[w->dtype].block;

	if (w->scales.blocksize == 0 && (c0 % block != 0 || nc % block != 0))
		decode_across(d, w, r * w->cols + c0, nc, dst);
	else
		decode(d, w, r * w->cols + c0, nc, dst);
}

void
peft_decode_part(const struct peft_weight *w, size_t r, size_t c0, size_t nc,
    float *dst)
{
	peft_decode_part_by(decoders(), w, r, c0, nc, dst);
}
