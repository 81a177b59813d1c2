/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PRODUCT_SET_H
#define TESTS_PRODUCT_SET_H

/*
 * For product-unit: weights in a type with a common input, and what their
 * products are within: sums in double over what peft_decode() says the weights
 * are.
 */

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "math/cpu.h"
#include "quant/product.h"
#include "quant/quant.h"
#include "noise.h"

#define EPS	0x1p-24

enum { MOSTNP = 3, GAP = 5 };

/* One set of weights with a common input. */
struct set {
	size_t			 np, cols, rows[MOSTNP], T, ldx;
	struct peft_weight	 w[MOSTNP];
	float			*values[MOSTNP];	/* decoded */
	void			*panels[MOSTNP];	/* in int8, or NULL */
	float			*x, *dx;
	struct peft_product	 p[MOSTNP];
	enum peft_compute	 compute;
};

/* What a value is multiplied as. */
static inline double
as_used(const struct set *s, float x)
{
	return (double)(s->compute == PEFT_COMPUTE_BF16 ?
	    peft_from_bf16(peft_to_bf16(x)) : x);
}

enum { FEW = 32 };		/* up to which forward is in f32 */

static inline double
as_used_forward(const struct set *s, float x)
{
	return s->T <= FEW ? (double)x : as_used(s, x);
}

enum nested { PLAIN, NESTED };

static inline void
quantise(struct peft_weight *w, const float *x, enum nested nested)
{
	size_t nb = (w->nelem + 63) / 64, groups = (nb + 255) / 256;
	float *absmax = must(malloc(nb * sizeof(*absmax)));
	float *outer = must(malloc(groups * sizeof(*outer)));
	uint8_t *q = must(malloc(nb)), *codes = must(malloc(w->nelem));
	struct peft_err err = { 0 };

	if (peft_encode_4bit(w->dtype, x, w->nelem, 64, true, codes, absmax,
	    &err) == -1)
		exit(1);
	w->data = codes;
	w->scales = (struct peft_scales){ .blocksize = 64, .nabsmax = nb,
	    .nested_blocksize = 256, .nnested = groups };
	if (nested == PLAIN) {
		w->scales.absmax = absmax;
		free(q);
		free(outer);
		return;
	}
	peft_encode_nested(absmax, nb, q, outer, &w->scales.nested_offset);
	w->scales.qabsmax = q;
	w->scales.nested_absmax = outer;
	w->scales.nested_map = peft_dynamic_map();
	free(absmax);
}

static inline void
store(struct peft_weight *w, enum peft_dtype t, size_t rows, size_t cols,
    enum nested nested)
{
	float *x = noise(rows * cols, rows);
	struct peft_err err = { 0 };

	*w = (struct peft_weight){ .dtype = t, .ndim = 2, .rows = rows,
	    .cols = cols, .nelem = rows * cols };
	if (t == PEFT_NF4 || t == PEFT_FP4)
		quantise(w, x, nested);
	else {
		w->data = must(malloc(rows * cols * sizeof(float)));
		if (peft_encode(t, x, rows * cols, (void *)(uintptr_t)w->data,
		    &err) == -1)
			exit(1);
	}
	free(x);
}

static inline void
prepare(struct set *s, enum peft_dtype t, enum nested nested)
{
	size_t i;

	s->ldx = s->cols + GAP;
	s->x = noise(s->T * s->ldx, 100);
	s->dx = noise(s->T * s->ldx, 101);
	for (i = 0; i < s->np; i++) {
		size_t ldy = s->rows[i] + GAP;

		store(&s->w[i], t, s->rows[i], s->cols, nested);
		s->values[i] = must(malloc(s->w[i].nelem * sizeof(float)));
		peft_decode(&s->w[i], 0, s->w[i].nelem, s->values[i]);
		s->p[i] = (struct peft_product){ &s->w[i],
		    noise(s->T * ldy, 200 + i), ldy };
	}
}

static inline void
clear(struct set *s)
{
	size_t i;

	free(s->x);
	free(s->dx);
	for (i = 0; i < s->np; i++) {
		free((void *)(uintptr_t)s->w[i].data);
		free((void *)(uintptr_t)s->w[i].scales.absmax);
		free((void *)(uintptr_t)s->w[i].scales.qabsmax);
		free((void *)(uintptr_t)s->w[i].scales.nested_absmax);
		free(s->values[i]);
		free(s->p[i].y);
	}
}

static inline float *
scratch_for(struct peft_cpu *cpu, const struct set *s)
{
	size_t i, rows = 0;

	for (i = 0; i < s->np; i++)
		rows += s->rows[i];
	return must(malloc(peft_product_scratch(cpu, rows, s->cols,
	    0, SIZE_MAX) * sizeof(float)));
}

/* In whatever order: products and sums are each off by EPS of at most the
 * sum of the magnitudes. */
static inline bool
is_near(float got, double want, double magnitude, size_t terms, double slack)
{
	return fabs((double)got - want) <= EPS * magnitude *
	    (2 * (double)terms + 2) + slack;
}

/* What int8 makes of a sum of n products, with vectors of the lengths whose
 * squares are xx and ww: steps are some 3 times the length / sqrt(n) / 127,
 * the error of a term is even within half of one, so that of the sum has the
 * deviation 3 / 127 / sqrt(12) |x| |w| / sqrt(n) for each side: eight of
 * these. */
static inline double
steps(const struct set *s, double xx, double ww, size_t n)
{
	return s->compute != PEFT_COMPUTE_INT8 ? 0 :
	    0.08 * sqrt(xx * ww / (double)n);
}

static inline bool
forward_right(const struct set *s, size_t i, const float *before)
{
	const struct peft_product *p = &s->p[i];
	size_t t, r, c;

	for (t = 0; t < s->T; t++)
		for (r = 0; r < p->ldy; r++) {
			const float *w = s->values[i] + r * s->cols;
			const float *x = s->x + t * s->ldx;
			float got = p->y[t * p->ldy + r];
			double sum = 0, magnitude = 0, xx = 0, ww = 0;

			if (r >= s->rows[i] && got != before[t * p->ldy + r])
				return false;
			for (c = 0; c < s->cols && r < s->rows[i]; c++) {
				double v = as_used_forward(s, x[c]) *
				    as_used_forward(s, w[c]);

				sum += v;
				magnitude += fabs(v);
				xx += (double)(x[c] * x[c]);
				ww += (double)(w[c] * w[c]);
			}
			if (r < s->rows[i] && !is_near(got, sum, magnitude,
			    s->cols, s->T <= FEW ? 0 : steps(s, xx, ww,
			    s->cols)))
				return false;
		}
	return true;
}

static inline bool
backward_right(const struct set *s, const float *before, bool add)
{
	size_t t, r, c, i, terms = 1;

	for (i = 0; i < s->np; i++)
		terms += s->rows[i];
	for (t = 0; t < s->T; t++)
		for (c = 0; c < s->cols; c++) {
			double sum = add ? (double)before[t * s->ldx + c] : 0;
			double magnitude = fabs(sum), slack = 0;

			for (i = 0; i < s->np; i++) {
				double yy = 0, ww = 0;

				for (r = 0; r < s->rows[i]; r++) {
					double y = as_used(s, s->p[i].y[t *
					    s->p[i].ldy + r]);
					double w = as_used(s,
					    s->values[i][r * s->cols + c]);

					sum += y * w;
					magnitude += fabs(y * w);
					yy += y * y;
					ww += w * w;
				}
				slack += steps(s, yy, ww, s->rows[i]);
			}
			if (!is_near(s->dx[t * s->ldx + c], sum, magnitude,
			    terms, slack))
				return false;
		}
	return true;
}

#endif
