/* SPDX-License-Identifier: Apache-2.0 */
/* Products with frozen weights: which way. */

#include <stdint.h>

#include "quant/few.h"
#include "quant/product-impl.h"

bool
peft_product_is_few(const struct peft_cpu *cpu, size_t T)
{
	enum peft_order_of_sums sums = peft_cpu_sums(cpu);

	return sums == PEFT_AS_FEW || (sums == PEFT_BY_NUMBER &&
	    T <= PEFT_FEW_TOKENS);
}

static void
go_along(struct peft_products *j, const struct peft_along *along)
{
	size_t i;

	if (along == NULL)
		return;
	for (i = 0; i < PEFT_ALONG; i++)
		j->halves[i] = along->halves[i];
	j->over = along->over;
	if (along->made != NULL)
		j->along = along;
}

/* What came rounded, of a part that begins at token t. */
static void
set_halves(const struct peft_products *j, struct peft_products *part,
    size_t t)
{
	size_t i;

	for (i = 0; i < j->np; i++)
		part->halves[i] = j->halves[i] == NULL ? NULL :
		    j->halves[i] + t * peft_left_stride(&j->dense,
		    peft_left_size(j, i));
}

/* Rounded tokens come some at a time. */
static void
multiply(struct peft_products *j)
{
	struct peft_products part = *j;
	struct peft_product p[PEFT_MOSTNP];
	struct peft_low low[PEFT_MOSTNP];
	size_t t, i;

	if (j->left == NULL) {
		peft_product_lows(j);
		return;
	}
	part.p = p;
	part.lows = j->lows == NULL ? NULL : low;
	for (t = 0; t < j->T; t += part.T) {
		part.T = peft_least(PEFT_AT_ONCE, j->T - t);
		part.behind = t;
		set_halves(j, &part, t);
		if (j->back)
			part.dx = j->dx + t * j->lddx;
		else
			part.x = j->x + t * j->ldx;
		for (i = 0; i < j->np; i++) {
			p[i] = j->p[i];
			p[i].y += t * p[i].ldy;
			if (j->lows == NULL)
				continue;
			low[i] = j->lows[i];
			low[i].h += t * low[i].r;
			low[i].scaled += t * low[i].r;
		}
		peft_product_lows(&part);
	}
}

/* Tell the cpu of a product's operations. */
static void
count(struct peft_cpu *cpu, size_t T, const struct peft_product *p,
    const struct peft_low *low, size_t np)
{
	size_t i, r, rows, cols;

	for (i = 0; i < np; i++) {
		rows = p[i].w->rows;
		cols = p[i].w->cols;
		r = low == NULL ? 0 : low[i].r;
		peft_cpu_count(cpu, 2 * (double)T * (double)(rows * cols +
		    r * (rows + cols)));
	}
}

/* What is beside the products behind those that are taken at once. */
static const struct peft_low *
behind(const struct peft_low *low)
{
	return low == NULL ? NULL : low + PEFT_MOSTNP;
}

/* Do whole numbers do for many tokens?  Not beside an adapter, whose part is
 * in the same sums. */
static bool
is_whole(const struct peft_products *j)
{
	size_t i;

	for (i = 0; j->lows != NULL && i < j->np; i++)
		if (j->lows[i].r > 0)
			return false;
	return !peft_is_rounded(&j->e) && peft_product_is_fixed(j);
}

static void
forward(struct peft_cpu *cpu, enum peft_compute compute, const float *x,
    size_t ldx, size_t T, const struct peft_product *p,
    const struct peft_low *low, const struct peft_along *along, size_t np,
    float *scratch)
{
	struct peft_products j;

	if (T == 0)
		return;
	for (; np > PEFT_MOSTNP; np -= PEFT_MOSTNP, p += PEFT_MOSTNP,
	    low = behind(low))
		forward(cpu, compute, x, ldx, T, p, low, NULL, PEFT_MOSTNP,
		    scratch);
	count(cpu, T, p, low, np);
	j = peft_product_begin(cpu, compute, T, p, np, scratch);
	j.lows = low;
	j.x = x;
	j.ldx = ldx;
	go_along(&j, along);
	if (peft_product_is_few(cpu, T))
		peft_product_lows_few(&j);
	else if (is_whole(&j))
		peft_product_few(&j);
	else
		multiply(&j);
}

static void
backward(struct peft_cpu *cpu, enum peft_compute compute, float *dx,
    size_t ldx, size_t T, const struct peft_product *p,
    const struct peft_low *low, const struct peft_along *along, size_t np,
    bool add, float *scratch)
{
	struct peft_products j;

	if (T == 0)
		return;
	for (; np > PEFT_MOSTNP; np -= PEFT_MOSTNP, p += PEFT_MOSTNP,
	    low = behind(low), add = true)
		backward(cpu, compute, dx, ldx, T, p, low, NULL, PEFT_MOSTNP,
		    add, scratch);
	count(cpu, T, p, low, np);
	j = peft_product_begin(cpu, compute, T, p, np, scratch);
	j.lows = low;
	j.back = true;
	j.dx = dx;
	j.lddx = ldx;
	j.add = add;
	go_along(&j, along);
	multiply(&j);
}

void
peft_product_forward(struct peft_cpu *cpu, const float *x, size_t ldx,
    size_t T, const struct peft_product *p, size_t np, float *scratch)
{
	forward(cpu, peft_cpu_computes(cpu), x, ldx, T, p, NULL, NULL, np,
	    scratch);
}

void
peft_product_backward(struct peft_cpu *cpu, float *dx, size_t ldx, size_t T,
    const struct peft_product *p, size_t np, bool add, float *scratch)
{
	backward(cpu, peft_cpu_computes(cpu), dx, ldx, T, p, NULL, NULL, np,
	    add, scratch);
}

void
peft_product_forward_low(struct peft_cpu *cpu, const float *x, size_t ldx,
    size_t T, const struct peft_product *p, const struct peft_low *low,
    const struct peft_along *along, size_t np, float *scratch)
{
	forward(cpu, peft_cpu_computes(cpu), x, ldx, T, p, low, along, np,
	    scratch);
}

void
peft_product_backward_low(struct peft_cpu *cpu, float *dx, size_t ldx,
    size_t T, const struct peft_product *p, const struct peft_low *low,
    const struct peft_along *along, size_t np, bool add, float *scratch)
{
	backward(cpu, peft_cpu_computes(cpu), dx, ldx, T, p, low, along, np,
	    add, scratch);
}

void
peft_product_forward_fine(struct peft_cpu *cpu, const float *x, size_t ldx,
    size_t T, const struct peft_product *p, float *scratch)
{
	forward(cpu, peft_cpu_computes_dense(cpu), x, ldx, T, p, NULL, NULL,
	    1, scratch);
}

void
peft_product_backward_fine(struct peft_cpu *cpu, float *dx, size_t ldx,
    size_t T, const struct peft_product *p, bool add, float *scratch)
{
	backward(cpu, peft_cpu_computes_dense(cpu), dx, ldx, T, p, NULL, NULL,
	    1, add, scratch);
}

static struct peft_weight
weight_of(const struct peft_dense *d)
{
	return (struct peft_weight){ .dtype = PEFT_F32, .ndim = 2,
	    .rows = d->rows, .cols = d->cols, .nelem = d->rows * d->cols,
	    .data = d->w };
}

void
peft_dense_forward(struct peft_cpu *cpu, const float *x, size_t ldx, size_t T,
    const struct peft_dense *d, bool add, float *y, size_t ldy,
    float *scratch)
{
	const struct peft_weight w = weight_of(d);
	const struct peft_product p = { &w, y, ldy };
	struct peft_products j = peft_product_begin(cpu,
	    peft_cpu_computes_dense(cpu), T, &p, 1, scratch);

	j.x = x;
	j.ldx = ldx;
	j.ldw = d->ld;
	j.add = add;
	count(cpu, T, &p, NULL, 1);
	if (T > 0 && peft_product_is_few(cpu, T))
		peft_product_few(&j);
	else if (T > 0)
		multiply(&j);
}

void
peft_dense_backward(struct peft_cpu *cpu, float *dx, size_t ldx, size_t T,
    const struct peft_dense *d, bool add, const float *y, size_t ldy,
    float *scratch)
{
	const struct peft_weight w = weight_of(d);
	/* what backward reads is written by forward: no const there */
	const struct peft_product p = { &w, (float *)(uintptr_t)y, ldy };
	struct peft_products j = peft_product_begin(cpu,
	    peft_cpu_computes_dense(cpu), T, &p, 1, scratch);

	j.back = true;
	j.dx = dx;
	j.lddx = ldx;
	j.ldw = d->ld;
	j.add = add;
	count(cpu, T, &p, NULL, 1);
	if (T > 0)
		multiply(&j);
}
