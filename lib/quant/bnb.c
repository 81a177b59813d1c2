/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bitsandbytes' 4-bit and 8-bit blocks, byte for byte as its CPU code writes
 * them (Dettmers et al. 2023; functional.py, backends/default and cpu).
 */

#include <math.h>

#include "quant/fast.h"
#include "quant/quant.h"

static void
make_map4(enum peft_dtype t, struct peft_map4 *m)
{
	/* the order of FP4's values; +0 (code 0) stands before -0 (8) */
	static const uint8_t fp4[16] = { 11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6,
	    7, 4, 5, 2, 3 };
	const float *map = t == PEFT_NF4 ? peft_nf4_map : peft_fp4_map;
	int i;

	for (i = 0; i < 16; i++)
		m->code[i] = t == PEFT_NF4 ? (uint8_t)i : fp4[i];
	for (i = 0; i < 15; i++)
		m->mid[i] = (map[m->code[i]] + map[m->code[i + 1]]) / 2;
	m->mid[15] = INFINITY;
}

static float
clamp1(float u)
{
	return u < -1 ? -1 : u > 1 ? 1 : u;
}

static int
not_finite(struct peft_err *err)
{
	return peft_setfail(err, PEFT_NUMERIC, "a value is not finite");
}

int
peft_encode_4bit(enum peft_dtype t, const float *src, size_t n,
    size_t blocksize, bool last, uint8_t *dst, float *absmax,
    struct peft_err *err)
{
	const struct peft_fast *fast = peft_fast();
	float a, scale, two[2] = { 0 };
	struct peft_map4 map;
	size_t at, m;

	make_map4(t, &map);
	for (at = 0; at < n; at += m, absmax++) {
		bool whole = n - at >= blocksize;

		m = whole ? blocksize : n - at;
		if (isinf(a = fast->most(src + at, m)))
			return not_finite(err);
		scale = a > 1e-38f ? a : 1e-38f;
		*absmax = whole ? a : scale;
		fast->codes4(&map, src + at, m - m % 2, scale, whole,
		    dst + at / 2);
		if (m % 2 == 0)
			continue;
		two[0] = src[at + m - 1];	/* the upper half of a byte */
		fast->codes4(&map, two, 2, scale, whole, dst + (at + m) / 2);
		if (!last)
			dst[(at + m) / 2] &= 0xf0;
	}
	return 0;
}

int
peft_encode_int8(const float *src, size_t rows, size_t cols, int8_t *dst,
    float *absmax, struct peft_err *err)
{
	const struct peft_fast *fast = peft_fast();
	size_t r;

	for (r = 0; r < rows; r++, src += cols, dst += cols) {
		absmax[r] = fast->most(src, cols);
		if (isinf(absmax[r]))
			return not_finite(err);
		if (absmax[r] >= 65520)
			return peft_setfail(err, PEFT_NUMERIC, "values are too "
			    "large for f16, which int8 is made from");
		absmax[r] = peft_f16_to_f32(peft_f32_to_f16(absmax[r]));
		fast->codes8(src, cols, absmax[r], dst);
	}
	return 0;
}

/*
 * torch's mean of f32 on the CPU, to the last bit: the order of its sum is
 * that of 8 lanes on every x86 (it has no AVX-512 kernel for it), in one
 * thread; torch itself is in one thread below 32768 elements.
 *
 * Elements go in rows of 4 vectors to as many accumulators.  Every 2^step
 * rows these are folded into the next level, and so on upwards, like the
 * digits of a counter.  Vectors that make no row go to the first
 * accumulator; what makes no vector is summed first of all.
 */
enum { LANES = 8, VECTORS = 4, LEVELS = 4 };

struct cascade {
	size_t	width;		/* VECTORS times the lanes */
	float	sum[LEVELS][VECTORS * LANES];
};

static void
fold(struct cascade *c, size_t from, size_t to)
{
	size_t i;

	for (i = 0; i < c->width; i++) {
		c->sum[to][i] += c->sum[from][i];
		c->sum[from][i] = 0;
	}
}

static void
add_rows(struct cascade *c, const float *x, size_t nrows)
{
	size_t step = 4, digit, level, r, i;

	while (step < 15 && nrows > (size_t)1 << (4 * step + 3))
		step++;
	digit = ((size_t)1 << step) - 1;
	for (r = 1; r <= nrows; r++, x += c->width) {
		for (i = 0; i < c->width; i++)
			c->sum[0][i] += x[i];
		for (level = 1; level < LEVELS &&
		    (r >> (level - 1) * step & digit) == 0; level++)
			fold(c, level - 1, level);
	}
	for (level = 1; level < LEVELS; level++)
		fold(c, level, 0);
}

static float
mean(const float *x, size_t n)
{
	size_t lanes = n < LANES ? 1 : LANES, vectors = n / lanes, v, i;
	struct cascade c = { .width = VECTORS * lanes };
	float *first = c.sum[0], sum = 0;

	add_rows(&c, x, vectors / VECTORS);
	for (v = vectors - vectors % VECTORS; v < vectors; v++)
		for (i = 0; i < lanes; i++)
			first[i] += x[v * lanes + i];
	for (v = 1; v < VECTORS; v++)
		for (i = 0; i < lanes; i++)
			first[i] += first[v * lanes + i];
	for (i = vectors * lanes; i < n; i++)
		sum += x[i];
	for (i = 0; i < lanes; i++)
		sum += first[i];
	return sum / (float)n;
}

/* The nearest code by way of a 16-bit index, as the native code does: how
 * many midpoints lie below -1 + 2 index / 65535. */
static uint8_t
code8(const float *map, float u)
{
	unsigned index = (unsigned)((u + 1) * 0.5f * 65535 + 0.5f);
	float v = -1.0f + 2.0f * (float)index / 65535.0f;
	int lo = 0, hi = 255, mid;

	while (lo < hi) {		/* first midpoint not below v */
		mid = (lo + hi) / 2;
		if (0.5f * (map[mid] + map[mid + 1]) < v)
			lo = mid + 1;
		else
			hi = mid;
	}
	return (uint8_t)lo;
}

static float
abs_max(const float *x, size_t n)
{
	float a = 0;
	size_t i;

	for (i = 0; i < n; i++)
		a = fabsf(x[i]) > a ? fabsf(x[i]) : a;
	return a;
}

float
peft_encode_code8(const float *map, const float *x, size_t n, uint8_t *q)
{
	float a = abs_max(x, n);
	size_t i;

	for (i = 0; i < n; i++)
		q[i] = a == 0 ? 0 : code8(map, clamp1(x[i] * (1 / a)));
	return a;
}

enum { NESTED = 256 };

void
peft_encode_nested(const float *absmax, size_t n, uint8_t *q,
    float *nested_absmax, float *offset)
{
	const float *map = peft_dynamic_map();
	size_t b, i, m;

	*offset = mean(absmax, n);
	for (b = 0; b * NESTED < n; b++) {
		float z[NESTED] = { 0 };

		m = n - b * NESTED < NESTED ? n - b * NESTED : NESTED;
		for (i = 0; i < m; i++)
			z[i] = absmax[b * NESTED + i] - *offset;
		nested_absmax[b] = peft_encode_code8(map, z, m,
		    q + b * NESTED);
	}
}
