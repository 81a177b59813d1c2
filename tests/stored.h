/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_STORED_H
#define TESTS_STORED_H

/* Random weights of any stored type: all codes that there are, and scales
 * that are finite and of about one size. */

#include "base/half.h"
#include "quant/decode.h"
#include "quant/quant.h"
#include "hunt.h"

/* Where a block has its scales: halves, or what else it has. */
enum scale_kind { HALF = 1, HALVES, SINGLE, EXPONENT, QUARTERS };

static const struct block_scale {
	size_t		at;
	enum scale_kind	kind;
} block_scales[PEFT_NDTYPE] = {
	[PEFT_Q4_0] = { 0, HALF }, [PEFT_Q4_1] = { 0, HALVES },
	[PEFT_Q5_0] = { 0, HALF }, [PEFT_Q5_1] = { 0, HALVES },
	[PEFT_Q8_0] = { 0, HALF }, [PEFT_Q2_K] = { 80, HALVES },
	[PEFT_Q3_K] = { 108, HALF }, [PEFT_Q4_K] = { 0, HALVES },
	[PEFT_Q5_K] = { 0, HALVES }, [PEFT_Q6_K] = { 208, HALF },
	[PEFT_Q8_K] = { 0, SINGLE }, [PEFT_IQ4_NL] = { 0, HALF },
	[PEFT_IQ4_XS] = { 0, HALF }, [PEFT_MXFP4] = { 0, EXPONENT },
	[PEFT_TQ1_0] = { 52, HALF }, [PEFT_TQ2_0] = { 64, HALF },
	[PEFT_IQ1_S] = { 0, HALF }, [PEFT_IQ1_M] = { 48, QUARTERS },
	[PEFT_IQ2_XXS] = { 0, HALF }, [PEFT_IQ2_XS] = { 0, HALF },
	[PEFT_IQ2_S] = { 0, HALF }, [PEFT_IQ3_XXS] = { 0, HALF },
	[PEFT_IQ3_S] = { 0, HALF },
};

/* Types that have no scale, one for each element or group aside, or one in
 * each block. */
static const enum peft_dtype stored_types[] = {
	PEFT_F32, PEFT_F16, PEFT_BF16, PEFT_F64, PEFT_F8_E4M3, PEFT_F8_E5M2,
	PEFT_NF4, PEFT_FP4, PEFT_NF4, PEFT_FP4, PEFT_INT8,
	PEFT_U2G, PEFT_U3G, PEFT_U4G, PEFT_U8G, PEFT_I8G, PEFT_F8G_E4M3,
	PEFT_F8G_E5M2, PEFT_MXFP4G, PEFT_KVB,
	PEFT_Q4_0, PEFT_Q4_1, PEFT_Q5_0, PEFT_Q5_1, PEFT_Q8_0, PEFT_Q2_K,
	PEFT_Q3_K, PEFT_Q4_K, PEFT_Q5_K, PEFT_Q6_K, PEFT_Q8_K, PEFT_IQ4_NL,
	PEFT_IQ4_XS, PEFT_MXFP4, PEFT_TQ1_0, PEFT_TQ2_0, PEFT_IQ1_S,
	PEFT_IQ1_M, PEFT_IQ2_XXS, PEFT_IQ2_XS, PEFT_IQ2_S, PEFT_IQ3_XXS,
	PEFT_IQ3_S,
};

/* What columns, and rows, of a type are multiples of. */
static inline size_t
stored_cols(enum peft_dtype t)
{
	return t == PEFT_KVB ? 256 : peft_dtypes[t].block > 2 ?
	    peft_dtypes[t].block : 1;
}

static inline size_t
stored_rows(enum peft_dtype t)
{
	return t == PEFT_MXFP4G ? 32 : t == PEFT_KVB ? 96 : 1;
}

static inline void *
random_bytes(struct pen *pen, struct dice *d, size_t n, size_t align)
{
	uint8_t *p = pen_get(pen, d, n, align);
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = (uint8_t)(roll64(d) >> 33);
	return p;
}

/* Magnitudes from 1/1024 to 1/128, either sign. */
static inline void
put_scale(struct dice *d, uint8_t *p, enum scale_kind kind)
{
	float v = roll_float(d, 0x1p-10f, 0x1p-7f) * (one_in(d, 2) ? 1 : -1);
	uint16_t h = peft_f32_to_f16(v);
	int i;

	switch (kind) {
	case HALF:
		memcpy(p, &h, sizeof(h));
		break;
	case HALVES:
		memcpy(p, &h, sizeof(h));
		put_scale(d, p + 2, HALF);
		break;
	case SINGLE:
		memcpy(p, &v, sizeof(v));
		break;
	case EXPONENT:
		*p = (uint8_t)roll(d, 120, 124);
		break;
	case QUARTERS:		/* the upper four bits of four words */
		for (i = 0; i < 4; i++)
			p[2 * i + 1] = (uint8_t)((p[2 * i + 1] & 15) |
			    (h >> (4 * i) & 15) << 4);
		break;
	}
}

static inline uint8_t *
random_blocks(struct pen *pen, struct dice *d, enum peft_dtype t, size_t n)
{
	const struct peft_dtype_info *info = &peft_dtypes[t];
	size_t blocks = n / info->block, i;
	uint8_t *p = random_bytes(pen, d, blocks * info->bytes, 1);

	for (i = 0; i < blocks; i++)
		put_scale(d, p + i * info->bytes + block_scales[t].at,
		    block_scales[t].kind);
	return p;
}

/* Floats of some kind; fp8 codes but those that are no numbers. */
static inline void *
random_floats(struct pen *pen, struct dice *d, enum peft_dtype t, size_t n)
{
	const size_t size = peft_dtypes[t].bytes;
	uint8_t *p = pen_get(pen, d, n * size, size);
	size_t i;

	for (i = 0; i < n; i++) {
		float v = roll_float(d, -1, 1) * (one_in(d, 8) ? 0.01f : 1);
		uint16_t h = t == PEFT_F16 ? peft_f32_to_f16(v) :
		    peft_to_bf16(v);
		double wide = (double)v;
		uint8_t code = (uint8_t)(roll64(d) >> 33);

		if (size == 1 && (code & 0x7f) >= (t == PEFT_F8_E4M3 ||
		    t == PEFT_F8G_E4M3 ? 0x60 : 0x48))
			code &= 0x9f;		/* of modest size */
		memcpy(p + i * size, size == 1 ? (const void *)&code :
		    size == 2 ? (const void *)&h : size == 4 ?
		    (const void *)&v : &wide, size);
	}
	return p;
}

static inline float *
random_scales(struct pen *pen, struct dice *d, size_t n)
{
	float *s = pen_floats(pen, d, n);
	size_t i;

	for (i = 0; i < n; i++)
		s[i] = roll_float(d, 0.25f, 1);
	return s;
}

static inline void
store_4bit(struct pen *pen, struct dice *d, struct peft_weight *w)
{
	size_t bs = (size_t)32 << roll(d, 0, 7), nb;
	struct peft_scales *sc = &w->scales;

	nb = (w->nelem + bs - 1) / bs;
	w->data = random_bytes(pen, d, (w->nelem + 1) / 2, 1);
	*sc = (struct peft_scales){ .blocksize = bs, .nabsmax = nb };
	if (one_in(d, 2)) {
		sc->absmax = random_scales(pen, d, nb);
		return;
	}
	sc->nested_blocksize = 256;
	sc->nnested = (nb + 255) / 256;
	sc->qabsmax = random_bytes(pen, d, nb, 1);
	sc->nested_absmax = random_scales(pen, d, sc->nnested);
	sc->nested_map = peft_dynamic_map();
	sc->nested_offset = 0.5f;
}

/* How many bits, in rows of whole words. */
static inline void
store_groups(struct pen *pen, struct dice *d, struct peft_weight *w)
{
	static const unsigned bits[] = { 2, 3, 4, 8, 8, 8, 8 };
	struct peft_scales *sc = &w->scales;
	uint32_t *order;
	int16_t *zero;
	size_t n, i;

	sc->bits = bits[w->dtype - PEFT_U2G];
	sc->group = one_in(d, 3) ? w->cols : roll(d, 1, 4) * 32;
	sc->group_rows = one_in(d, 2) ? 1 : roll(d, 1, 128);
	sc->ngroups = (w->cols + sc->group - 1) / sc->group;
	sc->stride = (w->cols * sc->bits + 7) / 8;
	n = (w->rows + sc->group_rows - 1) / sc->group_rows * sc->ngroups;
	sc->absmax = random_scales(pen, d, n);
	sc->zero0 = (int16_t)(sc->bits == 8 ? 0 : roll(d, 0, 7));
	if (one_in(d, 2) && sc->bits < 8) {
		zero = pen_get(pen, d, n * sizeof(*zero), sizeof(*zero));
		for (i = 0; i < n; i++)
			zero[i] = (int16_t)roll(d, 0, 15);
		sc->zero = zero;
	}
	if (one_in(d, 2)) {
		order = pen_get(pen, d, w->cols * sizeof(*order),
		    sizeof(*order));
		for (i = 0; i < w->cols; i++)
			order[i] = (uint32_t)roll(d, 0, sc->ngroups - 1);
		sc->order = order;
	}
	w->data = w->dtype >= PEFT_F8G_E4M3 ? random_floats(pen, d, w->dtype,
	    w->nelem) : random_bytes(pen, d, w->rows * sc->stride, 1);
}

static inline void
store_experts(struct pen *pen, struct dice *d, struct peft_weight *w)
{
	struct peft_scales *sc = &w->scales;
	size_t n = w->nelem / 32, i;
	uint8_t *e = pen_get(pen, d, n, 1);

	for (i = 0; i < n; i++)
		e[i] = (uint8_t)roll(d, 122, 126);
	w->ndim = 3;
	w->shape[0] = w->rows % 64 == 0 && one_in(d, 2) ? 2 : 1;
	w->shape[1] = w->rows / w->shape[0];
	w->shape[2] = w->cols;
	*sc = (struct peft_scales){ .group = 32, .group_rows = 1, .bits = 4,
	    .ngroups = w->shape[1] / 32, .exponents = e, .nabsmax = n };
	w->data = random_bytes(pen, d, n * 16, 1);
}

static inline void
store_kvb(struct pen *pen, struct dice *d, struct peft_weight *w)
{
	struct peft_kvb *b = &w->scales.kvb;
	size_t heads = w->rows / 96, keys = heads * 32 * w->cols;
	size_t first = keys / 32 * peft_dtypes[PEFT_Q8_0].bytes;
	size_t values = (w->nelem - keys) / 256 * peft_dtypes[PEFT_Q4_K].bytes;
	uint8_t *p = pen_get(pen, d, first + values, 1);

	*b = (struct peft_kvb){ heads, 32, first, { PEFT_Q8_0, PEFT_Q4_K } };
	memcpy(p, random_blocks(pen, d, PEFT_Q8_0, keys), first);
	memcpy(p + first, random_blocks(pen, d, PEFT_Q4_K, w->nelem - keys),
	    values);
	w->data = p;
}

/* rows, cols: multiples as above. */
static inline void
store_random(struct pen *pen, struct dice *d, struct peft_weight *w,
    enum peft_dtype t, size_t rows, size_t cols)
{
	*w = (struct peft_weight){ .dtype = t, .ndim = 2, .rows = rows,
	    .cols = cols, .shape = { rows, cols }, .nelem = rows * cols };
	if (t == PEFT_NF4 || t == PEFT_FP4)
		store_4bit(pen, d, w);
	else if (t == PEFT_MXFP4G)
		store_experts(pen, d, w);
	else if (t == PEFT_KVB)
		store_kvb(pen, d, w);
	else if (t >= PEFT_U2G && t < PEFT_MXFP4G)
		store_groups(pen, d, w);
	else if (t == PEFT_INT8) {
		w->data = random_bytes(pen, d, w->nelem, 1);
		w->scales.absmax = random_scales(pen, d, rows);
		w->scales.nabsmax = rows;
	} else if (block_scales[t].kind != 0)
		w->data = random_blocks(pen, d, t, w->nelem);
	else
		w->data = random_floats(pen, d, t, w->nelem);
}

/* Its values, by the plain decoders. */
static inline void
stored_values(const struct peft_weight *w, float *to)
{
	size_t r;

	for (r = 0; r < w->rows; r++)
		peft_decode_part_by(&peft_decoders_ref, w, r, 0, w->cols,
		    to + r * w->cols);
}

#endif
