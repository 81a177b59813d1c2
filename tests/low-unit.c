/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters of low rank beside products (quant/product.h) against sums in
 * double, forward and backward; and the same bytes on every number of
 * threads.
 */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "math/cpu.h"
#include "quant/product.h"
#include "quant/quant.h"
#include "noise.h"
#include "tap.h"

#define EPS	0x1p-24

enum { MOSTNP = 3, MOSTRANK = 64, FEW = 32, GAP = 5 };

/* Ranks of 0: nothing is beside this one. */
static const struct shape {
	size_t	np, rows[MOSTNP], r[MOSTNP], cols, T;
} shapes[] = {
	{ 3, { 70, 65, 130 }, { 4, 0, 16 }, 96, 40 },
	{ 2, { 128, 128 }, { 16, 16 }, 160, 3 },
	{ 2, { 130, 33 }, { 33, 1 }, 672, 34 },
	{ 1, { 97 }, { 64 }, 2080, 33 },	/* deeper than a slab */
	{ 2, { 40, 8 }, { 8, 0 }, 45, 2100 },	/* in two parts */
	{ 1, { 1100 }, { 16 }, 64, 33 },
};

/* A shape with its values. */
struct set {
	const struct shape	*s;
	bool			 bf16;
	struct peft_weight	 w[MOSTNP];
	struct peft_product	 p[MOSTNP];
	struct peft_low		 low[MOSTNP];
	float			*x, *dx;
};

static void
fill(struct set *set, const struct shape *s, bool bf16)
{
	size_t i, n;

	*set = (struct set){ .s = s, .bf16 = bf16 };
	set->x = noise(s->T * s->cols, 1);
	set->dx = noise(s->T * s->cols, 2);
	for (i = 0; i < s->np; i++) {
		n = s->rows[i] * s->cols;
		set->w[i] = (struct peft_weight){ .dtype = PEFT_F32,
		    .ndim = 2, .rows = s->rows[i], .cols = s->cols,
		    .nelem = n, .data = noise(n, 10 + i) };
		set->p[i] = (struct peft_product){ &set->w[i], noise(s->T *
		    (s->rows[i] + GAP), 20 + i), s->rows[i] + GAP };
		set->low[i] = (struct peft_low){ s->r[i],
		    noise(s->r[i] * s->cols, 30 + i),
		    noise(s->r[i] * s->rows[i], 40 + i), 0.75f,
		    noise(s->T * s->r[i], 50 + i),
		    noise(s->T * s->r[i], 60 + i) };
	}
}

static void
release(struct set *set)
{
	size_t i;

	for (i = 0; i < set->s->np; i++) {
		free((void *)(uintptr_t)set->w[i].data);
		free((void *)(uintptr_t)set->low[i].a);
		free((void *)(uintptr_t)set->low[i].b);
		free(set->p[i].y);
		free(set->low[i].h);
		free(set->low[i].scaled);
	}
	free(set->x);
	free(set->dx);
}

/* What a value is multiplied as. */
static double
used(const struct set *set, bool forward, double x)
{
	if (!set->bf16 || (forward && set->s->T <= FEW))
		return x;
	return (double)peft_from_bf16(peft_to_bf16((float)x));
}

/* A sum, and of what magnitude what is summed is. */
struct sum {
	double	is, of;
};

static struct sum
dot(const struct set *set, bool forward, const float *a, size_t lda,
    const float *b, size_t ldb, size_t n)
{
	struct sum s = { 0, 0 };
	size_t i;

	for (i = 0; i < n; i++) {
		double v = used(set, forward, (double)a[i * lda]) *
		    used(set, forward, (double)b[i * ldb]);

		s.is += v;
		s.of += fabs(v);
	}
	return s;
}

/* In whatever order: terms and sums are each off by EPS of the magnitudes. */
static bool
is_near(double got, struct sum want, size_t n)
{
	return fabs(got - want.is) <= EPS * want.of * (2 * (double)n + 4);
}

/* The sum over r of s h times b; h is rounded once more, scaled. */
static struct sum
low_sum(const struct set *set, bool forward, const struct peft_low *low,
    const float *h, float scale, const float *b, size_t ldb)
{
	struct sum s = { 0, 0 };
	size_t k;

	for (k = 0; k < low->r; k++) {
		double v = used(set, forward, (double)(scale * h[k])) *
		    used(set, forward, (double)b[k * ldb]);

		s.is += v;
		s.of += fabs(v);
	}
	return s;
}

static bool
forward_right(const struct set *set)
{
	const struct shape *s = set->s;
	bool good = true;
	size_t i, t, o, k;

	for (i = 0; i < s->np; i++)
		for (t = 0; t < s->T; t++) {
			const struct peft_low *low = &set->low[i];
			const float *x = set->x + t * s->cols;
			const float *h = low->h + t * low->r;

			for (k = 0; k < low->r; k++)
				good = good && is_near((double)h[k], dot(set,
				    true, x, 1, low->a + k * s->cols, 1,
				    s->cols), s->cols);
			for (o = 0; o < s->rows[i]; o++) {
				struct sum y = dot(set, true, x, 1,
				    (const float *)set->w[i].data + o *
				    s->cols, 1, s->cols);
				struct sum z = low_sum(set, true, low, h,
				    low->scale, low->b + o * low->r, 1);

				y.is += z.is;
				y.of += z.of;
				good = good && is_near((double)set->p[i].y[t *
				    set->p[i].ldy + o], y, s->cols + low->r);
			}
		}
	return good;
}

static bool
backward_right(const struct set *set)
{
	const struct shape *s = set->s;
	bool good = true;
	size_t i, t, c, k, n = 0;

	for (i = 0; i < s->np; i++)
		n += s->rows[i] + s->r[i];
	for (t = 0; t < s->T; t++) {
		for (i = 0; i < s->np; i++)
			for (k = 0; k < s->r[i]; k++) {
				const struct peft_low *low = &set->low[i];
				struct sum h = dot(set, false, set->p[i].y +
				    t * set->p[i].ldy, 1, low->b + k, low->r,
				    s->rows[i]);

				h.is *= (double)low->scale;
				h.of *= (double)low->scale;
				good = good && is_near((double)low->h[t *
				    low->r + k], h, s->rows[i]);
			}
		for (c = 0; c < s->cols; c++) {
			struct sum dx = { 0, 0 }, z;

			for (i = 0; i < s->np; i++) {
				const struct peft_low *low = &set->low[i];

				z = dot(set, false, set->p[i].y + t *
				    set->p[i].ldy, 1, (const float *)
				    set->w[i].data + c, s->cols, s->rows[i]);
				dx.is += z.is;
				dx.of += z.of;
				z = low_sum(set, false, low, low->h + t *
				    low->r, 1, low->a + c, s->cols);
				dx.is += z.is;
				dx.of += z.of;
			}
			good = good && is_near((double)set->dx[t * s->cols +
			    c], dx, n);
		}
	}
	return good;
}

/* What one, two and five threads make of the same. */
static bool
same(const struct set *a, const struct set *b)
{
	const struct shape *s = a->s;
	bool good = memcmp(a->dx, b->dx, s->T * s->cols * sizeof(float)) == 0;
	size_t i;

	for (i = 0; i < s->np; i++)
		good = good && memcmp(a->p[i].y, b->p[i].y, s->T *
		    a->p[i].ldy * sizeof(float)) == 0 &&
		    memcmp(a->low[i].h, b->low[i].h, s->T * s->r[i] *
		    sizeof(float)) == 0;
	return good;
}

static void
pass(struct peft_cpu *cpu, struct set *set, bool back)
{
	const struct shape *s = set->s;
	size_t i, rows = 0, low = 0;
	float *scratch;

	for (i = 0; i < s->np; i++) {
		rows += s->rows[i];
		low += s->r[i];
	}
	scratch = must(malloc(peft_product_scratch(cpu, rows, s->cols, low,
	    s->T) * sizeof(float)));
	if (back)
		peft_product_backward_low(cpu, set->dx, s->cols, s->T, set->p,
		    set->low, NULL, s->np, false, scratch);
	else
		peft_product_forward_low(cpu, set->x, s->cols, s->T, set->p,
		    set->low, NULL, s->np, scratch);
	free(scratch);
}

enum { NCPU = 3 };

static void
test(struct peft_cpu *cpu[NCPU], const char *path, enum peft_compute compute)
{
	bool right[2] = { true, true }, alike = true, back;
	struct set set[NCPU];
	size_t i;
	int c;

	for (c = 0; c < NCPU; c++)
		peft_cpu_compute(cpu[c], compute);
	for (i = 0; i < 2 * sizeof(shapes) / sizeof(shapes[0]); i++) {
		back = i % 2 == 1;
		for (c = 0; c < NCPU; c++) {
			fill(&set[c], &shapes[i / 2], compute ==
			    PEFT_COMPUTE_BF16);
			pass(cpu[c], &set[c], back);
			alike = alike && same(&set[0], &set[c]);
		}
		right[back] = right[back] && (back ? backward_right :
		    forward_right)(&set[0]);
		for (c = 0; c < NCPU; c++)
			release(&set[c]);
	}
	ok(right[0], "%s, %s: forward", path, peft_compute_names[compute]);
	ok(right[1], "%s, %s: backward", path, peft_compute_names[compute]);
	ok(alike, "%s, %s: the same bytes on all threads", path,
	    peft_compute_names[compute]);
}

/* All paths that this processor has. */
int
main(void)
{
	static const char *const paths[] = { "ref", "avx2", "avx512",
		"avx512-bf16", "amx" };
	static const int threads[NCPU] = { 1, 2, 5 };
	struct peft_err err = { 0 };
	struct peft_cpu *cpu[NCPU];
	size_t i;
	int c;

	for (c = 0; c < NCPU; c++)
		cpu[c] = must(peft_cpu_open(threads[c], &err));
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		bool has = true;

		for (c = 0; c < NCPU; c++)
			has = peft_cpu_limit(cpu[c], paths[i], &err) == 0 &&
			    has;
		if (!has) {
			printf("# %s\n", err.msg);
			continue;
		}
		test(cpu, paths[i], PEFT_COMPUTE_F32);
		test(cpu, paths[i], PEFT_COMPUTE_BF16);
	}
	for (c = 0; c < NCPU; c++)
		peft_cpu_close(cpu[c]);
	return tap_end();
}
