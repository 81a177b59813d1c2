/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_PRODUCT_CASE_H
#define TESTS_PRODUCT_CASE_H

/*
 * For product-hunt: a case of random products, its types, shapes, strides and
 * values, and how all of it is computed.
 */

#include <math.h>

#include "base/half.h"
#include "math/cpu.h"
#include "math/int8.h"
#include "quant/product.h"
#include "stored.h"

enum { MOSTNP = 10, NCPU = 4 };	/* 8 are multiplied together */

enum kind { FORWARD, BACKWARD, FINE, FINE_BACK, DENSE, DENSE_BACK, NKIND };

static const char *const kinds[] = { "forward", "backward", "fine",
	"fine backward", "dense", "dense backward" };

struct hunt {
	struct peft_cpu	*cpu[NCPU];		/* of 1 .. NCPU threads */
	bool		 has[NPATH];
	struct peft_cpu	*plain;			/* for what is wanted */
};

/* A case.  in: the left-hand side [T, in_ld]; for backward in[i] are of one
 * product each. */
struct set {
	struct hunt		*h;
	struct pen		 pen;
	struct dice		*d;
	enum kind		 kind;
	size_t			 path, np, T, cols, gap[MOSTNP + 1], ldw;
	enum peft_compute	 compute, used, beside; /* asked for; of
							 * weights; of adapters
							 * beside them */
	enum peft_order_of_sums	 sums;
	bool			 add, made, few;
	struct peft_weight	 w[MOSTNP];
	float			*values[MOSTNP];	/* as they are used */
	struct peft_low		 low[MOSTNP];
	size_t			 r[MOSTNP];
	float			*x, *y[MOSTNP];		/* [T, ..], filled */
	float			*apart;			/* dense, [.., ldw] */
};

static inline bool
is_back(const struct set *s)
{
	return s->kind % 2 == 1;
}

static inline size_t
ldx(const struct set *s)
{
	return s->cols + s->gap[MOSTNP];
}

static inline size_t
ldy(const struct set *s, size_t i)
{
	return s->w[i].rows + s->gap[i];
}

static inline void
choose_way(struct set *s)
{
	struct dice *d = s->d;

	do
		s->path = roll(d, 0, NPATH - 1);
	while (!s->h->has[s->path]);
	s->compute = (enum peft_compute)roll(d, 0, 2);
	s->kind = one_in(d, 3) ? (enum kind)roll(d, 0, NKIND - 1) :
	    (enum kind)roll(d, FORWARD, BACKWARD);
	s->sums = one_in(d, 2) ? PEFT_BY_NUMBER : (enum peft_order_of_sums)
	    roll(d, PEFT_AS_FEW, PEFT_AS_MANY);
	s->add = is_back(s) || s->kind == DENSE ? one_in(d, 2) : false;
	s->made = one_in(d, 3);
}

static inline size_t
up(size_t n, size_t of)
{
	return (n + of - 1) / of * of;
}

static inline void
choose_weights(struct set *s)
{
	static const size_t sides[] = { 16, 32, 64, 256, 384, 512, 640, 768,
		1024, 1536, 1792, 2048, 2304, 3072, 0 };
	static const size_t tokens[] = { 1, 4, 8, 16, 32, 33, 64, 256, 512,
		1024, 2100, 0 };
	const size_t ntypes = sizeof(stored_types) / sizeof(stored_types[0]);
	enum peft_dtype t = stored_types[roll(s->d, 0, ntypes - 1)], u;
	size_t i, rows, most = one_in(s->d, 16) ? 1u << 30 : 1u << 27, work;

	s->np = s->kind > BACKWARD || one_in(s->d, 2) ? 1 :
	    roll(s->d, 1, MOSTNP);
	if (s->kind >= DENSE)
		t = PEFT_F32;
	s->cols = roll_size(s->d, sides);
	if (t != PEFT_F32 && one_in(s->d, 2))
		s->cols = up(s->cols, 32);
	s->cols = up(s->cols, stored_cols(t));
	for (i = 0, work = 0; i < s->np; i++, work += rows * s->cols) {
		rows = roll_size(s->d, sides);
		u = one_in(s->d, 4) && s->kind < DENSE ?
		    stored_types[roll(s->d, 0, ntypes - 1)] : t;
		if (s->cols % stored_cols(u) != 0)
			u = t;
		rows = up(s->np > 3 ? rows / 4 + 1 : rows, stored_rows(u));
		store_random(&s->pen, s->d, &s->w[i], u, rows, s->cols);
	}
	s->T = roll_size(s->d, tokens);
	most = s->path == 0 ? most / 16 : most;
	if (s->T * work > most)
		s->T = roll(s->d, 1, most / work > 0 ? most / work + 33 : 33);
}

static inline void
choose_low(struct set *s)
{
	size_t i;

	for (i = 0; i < s->np; i++) {
		s->gap[i] = one_in(s->d, 2) ? 0 : roll(s->d, 1, 70);
		s->r[i] = s->kind > BACKWARD || one_in(s->d, 3) ? 0 :
		    one_in(s->d, 2) ? (size_t)1 << roll(s->d, 0, 8) :
		    roll(s->d, 1, PEFT_LOWEST);
	}
	s->gap[MOSTNP] = one_in(s->d, 2) ? 0 : roll(s->d, 1, 70);
	if (one_in(s->d, 2))
		memset(s->r, 0, sizeof(s->r));
}

/* Values as they are multiplied, by a compute type. */
static inline void
as_used(const struct set *s, enum peft_compute by, float *x, size_t n)
{
	size_t i;

	for (i = 0; by == PEFT_COMPUTE_BF16 && !s->few && i < n; i++)
		x[i] = peft_from_bf16(peft_to_bf16(x[i]));
}

/* Rows of many magnitudes, with some values that stand out: what is quantised
 * or made a whole number goes by the largest. */
static inline void
roughen(struct dice *d, float *x, size_t ld, size_t T, size_t n)
{
	size_t t, i;

	for (t = 0; t < T; t++) {
		float by = ldexpf(1, (int)roll(d, 0, 24) - 12);

		for (i = 0; i < n; i++)
			x[t * ld + i] *= by;
		for (i = roll(d, 0, 3); i > 0; i--)
			x[t * ld + roll(d, 0, n - 1)] *= 100;
	}
}

static inline void
fill(struct set *s)
{
	struct pen *p = &s->pen;
	struct dice *d = s->d;
	size_t i;

	s->x = pen_noise(p, d, (s->T - 1) * ldx(s) + s->cols);
	if (one_in(d, 2))
		roughen(d, s->x, ldx(s), s->T, s->cols);
	for (i = 0; i < s->np; i++) {
		struct peft_weight *w = &s->w[i];
		size_t r = s->r[i];

		s->values[i] = pen_floats(p, d, w->nelem);
		stored_values(w, s->values[i]);
		as_used(s, s->used, s->values[i], w->nelem);
		s->y[i] = pen_noise(p, d, (s->T - 1) * ldy(s, i) + w->rows);
		if (one_in(d, 3))
			roughen(d, s->y[i], ldy(s, i), s->T, w->rows);
		s->low[i] = (struct peft_low){ r, pen_noise(p, d, r * s->cols),
		    pen_noise(p, d, r * w->rows), roll_float(d, 0.25f, 4),
		    NULL, NULL };
	}
}

/* A dense matrix whose rows do not touch. */
static inline void
part(struct set *s)
{
	const float *w = s->w[0].data;
	size_t r, rows = s->w[0].rows;

	s->ldw = s->cols + (one_in(s->d, 2) ? 0 : roll(s->d, 1, 70));
	s->apart = pen_floats(&s->pen, s->d, (rows - 1) * s->ldw + s->cols);
	for (r = 0; r < rows; r++)
		memcpy(s->apart + r * s->ldw, w + r * s->cols, s->cols *
		    sizeof(*w));
}

#endif
