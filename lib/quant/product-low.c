/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters of low rank beside products: what is thin is multiplied first,
 * from the left-hand side as it was rounded for all; what comes of it is a
 * segment more of what is summed over.
 */

#include "quant/product-impl.h"

static struct peft_weight
matrix(const float *data, size_t rows, size_t cols)
{
	return (struct peft_weight){ .dtype = PEFT_F32, .ndim = 2,
	    .rows = rows, .cols = cols, .nelem = rows * cols, .data = data };
}

struct peft_weight
peft_low_b(const struct peft_products *j, size_t of)
{
	return matrix(j->lows[of].b, j->p[of].w->rows, j->lows[of].r);
}

/* The largest rank; 0: there is nothing beside. */
static size_t
largest(const struct peft_products *j)
{
	size_t i, most = 0;

	for (i = 0; j->lows != NULL && i < j->np; i++)
		if (j->lows[i].r > most)
			most = j->lows[i].r;
	return most;
}

static void
scale(const struct peft_low *low, size_t T, float *to)
{
	size_t i;

	for (i = 0; i < T * low->r; i++)
		to[i] = low->scale * low->h[i];
}

/* h of those that have one as products with A, from p on; how many. */
static size_t
hidden_products(const struct peft_products *j, struct peft_product *p,
    struct peft_weight *a)
{
	size_t i, n = 0;

	for (i = 0; i < j->np; i++) {
		const struct peft_low *low = &j->lows[i];

		if (low->r == 0)
			continue;
		a[n] = matrix(low->a, low->r, j->p[i].w->cols);
		p[n] = (struct peft_product){ &a[n], low->h, low->r };
		n++;
	}
	return n;
}

static void
forward(struct peft_products *j)
{
	struct peft_product p[PEFT_MOSTNP];
	struct peft_weight a[PEFT_MOSTNP];
	struct peft_products thin = *j;
	size_t i;

	thin.np = hidden_products(j, p, a);
	thin.p = p;
	thin.low = 0;
	thin.along = NULL;
	peft_product_slabs(&thin);
	for (i = 0; i < j->np; i++)
		scale(&j->lows[i], j->T, j->lows[i].scaled);
	j->fresh &= ~1u;
	peft_product_slabs(j);
}

/* h = s y B of product i. */
static void
hidden_back(struct peft_products *j, size_t i)
{
	const struct peft_low *low = &j->lows[i];
	struct peft_weight b = peft_low_b(j, i);
	struct peft_product y = { &b, j->p[i].y, j->p[i].ldy };
	struct peft_products thin = *j;

	thin.p = &y;
	thin.np = 1;
	thin.dx = low->h;
	thin.lddx = low->r;
	thin.add = false;
	thin.along = NULL;
	thin.halves[0] = j->halves[i];
	thin.fresh = j->fresh >> i & 1;
	if (j->left != NULL)
		thin.left = (char *)j->left + peft_left_at(j, i) * j->e.size;
	peft_product_slabs(&thin);
	j->fresh &= ~(1u << i);
	scale(low, j->T, low->h);
}

static void
backward(struct peft_products *j)
{
	struct peft_product p[2 * PEFT_MOSTNP];
	struct peft_weight a[PEFT_MOSTNP];
	struct peft_products all = *j;
	size_t i;

	for (i = 0; i < j->np; i++) {
		p[i] = j->p[i];
		if (j->lows[i].r > 0)
			hidden_back(j, i);
	}
	all.p = p;
	all.np += hidden_products(j, p + j->np, a);
	all.fresh = j->fresh | ((1u << all.np) - (1u << j->np));
	peft_product_slabs(&all);
}

void
peft_product_lows(struct peft_products *j)
{
	size_t low = largest(j), i;

	j->low = j->back ? 0 : low;
	j->fresh = 0;
	for (i = 0; i < peft_left_segments(j); i++)
		if (j->halves[i] == NULL)
			j->fresh |= 1u << i;
	if (low == 0)
		peft_product_slabs(j);
	else if (j->back)
		backward(j);
	else
		forward(j);
}

/* y += s h B^T of product i. */
static void
add_few(const struct peft_products *j, size_t i)
{
	const struct peft_low *low = &j->lows[i];
	struct peft_weight b = peft_low_b(j, i);
	struct peft_product y = { &b, j->p[i].y, j->p[i].ldy };
	struct peft_products part = *j;

	scale(low, j->T, low->scaled);
	part.p = &y;
	part.np = 1;
	part.x = low->scaled;
	part.ldx = low->r;
	part.add = true;
	peft_product_few(&part);
}

/* A few tokens: h with the weights' products, then what comes of it. */
void
peft_product_lows_few(struct peft_products *j)
{
	struct peft_product p[2 * PEFT_MOSTNP];
	struct peft_weight a[PEFT_MOSTNP];
	struct peft_products part = *j;
	size_t i;

	if (largest(j) == 0) {
		peft_product_few(j);
		return;
	}
	for (i = 0; i < j->np; i++)
		p[i] = j->p[i];
	part.p = p;
	part.np += hidden_products(j, p + j->np, a);
	peft_product_few(&part);
	for (i = 0; i < j->np; i++)
		if (j->lows[i].r > 0)
			add_few(j, i);
}
