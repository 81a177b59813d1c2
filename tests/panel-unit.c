/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The panel kernels of every path that this processor has, against the plain
 * ones, over shapes around the edges of tiles.
 */

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/rng.h"
#include "math/cpu.h"
#include "math/panel.h"
#include "tap.h"

#define EPS	0x1p-24

enum { GAP = 3 };

static void *
must(size_t n)
{
	void *p = aligned_alloc(64, (n + 63) / 64 * 64);

	if (p == NULL) {
		puts("Bail out! no memory");
		exit(1);
	}
	return p;
}

static float *
noise(size_t n, size_t seed)
{
	struct peft_rng key = peft_rng_key(seed, "panel-unit");
	float *x = must(n * sizeof(*x));
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = (float)(2 * peft_rng_uniform(key, 0, i) - 1);
	return x;
}

static const struct {
	size_t	m, n, k;
} shapes[] = {
	{ 1, 1, 1 }, { 2, 3, 5 }, { 14, 32, 64 }, { 15, 33, 65 },
	{ 16, 16, 32 }, { 17, 17, 31 }, { 31, 31, 33 }, { 32, 64, 96 },
	{ 33, 65, 100 }, { 48, 48, 640 }, { 71, 80, 577 }, { 64, 5, 2 },
};
enum { NSHAPE = sizeof(shapes) / sizeof(shapes[0]) };

/* What a test multiplies: a [m, lda], w [n, k] with strides, c [m, ldc]. */
struct set {
	size_t	 m, n, k, deep, lda, ldc;
	float	*a, *w, *c;
	bool	 add;
};

static struct set
make(size_t which, bool add)
{
	struct set s = { .m = shapes[which].m, .n = shapes[which].n,
	    .k = shapes[which].k, .add = add };

	s.deep = (s.k + PEFT_KSTEP - 1) / PEFT_KSTEP * PEFT_KSTEP;
	s.lda = s.deep + PEFT_KSTEP;
	s.ldc = s.n + GAP;
	s.a = noise(s.m * s.lda, 1);
	s.w = noise((s.n + 1) * (s.k + GAP), 2);
	s.c = noise(s.m * s.ldc, 3);
	return s;
}

static void
clear(struct set *s)
{
	free(s->a);
	free(s->w);
	free(s->c);
}

/* got against sums in double over the values as they were rounded: products
 * and sums in whatever order, each off by EPS of the sum of magnitudes;
 * nothing beside C is written. */
static bool
right(const struct set *s, const float *got, bool bf16)
{
	size_t i, j, k;

	for (i = 0; i < s->m; i++)
		for (j = 0; j < s->ldc; j++) {
			double sum = s->add ? (double)s->c[i * s->ldc + j] : 0;
			double size = fabs(sum);

			if (j >= s->n) {
				if (got[i * s->ldc + j] != s->c[i * s->ldc +
				    j])
					return false;
				continue;
			}
			for (k = 0; k < s->k; k++) {
				float x = s->a[i * s->lda + k];
				float y = s->w[j * (s->k + GAP) + k];
				double v;

				if (bf16) {
					x = peft_from_bf16(peft_to_bf16(x));
					y = peft_from_bf16(peft_to_bf16(y));
				}
				v = (double)x * (double)y;
				sum += v;
				size += fabs(v);
			}
			if (!(fabs((double)got[i * s->ldc + j] - sum) <=
			    EPS * size * (2 * (double)s->k + 2)))
				return false;
		}
	return true;
}

static float *
result(const struct set *s)
{
	size_t bytes = s->m * s->ldc * sizeof(float);

	return memcpy(must(bytes), s->c, bytes);
}

static struct peft_block
block_of(const struct set *s, const void *a, const void *b, float *c)
{
	return (struct peft_block){ .m = s->m, .n = s->n, .k = s->k, .a = a,
	    .lda = s->lda, .b = b, .ldb = s->deep * PEFT_PANEL, .c = c,
	    .ldc = s->ldc, .add = s->add };
}

static bool
test_f32(const struct peft_panel_f32 *p, size_t which, bool add)
{
	struct set s = make(which, add);
	size_t np = (s.n + PEFT_PANEL - 1) / PEFT_PANEL, j;
	float *panels = must(np * PEFT_PANEL * s.deep * sizeof(float));
	float *got = result(&s);
	struct peft_block b = block_of(&s, s.a, panels, got);
	bool good;

	for (j = 0; j < np; j++)
		p->rows(s.w + j * PEFT_PANEL * (s.k + GAP), s.k + GAP,
		    s.n - j * PEFT_PANEL < PEFT_PANEL ? s.n - j * PEFT_PANEL :
		    PEFT_PANEL, s.k, panels + j * b.ldb);
	p->block(&b);
	good = right(&s, got, false);
	free(panels);
	free(got);
	clear(&s);
	return good;
}

/* From B in bf16 to the same bits as from what it holds. */
static bool
same_outer(const struct peft_panel_f32 *p, struct peft_outer o)
{
	size_t nb = o.k * o.ldb, nc = o.m * o.ldc * sizeof(float), i;
	float *b = must(nb * sizeof(*b)), *c = must(nc), *c16 = must(nc);
	uint16_t *halves = must(nb * sizeof(*halves));
	bool same;

	for (i = 0; i < nb; i++) {
		halves[i] = peft_to_bf16(o.b[i]);
		b[i] = peft_from_bf16(halves[i]);
	}
	memset(c, 0, nc);
	memset(c16, 0, nc);
	o.b = b;
	o.c = c;
	p->outer(&o);
	o.b = NULL;
	o.halves = halves;
	o.c = c16;
	p->outer(&o);
	same = memcmp(c, c16, nc) == 0;
	free(b);
	free(c);
	free(c16);
	free(halves);
	return same;
}

/* C += 0.5 A^T B, from rows that are wider than A and B. */
static bool
test_outer(const struct peft_panel_f32 *p, size_t which)
{
	size_t m = shapes[which].m, n = shapes[which].n, k = shapes[which].k;
	size_t ldc = n + GAP, i, j, t;
	float *a = noise(k * (m + GAP), 7), *b = noise(k * ldc, 8);
	float *c = noise(m * ldc, 9), *was = noise(m * ldc, 9);
	bool good = true;
	struct peft_outer o = { .m = m, .n = n, .k = k, .a = a,
	    .lda = m + GAP, .b = b, .ldb = ldc, .scale = 0.5f, .c = c,
	    .ldc = ldc };

	p->outer(&o);
	for (i = 0; i < m; i++)
		for (j = 0; j < ldc; j++) {
			double sum = (double)was[i * ldc + j];
			double size = fabs(sum), v;

			for (t = 0; j < n && t < k; t++) {
				v = 0.5 * (double)a[t * (m + GAP) + i] *
				    (double)b[t * ldc + j];
				sum += v;
				size += fabs(v);
			}
			good = good && fabs((double)c[i * ldc + j] - sum) <=
			    EPS * size * (2 * (double)k + 4);
		}
	good = good && same_outer(p, o);
	free(a);
	free(b);
	free(c);
	free(was);
	return good;
}

static bool
test_bf16(const struct peft_panel_bf16 *p, size_t which, bool add)
{
	struct set s = make(which, add);
	size_t np = (s.n + PEFT_PANEL - 1) / PEFT_PANEL, i, j;
	size_t rows = (s.m + 31) / 32 * 32;
	uint16_t *panels = must(np * PEFT_PANEL * s.deep * sizeof(*panels));
	uint16_t *a = must(rows * s.lda * sizeof(*a));
	float *got = result(&s);
	struct peft_block b = block_of(&s, a, panels, got);
	bool good;

	/* rows that are not there may hold anything */
	memset(a, 0xff, rows * s.lda * sizeof(*a));
	for (i = 0; i < s.m; i++)
		p->round(a + i * s.lda, s.a + i * s.lda, s.k);
	for (j = 0; j < np; j++)
		p->rows(s.w + j * PEFT_PANEL * (s.k + GAP), s.k + GAP,
		    s.n - j * PEFT_PANEL < PEFT_PANEL ? s.n - j * PEFT_PANEL :
		    PEFT_PANEL, s.k, panels + j * b.ldb);
	b.k = s.deep;
	p->block(&b);
	good = right(&s, got, true);
	free(panels);
	free(a);
	free(got);
	clear(&s);
	return good;
}

/* Packing moves and rounds: the same bits as the plain kernels. */
static bool
same_f32(const struct peft_panel_f32 *p, size_t n, size_t k)
{
	const struct peft_panel_f32 *ref = &peft_panel_f32_ref;
	size_t bytes = k * PEFT_PANEL * sizeof(float);
	size_t size = (k + GAP) * (PEFT_PANEL + GAP) + k, i;
	uint16_t *src16 = must(size * sizeof(*src16));
	float *src = noise(size, 5);
	float *got = must(bytes), *want = must(bytes);
	bool good;

	p->rows(src, k + GAP, n, k, got);
	ref->rows(src, k + GAP, n, k, want);
	good = memcmp(got, want, bytes) == 0;
	p->cols(src, n + GAP, k, n, got);
	ref->cols(src, n + GAP, k, n, want);
	good = good && memcmp(got, want, bytes) == 0;
	for (i = 0; i < size; i++)
		src16[i] = (uint16_t)(i * 40503);
	p->rows16(src16, k + GAP, n, k, got);
	ref->rows16(src16, k + GAP, n, k, want);
	good = good && memcmp(got, want, bytes) == 0;
	p->cols16(src16, n + GAP, k, n, got);
	ref->cols16(src16, n + GAP, k, n, want);
	good = good && memcmp(got, want, bytes) == 0;
	p->trim(got, src, k);
	ref->trim(want, src, k);
	good = good && memcmp(got, want, k * sizeof(float)) == 0;
	src[0] = -NAN;
	src[k - 1] = 3.4e38f;		/* rounds to Inf */
	p->round((uint16_t *)(void *)got, src, k);
	ref->round((uint16_t *)(void *)want, src, k);
	good = good && memcmp(got, want, (k + PEFT_KSTEP - 1) / PEFT_KSTEP *
	    PEFT_KSTEP * sizeof(uint16_t)) == 0;
	free(src);
	free(src16);
	free(got);
	free(want);
	return good;
}

static bool
same_bf16(const struct peft_panel_bf16 *p, size_t n, size_t k)
{
	const struct peft_panel_bf16 *ref = &peft_panel_bf16_ref;
	size_t deep = (k + PEFT_KSTEP - 1) / PEFT_KSTEP * PEFT_KSTEP, i;
	size_t bytes = deep * PEFT_PANEL * sizeof(uint16_t);
	size_t size = (k + GAP) * (PEFT_PANEL + GAP) + k;
	float *src = noise(size, 6);
	uint16_t *src16 = must(size * sizeof(*src16));
	uint16_t *got = must(bytes), *want = must(bytes);
	bool good;

	for (i = 0; i < size; i++)
		src16[i] = (uint16_t)(i * 40503);
	src[0] = INFINITY;
	src[1] = 3.4e38f;		/* rounds to it */
	p->rows(src, k + GAP, n, k, got);
	ref->rows(src, k + GAP, n, k, want);
	good = memcmp(got, want, bytes) == 0;
	p->cols(src, n + GAP, k, n, got);
	ref->cols(src, n + GAP, k, n, want);
	good = good && memcmp(got, want, bytes) == 0;
	p->rows16(src16, k + GAP, n, k, got);
	ref->rows16(src16, k + GAP, n, k, want);
	good = good && memcmp(got, want, bytes) == 0;
	p->cols16(src16, n + GAP, k, n, got);
	ref->cols16(src16, n + GAP, k, n, want);
	good = good && memcmp(got, want, bytes) == 0;
	p->round(got, src, k);
	ref->round(want, src, k);
	good = good && memcmp(got, want, deep * sizeof(*got)) == 0;
	src[0] = NAN;
	p->round(got, src, 1);
	good = good && isnan(peft_from_bf16(got[0]));
	free(src);
	free(src16);
	free(got);
	free(want);
	return good;
}

static void
test_path(struct peft_cpu *cpu, const char *path)
{
	const struct peft_panel_f32 *f = peft_cpu_panel_f32(cpu);
	const struct peft_panel_bf16 *h = peft_cpu_panel_bf16(cpu);
	bool good[5] = { true, true, true, true, true };
	size_t i;

	for (i = 0; i < 2 * NSHAPE; i++) {
		size_t n = shapes[i / 2].n, k = shapes[i / 2].k;

		n = n < PEFT_PANEL ? n : PEFT_PANEL;
		good[0] = test_f32(f, i / 2, i % 2 == 1) && good[0];
		good[1] = same_f32(f, n, k) && good[1];
		good[4] = test_outer(f, i / 2) && good[4];
		if (h == NULL)
			continue;
		good[2] = test_bf16(h, i / 2, i % 2 == 1) && good[2];
		good[3] = same_bf16(h, n, k) && good[3];
	}
	ok(good[0], "%s: f32 products", path);
	ok(good[1], "%s: f32 panels are the plain ones", path);
	ok(good[4], "%s: thin gradients", path);
	if (h == NULL)
		return;
	ok(good[2], "%s: bf16 products", path);
	ok(good[3], "%s: bf16 panels are the plain ones", path);
}

int
main(void)
{
	static const char *const paths[] = { "ref", "avx2", "avx512",
		"avx512-bf16", "amx" };
	struct peft_err err = { 0 };
	struct peft_cpu *cpu = peft_cpu_open(1, &err);
	size_t i;

	if (cpu == NULL) {
		printf("Bail out! %s\n", err.msg);
		return 1;
	}
	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (peft_cpu_limit(cpu, paths[i], &err) == 0)
			test_path(cpu, paths[i]);
		else
			printf("# %s\n", err.msg);
	peft_cpu_close(cpu);
	return tap_end();
}
