/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PRODUCT_WANTED_H
#define TESTS_PRODUCT_WANTED_H

/*
 * For product-hunt: what products have to give, by OpenBLAS over the decoded
 * values, and by how much they may miss it.
 */

#include "product-case.h"

#define EPS	0x1p-24

/* What a product gave. */
struct outcome {
	float	*x, *y[MOSTNP], *h[MOSTNP], *scaled[MOSTNP];
};

/* Lengths of rows, added in squares. */
static inline void
lengths(const float *x, size_t ld, size_t n, size_t k, double *to)
{
	size_t i, j;

	for (i = 0; i < n; i++)
		for (to[i] = 0, j = 0; j < k; j++)
			to[i] += (double)x[i * ld + j] * (double)x[i * ld + j];
	for (i = 0; i < n; i++)
		to[i] = sqrt(to[i]);
}

static inline void
turn(const float *x, size_t n, size_t k, float *to)
{
	size_t i, j;

	for (i = 0; i < n; i++)
		for (j = 0; j < k; j++)
			to[j * n + i] = x[i * k + j];
}

/* What is wanted, and by how much it may be missed: what is added to is a
 * part of every sum. */
struct wanted {
	float	*is;		/* [T, n] */
	double	*by;		/* the same */
	size_t	 n;
};

static inline struct wanted
want(struct set *s, const float *old, size_t ld, size_t n, size_t terms)
{
	struct wanted w = { pen_floats(&s->pen, s->d, s->T * n),
	    pen_get(&s->pen, s->d, s->T * n * sizeof(double), 8), n };
	size_t t, i;

	for (t = 0; t < s->T; t++)
		for (i = 0; i < n; i++) {
			w.is[t * n + i] = old == NULL ? 0 : old[t * ld + i];
			w.by[t * n + i] = old == NULL ? 0 : 16 * EPS * sqrt(
			    (double)terms) * fabs((double)old[t * ld + i]);
		}
	return w;
}

/*
 * Both sides of a part of 128 are off by steps: a step is at most the length
 * of 64 values, which are turned, / 127, so an error has the deviation step /
 * sqrt(12), that of a part's sum 1 / 440 of the product of the lengths for
 * each side.  Eight times what parts make together.
 */
static inline void
add_steps(struct set *s, struct wanted *w, const float *a, const float *b,
    size_t k)
{
	size_t parts = (k + PEFT_INT8_DEEP - 1) / PEFT_INT8_DEEP, t, i, p;
	double *la = pen_get(&s->pen, s->d, s->T * parts * sizeof(*la), 8);
	double *lb = pen_get(&s->pen, s->d, w->n * parts * sizeof(*lb), 8);

	for (p = 0; p < parts; p++) {
		size_t at = p * PEFT_INT8_DEEP, n = k - at < PEFT_INT8_DEEP ?
		    k - at : PEFT_INT8_DEEP;

		lengths(a + at, k, s->T, n, la + p * s->T);
		lengths(b + at, k, w->n, n, lb + p * w->n);
	}
	for (t = 0; t < s->T; t++)
		for (i = 0; i < w->n; i++) {
			double sum = 0, v;

			for (p = 0; p < parts; p++) {
				v = la[p * s->T + t] * lb[p * w->n + i];
				sum += v * v;
			}
			w->by[t * w->n + i] += 8 * sqrt(2 * sum) / 440;
		}
}

/*
 * w += scale a b^T, a [T, k], b [n, k], both as they are used.  k products
 * and sums are off by some sqrt(k) EPS of the magnitudes, if each of the
 * errors is as likely above as below (Higham and Mary 2019: eight times that
 * nearly never), here and in OpenBLAS; magnitudes are at most the product of
 * the lengths.  What becomes int8 is rounded to bf16 first, if it is a.
 */
static inline void
want_product(struct set *s, struct wanted *w, const float *a, size_t lda,
    const float *b, size_t k, float scale, enum peft_compute by)
{
	struct pen *p = &s->pen;
	float *trimmed = pen_floats(p, s->d, s->T * k);
	double *la = pen_get(p, s->d, s->T * sizeof(*la), 8);
	double *lb = pen_get(p, s->d, w->n * sizeof(*lb), 8);
	double each = 16 * EPS * sqrt((double)k + 16) * fabs((double)scale);
	size_t t, i;

	for (t = 0; t < s->T; t++)
		memcpy(trimmed + t * k, a + t * lda, k * sizeof(*a));
	as_used(s, by == PEFT_COMPUTE_INT8 ? PEFT_COMPUTE_BF16 : by, trimmed,
	    s->T * k);
	peft_gemm(s->h->plain, PEFT_N, PEFT_T, s->T, w->n, k, scale, trimmed,
	    k, b, k, 1, w->is, w->n);
	lengths(trimmed, k, s->T, k, la);
	lengths(b, k, w->n, k, lb);
	for (t = 0; t < s->T; t++)
		for (i = 0; i < w->n; i++)
			w->by[t * w->n + i] += each * la[t] * lb[i];
	if (by == PEFT_COMPUTE_INT8 && !s->few)
		add_steps(s, w, trimmed, b, k);
}

static inline bool
holds(const struct set *s, const char *what, size_t of,
    const struct wanted *w, const float *got, size_t ld, const float *old)
{
	size_t t, i, gap;

	for (t = 0; t < s->T; t++) {
		for (i = 0; i < w->n; i++) {
			double off = (double)got[t * ld + i] -
			    (double)w->is[t * w->n + i];

			if (fabs(off) <= w->by[t * w->n + i])
				continue;
			printf("# %s %zu: token %zu, element %zu: %g, not %g "
			    "within %g\n", what, of, t, i, (double)got[t * ld +
			    i], (double)w->is[t * w->n + i], w->by[t * w->n +
			    i]);
			return false;
		}
		gap = t + 1 < s->T ? ld - w->n : 0;
		if (gap > 0 && memcmp(got + t * ld + w->n, old + t * ld + w->n,
		    gap * sizeof(*got)) != 0) {
			printf("# %s %zu: token %zu: written beyond its row\n",
			    what, of, t);
			return false;
		}
	}
	return true;
}

static inline float *
used_copy(struct set *s, const float *x, size_t n)
{
	float *to = pen_copy(&s->pen, s->d, x, n);

	as_used(s, s->beside, to, n);
	return to;
}

static inline bool
is_int8(const struct set *s)
{
	return s->used == PEFT_COMPUTE_INT8 && !s->few;
}

/*
 * Few tokens, where less than f32 is asked for, may be whole numbers of two
 * bytes, with int8 of one, if a weight is blocks: each of 32 columns is off by
 * half a step, 2^-15 of the largest at most, or a 254th; eight times what that
 * makes together, if errors are even.
 */
static inline void
add_bytes(const struct set *s, struct wanted *w, size_t of)
{
	size_t t, i, j, at, k = s->cols;
	const float *a = s->x, *b = s->values[of];
	double half = s->used == PEFT_COMPUTE_INT8 ? 1. / 254 : 0x1p-15;

	if (s->used == PEFT_COMPUTE_F32 || !s->few ||
	    peft_dtypes[s->w[of].dtype].block < 32)
		return;
	for (t = 0; t < s->T; t++, a += ldx(s))
		for (i = 0; i < w->n; i++) {
			double sum = 0;

			for (at = 0; at < k; at += 32) {
				double most = 0, ww = 0;

				for (j = at; j < at + 32 && j < k; j++) {
					double v = (double)b[i * k + j];

					most = fmax(most, fabs((double)a[j]));
					ww += v * v;
				}
				sum += most * most * ww;
			}
			w->by[t * w->n + i] += 8 * sqrt(sum / 3) * half;
		}
}

static inline bool
forward_right(struct set *s, const struct outcome *o)
{
	bool good = true;
	size_t i, k;

	for (i = 0; good && i < s->np; i++) {
		const struct peft_low *low = &s->low[i];
		struct wanted y = want(s, s->add ? s->y[i] : NULL, ldy(s, i),
		    s->w[i].rows, s->cols + 16), h = want(s, NULL, 0, low->r,
		    0);

		want_product(s, &y, s->x, ldx(s), s->values[i], s->cols, 1,
		    s->used);
		add_bytes(s, &y, i);
		if (low->r > 0) {
			want_product(s, &h, s->x, ldx(s), used_copy(s, low->a,
			    low->r * s->cols), s->cols, 1, s->beside);
			want_product(s, &y, o->scaled[i], low->r, used_copy(s,
			    low->b, low->r * s->w[i].rows), low->r, 1,
			    s->beside);
			good = holds(s, "hidden", i, &h, o->h[i], low->r,
			    NULL);
		}
		for (k = 0; k < s->T * low->r; k++)
			good = good && o->scaled[i][k] == low->scale *
			    o->h[i][k];
		good = good && holds(s, "output", i, &y, o->y[i], ldy(s, i),
		    s->y[i]);
	}
	return good;
}

static inline bool
backward_right(struct set *s, const struct outcome *o)
{
	size_t i, terms = 16;
	struct wanted x;
	bool good = true;
	float *turned;

	for (i = 0; i < s->np; i++)
		terms += s->w[i].rows + s->r[i];
	x = want(s, s->add ? s->x : NULL, ldx(s), s->cols, terms);
	for (i = 0; good && i < s->np; i++) {
		const struct peft_low *low = &s->low[i];
		struct wanted h = want(s, NULL, 0, low->r, 0);
		size_t rows = s->w[i].rows, r = low->r;

		turned = pen_floats(&s->pen, s->d, rows * s->cols);
		turn(s->values[i], rows, s->cols, turned);
		want_product(s, &x, s->y[i], ldy(s, i), turned, rows, 1,
		    s->used);
		if (r == 0)
			continue;
		turn(used_copy(s, low->b, rows * r), rows, r, turned =
		    pen_floats(&s->pen, s->d, rows * r));
		want_product(s, &h, s->y[i], ldy(s, i), turned, rows,
		    low->scale, s->beside);
		turn(used_copy(s, low->a, r * s->cols), r, s->cols, turned =
		    pen_floats(&s->pen, s->d, r * s->cols));
		want_product(s, &x, o->h[i], r, turned, r, 1, s->beside);
		good = holds(s, "hidden", i, &h, o->h[i], r, NULL);
	}
	return good && holds(s, "gradient", 0, &x, o->x, ldx(s), s->x);
}

#endif
