/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes along with products (quant/product.h): left-hand sides that come
 * rounded, or are written over, and what is made of tiles, are to the bit what
 * comes of whole matrices; each column of each row is made once.
 */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "math/cpu.h"
#include "math/panel.h"
#include "quant/product.h"
#include "noise.h"
#include "tap.h"

enum { MOSTNP = 2, RANK = 4, GAP = 5 };

static const struct shape {
	size_t	np, rows, cols, T;
} shapes[] = {
	{ 2, 70, 96, 40 },
	{ 2, 1000, 64, 300 },		/* several slabs and tiles */
	{ 1, 330, 45, 2100 },		/* in two parts */
	{ 2, 40, 2080, 33 },		/* forward deeper than a slab, */
	{ 2, 2080, 40, 65 },		/* and backward */
	{ 1, 32, 32, 64 },
};

struct set {
	const struct shape	*s;
	struct peft_weight	 w[MOSTNP];
	struct peft_product	 p[MOSTNP];
	struct peft_low		 low[MOSTNP];
	float			*x, *dx;
	bool			 back;
};

/* What tiles are put together to. */
struct whole {
	float		*c[MOSTNP];
	unsigned char	*times;		/* [T, n] */
	size_t		 n;
};

static void
fill(struct set *set, const struct shape *s, bool back)
{
	size_t i, n = s->rows * s->cols;

	*set = (struct set){ .s = s, .back = back };
	set->x = noise(s->T * s->cols, 1);
	set->dx = noise(s->T * s->cols, 2);
	for (i = 0; i < s->np; i++) {
		set->w[i] = (struct peft_weight){ .dtype = PEFT_F32,
		    .ndim = 2, .rows = s->rows, .cols = s->cols, .nelem = n,
		    .data = noise(n, 10 + i) };
		set->p[i] = (struct peft_product){ &set->w[i], noise(s->T *
		    (s->rows + GAP), 20 + i), s->rows + GAP };
		set->low[i] = (struct peft_low){ RANK, noise(RANK * s->cols,
		    30 + i), noise(RANK * s->rows, 40 + i), 0.75f,
		    noise(s->T * RANK, 50 + i), noise(s->T * RANK, 60 + i) };
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

/* int8: what becomes of weights, made ahead; NULL: it is not. */
static void *
panel_of(struct peft_cpu *cpu, const struct peft_weight *w, bool back,
    float *scratch)
{
	size_t n = peft_product_panels_size(cpu, w, back);
	void *to = n == 0 ? NULL : must(aligned_alloc(64, (n + 63) / 64 *
	    64));

	if (to != NULL)
		peft_product_panels(cpu, w, back, to, scratch);
	return to;
}

static void
pass(struct peft_cpu *cpu, struct set *set, const struct peft_along *along,
    bool made)
{
	const struct shape *s = set->s;
	size_t rows = along != NULL && along->over ? 0 : s->np * s->rows;
	float *scratch = must(malloc(peft_product_scratch(cpu, rows, s->cols,
	    s->np * RANK, s->T) * sizeof(float)));
	size_t i;

	for (i = 0; made && i < s->np; i++)
		set->w[i].panels[set->back] = panel_of(cpu, &set->w[i],
		    set->back, scratch);
	if (set->back)
		peft_product_backward_low(cpu, set->dx, s->cols, s->T, set->p,
		    set->low, along, s->np, false, scratch);
	else
		peft_product_forward_low(cpu, set->x, s->cols, s->T, set->p,
		    set->low, along, s->np, scratch);
	for (i = 0; i < s->np; i++)
		free((void *)(uintptr_t)set->w[i].panels[set->back]);
	free(scratch);
}

/* Rows that are not there may hold anything. */
static uint16_t *
rounded(const struct peft_cpu *cpu, const float *x, size_t ldx, size_t T,
    size_t n)
{
	size_t ld = peft_product_halves(cpu, n), t;
	size_t bytes = (T + 31) / 32 * 32 * ld * sizeof(uint16_t);
	uint16_t *to = must(malloc(bytes));

	memset(to, 0xff, bytes);
	for (t = 0; t < T; t++)
		peft_cpu_panel_bf16(cpu)->round(to + t * ld, x + t * ldx, n);
	return to;
}

/* Called by several threads; tiles are no one else's. */
static void
put_together(const void *ctx, const struct peft_made *m)
{
	const struct whole *w = ctx;
	size_t i, k, at;

	for (i = 0; i < m->m; i++) {
		at = (m->t + i) * w->n + m->col;
		for (k = 0; k < m->n; k++)
			w->times[at + k]++;
		for (k = 0; k < MOSTNP && w->c[k] != NULL; k++)
			memcpy(w->c[k] + at, m->c[k] + i * m->ldc, m->n *
			    sizeof(float));
	}
}

/* Are rows [T, n] of y the whole's, each of which was made once? */
static bool
is_whole(const struct whole *w, const float *y, size_t ldy, const float *c,
    size_t T)
{
	size_t t, i;

	for (t = 0; t < T; t++) {
		for (i = 0; i < w->n; i++)
			if (w->times[t * w->n + i] != 1)
				return false;
		if (memcmp(y + t * ldy, c + t * w->n, w->n * sizeof(*y)) != 0)
			return false;
	}
	return true;
}

static bool
test_shape(struct peft_cpu *cpu, const struct shape *s, bool back, bool made)
{
	size_t n = back ? s->cols : s->rows, outputs = back ? 1 : s->np, i;
	struct whole w = { .n = n, .times = must(calloc(s->T, n)) };
	struct peft_along along = { .made = put_together, .ctx = &w };
	struct set want, got;
	bool good = true;

	fill(&want, s, back);
	fill(&got, s, back);
	for (i = 0; i < outputs; i++)
		w.c[i] = must(malloc(s->T * n * sizeof(float)));
	for (i = 0; i < (back ? s->np : 1); i++)
		along.halves[i] = back ? rounded(cpu, got.p[i].y,
		    got.p[i].ldy, s->T, s->rows) : rounded(cpu, got.x,
		    s->cols, s->T, s->cols);
	/* what came rounded is not read from f32 */
	memset(back ? got.p[0].y : got.x, 0xff, s->T * (back ? got.p[0].ldy :
	    s->cols) * sizeof(float));
	pass(cpu, &want, NULL, false);
	pass(cpu, &got, &along, made);
	for (i = 0; i < outputs; i++)
		good = good && is_whole(&w, back ? want.dx : want.p[i].y,
		    back ? s->cols : want.p[i].ldy, w.c[i], s->T);
	for (i = 0; i < s->np; i++) {
		good = good && memcmp(want.low[i].h, got.low[i].h, s->T *
		    RANK * sizeof(float)) == 0;
		free((void *)(uintptr_t)along.halves[i]);
		free(w.c[i]);
	}
	free(w.times);
	release(&want);
	release(&got);
	return good;
}

static void
test(struct peft_cpu *cpu, const char *path, enum peft_compute compute,
    bool made)
{
	const char *what = peft_compute_names[compute];
	bool good[2] = { true, true };
	size_t k;

	peft_cpu_compute(cpu, compute);
	for (k = 0; k < 2 * sizeof(shapes) / sizeof(shapes[0]); k++)
		good[k % 2] = test_shape(cpu, &shapes[k / 2], k % 2 == 1,
		    made) && good[k % 2];
	ok(good[0], "%s, %s%s: forward, as whole matrices", path, what,
	    made ? " made ahead" : "");
	ok(good[1], "%s, %s%s: backward, as whole matrices", path, what,
	    made ? " made ahead" : "");
}

/* Where bf16 is rounded in f32, to let the other sides be written over takes
 * no scratch for them, and has the same results. */
static void
test_over(struct peft_cpu *cpu, const char *path)
{
	const struct peft_along along = { .over = true };
	struct set want, got;
	bool good = true;
	size_t k;

	peft_cpu_compute(cpu, PEFT_COMPUTE_BF16);
	for (k = 0; k < sizeof(shapes) / sizeof(shapes[0]); k++) {
		const struct shape *s = &shapes[k];

		fill(&want, s, true);
		fill(&got, s, true);
		pass(cpu, &want, NULL, false);
		pass(cpu, &got, &along, false);
		good = good && memcmp(want.dx, got.dx, s->T * s->cols *
		    sizeof(float)) == 0 && memcmp(want.p[0].y, got.p[0].y,
		    s->rows * sizeof(float)) != 0;
		release(&want);
		release(&got);
	}
	ok(peft_product_copy(cpu, false) == sizeof(float) &&
	    peft_product_copy(cpu, true) == 0, "%s: over takes none", path);
	ok(good, "%s: what is written over gives the same", path);
}

int
main(void)
{
	static const char *const paths[] = { "ref", "avx512-bf16", "amx" };
	static const char *const emulated[] = { "avx2", "avx512" };
	struct peft_err err = { 0 };
	struct peft_cpu *cpu = must(peft_cpu_open(2, &err));
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (peft_cpu_limit(cpu, paths[i], &err) == -1) {
			printf("# %s\n", err.msg);
			continue;
		}
		peft_cpu_compute(cpu, PEFT_COMPUTE_F32);
		ok(peft_product_halves(cpu, 96) == 0, "%s: f32 takes none",
		    paths[i]);
		test(cpu, paths[i], PEFT_COMPUTE_BF16, false);
		test(cpu, paths[i], PEFT_COMPUTE_INT8, false);
		test(cpu, paths[i], PEFT_COMPUTE_INT8, true);
	}
	for (i = 0; i < sizeof(emulated) / sizeof(emulated[0]); i++)
		if (peft_cpu_limit(cpu, emulated[i], &err) == 0)
			test_over(cpu, emulated[i]);
		else
			printf("# %s\n", err.msg);
	peft_cpu_close(cpu);
	return tap_end();
}
