/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs turned by blocks. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/lowrank.h"
#include "peft/turn.h"

/* State: R of each block, with the adapter's weight in it, I + a (R - I), and
 * its gradient; then room for one block's matrices in double. */
struct turn {
	float	*r, *g;
	double	*room;
	double	 align[];
};

enum { MATRICES = 12 };			/* of the room */

static size_t
block_floats(const struct peft_module *m)
{
	return m->own[PEFT_TURN_SIZE] * m->own[PEFT_TURN_SIZE];
}

static size_t
matrices(const struct peft_module *m)
{
	return MATRICES + m->own[PEFT_TURN_TERMS];
}

size_t
peft_turn_memory(const void *self)
{
	const struct peft_module *m = self;
	size_t n = block_floats(m);

	return sizeof(struct turn) + n * matrices(m) * sizeof(double) +
	    2 * n * m->own[PEFT_TURN_BLOCKS] * sizeof(float);
}

int
peft_turn_prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	struct turn *t = peft_calloc(1, peft_turn_memory(m), err);

	(void)base;
	if ((m->state = t) == NULL)
		return -1;
	t->room = t->align;
	t->r = (float *)(t->room + block_floats(m) * matrices(m));
	t->g = t->r + block_floats(m) * m->own[PEFT_TURN_BLOCKS];
	return 0;
}

/* c = op(a) op(b), b x b, in double: blocks are small. */
static void
times(size_t n, const double *a, bool ta, const double *b, bool tb, double *c)
{
	size_t i, j, k;

	for (i = 0; i < n; i++)
		for (j = 0; j < n; j++) {
			double sum = 0;

			for (k = 0; k < n; k++)
				sum += (ta ? a[k * n + i] : a[i * n + k]) *
				    (tb ? b[j * n + k] : b[k * n + j]);
			c[i * n + j] = sum;
		}
}

/* inv = (I + q)^-1 by Gauss and Jordan; I + q is regular, q being skew, and
 * needs no exchange of rows.  a is overwritten. */
static void
invert(size_t n, double *a, double *inv)
{
	size_t i, j, k;

	memset(inv, 0, n * n * sizeof(*inv));
	for (i = 0; i < n; i++)
		inv[i * n + i] = 1;
	for (i = 0; i < n; i++) {
		double d = 1 / a[i * n + i];

		for (j = 0; j < n; j++) {
			a[i * n + j] *= d;
			inv[i * n + j] *= d;
		}
		for (k = 0; k < n; k++) {
			double f = a[k * n + i];

			for (j = 0; k != i && f != 0 && j < n; j++) {
				a[k * n + j] -= f * a[i * n + j];
				inv[k * n + j] -= f * inv[i * n + j];
			}
		}
	}
}

/* r = (I - q) inv; inv = (I + q)^-1. */
static void
cayley(size_t n, const double *q, double *r, double *inv, double *room)
{
	size_t i;

	memcpy(room, q, n * n * sizeof(*room));
	for (i = 0; i < n; i++)
		room[i * n + i] += 1;
	invert(n, room, inv);
	for (i = 0; i < n * n; i++)
		room[i] = (i % (n + 1) == 0) - q[i];
	times(n, room, false, inv, false, r);
}

/* PEFT's series: I + 2 Q + 2 Q^2 + .. + Q^d; three terms are as four. */
static size_t
degree(size_t terms)
{
	return terms < 3 ? terms - 1 : terms == 3 ? 3 : terms - 1;
}

static double
coefficient(size_t terms, size_t k)
{
	return k == 0 || (k == degree(terms) && terms > 2) ? 1 : 2;
}

/* Horner's steps, kept: p[d] = c_d I, p[k] = p[k + 1] q + c_k I; p[0] is R. */
static void
series(size_t n, size_t terms, const double *q, double *p)
{
	size_t d = degree(terms), k, i;

	memset(p + d * n * n, 0, n * n * sizeof(*p));
	for (k = d + 1; k-- > 0;) {
		if (k < d)
			times(n, p + (k + 1) * n * n, false, q, false,
			    p + k * n * n);
		for (i = 0; i < n; i++)
			p[k * n * n + i * (n + 1)] += coefficient(terms, k);
	}
}

/* From d R (I + Q) + R d Q = -d Q: gq = -(I + R)^T g inv^T. */
static void
cayley_back(size_t n, const double *q, const double *g, double *gq,
    double *room)
{
	double *r = room, *inv = r + n * n, *t = inv + n * n;
	size_t i;

	cayley(n, q, r, inv, t);
	for (i = 0; i < n; i++)
		r[i * n + i] += 1;
	times(n, r, true, g, false, t);
	times(n, t, false, inv, true, gq);
	for (i = 0; i < n * n; i++)
		gq[i] = -gq[i];
}

static void
series_back(size_t n, size_t terms, const double *q, const double *g,
    double *gq, double *room)
{
	double *now = room, *next = now + n * n, *t = next + n * n;
	double *p = t + n * n;
	size_t k, i;

	series(n, terms, q, p);
	memcpy(now, g, n * n * sizeof(*now));
	memset(gq, 0, n * n * sizeof(*gq));
	for (k = 0; k < degree(terms); k++) {
		times(n, p + (k + 1) * n * n, true, now, false, t);
		for (i = 0; i < n * n; i++)
			gq[i] += t[i];
		times(n, now, false, q, true, next);
		memcpy(now, next, n * n * sizeof(*now));
	}
}

void
peft_turn_begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	const struct peft_turn_ops *ops = m->method->ops;
	struct turn *t = m->state;
	size_t b = m->own[PEFT_TURN_SIZE], n = b * b, k, i;
	size_t terms = m->own[PEFT_TURN_TERMS];
	double *q = t->room, *r = q + n;

	(void)cpu;
	(void)product;
	if (!peft_module_stale(m))
		return;
	for (k = 0; k < m->own[PEFT_TURN_BLOCKS]; k++) {
		ops->skew(m, k, q);
		if (terms == 0)
			cayley(b, q, r, r + n, r + 2 * n);
		else
			series(b, terms, q, r);
		for (i = 0; i < n; i++) {
			double unit = i % (b + 1) == 0;

			t->r[k * n + i] = (float)(unit + m->weight *
			    (r[i] - unit));
		}
	}
	memset(t->g, 0, n * m->own[PEFT_TURN_BLOCKS] * sizeof(*t->g));
}

void
peft_turn_end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	const struct peft_turn_ops *ops = m->method->ops;
	const struct turn *t = m->state;
	size_t b = m->own[PEFT_TURN_SIZE], n = b * b, k, i;
	size_t terms = m->own[PEFT_TURN_TERMS];
	double *q = t->room, *g = q + n, *gq = g + n;

	(void)cpu;
	for (k = 0; m->train && k < m->own[PEFT_TURN_BLOCKS]; k++) {
		ops->skew(m, k, q);
		for (i = 0; i < n; i++)
			g[i] = m->weight * (double)t->g[k * n + i];
		if (terms == 0)
			cayley_back(b, q, g, gq, gq + n);
		else
			series_back(b, terms, q, g, gq, gq + n);
		ops->back(m, k, gq);
	}
}

static size_t
block_of(const struct peft_module *m, size_t i)
{
	return m->own[PEFT_TURN_BLOCKS] == 1 ? 0 : i;
}

/* Of blocks that differ, some are left out in a step: those turn nothing. */
static size_t
going(const struct peft_module *m, const struct peft_hook_call *c, size_t n)
{
	return m->own[PEFT_TURN_BLOCKS] == 1 ? 0 : peft_drop_blocks(m, c, n);
}

static void
add_columns(const struct peft_hook_call *c, size_t b, const float *x,
    size_t ldx, float *y, size_t ldy)
{
	size_t t;

	for (t = 0; t < c->T; t++)
		peft_cpu_vec(c->cpu)->add(y + t * ldy, x + t * ldx, b);
}

void
peft_turn_input(void *self, const struct peft_hook_call *c, float *y,
    size_t ldy)
{
	const struct peft_module *m = self;
	const struct turn *t = m->state;
	size_t b = m->own[PEFT_TURN_SIZE], n = m->site->in / b, i, k;
	size_t left = going(m, c, n);

	for (i = 0; i < n; i++)
		if (!peft_drop_block(m, c, i, n, &left))
			peft_gemm(c->cpu, PEFT_N, PEFT_N, c->T, b, b, 1,
			    c->x + i * b, c->ldx, t->r + block_of(m, i) * b *
			    b, b, 0, y + i * b, ldy);
		else
			for (k = 0; k < c->T; k++)
				memcpy(y + k * ldy + i * b, c->x + k *
				    c->ldx + i * b, b * sizeof(*y));
}

void
peft_turn_input_back(void *self, const struct peft_hook_call *c,
    const float *dy, size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	const struct turn *t = m->state;
	size_t b = m->own[PEFT_TURN_SIZE], n = m->site->in / b, i;
	size_t left = going(m, c, n);

	for (i = 0; i < n; i++) {
		size_t at = block_of(m, i) * b * b;

		if (peft_drop_block(m, c, i, n, &left)) {
			if (dx != NULL)
				add_columns(c, b, dy + i * b, lddy,
				    dx + i * b, lddx);
			continue;
		}
		if (m->train)
			peft_gemm(c->cpu, PEFT_T, PEFT_N, b, b, c->T, 1,
			    c->x + i * b, c->ldx, dy + i * b, lddy, 1,
			    t->g + at, b);
		if (dx != NULL)
			peft_gemm(c->cpu, PEFT_N, PEFT_T, c->T, b, b, 1,
			    dy + i * b, lddy, t->r + at, b, 1, dx + i * b,
			    lddx);
	}
}

/* The state was made with the module's weight, which is 1 in a merge. */
int
peft_turn_rows(const struct peft_module *m, size_t n, float weight,
    float *rows, struct peft_err *err)
{
	const struct turn *t = m->state;
	size_t b = m->own[PEFT_TURN_SIZE], in = m->site->in, o, i;
	float *row = peft_calloc(in, sizeof(*row), err);

	if (row == NULL)
		return -1;
	for (o = 0; o < n; o++, rows += in) {
		memcpy(row, rows, in * sizeof(*row));
		for (i = 0; i < in; i++) {
			const float *r = t->r + (block_of(m, i / b) * b +
			    i % b) * b;
			float sum = peft_vec_best()->dot(r, row + i / b * b,
			    b);

			rows[i] += weight * (sum - row[i]);
		}
	}
	free(row);
	return 0;
}
