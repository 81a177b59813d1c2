/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters of low rank beside products: what is thin is multiplied first,
 * from the left-hand side as it was rounded for all; what comes of it is a
 * segment more of what is summed over.  With int8 both are as what is dense
 * is computed, and if that is bf16, the weights' product quantises what was
 * rounded so.
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

/* What is thin, from segment seg, that j has rounded behind it. */
static struct peft_products
thin_of(struct peft_products *j, size_t seg)
{
	struct peft_products thin = *j;
	bool rounded = j->halves[seg] != NULL;

	thin.e = j->dense;
	thin.low = 0;
	thin.along = NULL;
	thin.halves[0] = j->halves[seg];
	thin.fresh = rounded ? 0 : j->fresh >> seg & 1;
	if (j->e.int8 == NULL) {
		if (j->left != NULL)
			thin.left = (char *)j->left + peft_left_at(j, seg);
		j->fresh &= ~(1u << seg);
	} else if (!peft_is_rounded(&j->dense)) {
		thin.left = NULL;
	} else if (!rounded) {
		thin.left = j->thin;
		j->halves[seg] = j->thin;
		j->thin = (uint16_t *)j->thin + peft_left_rows(j) *
		    peft_left_stride(&j->dense, peft_left_size(j, seg));
	}
	return thin;
}

static void
forward(struct peft_products *j)
{
	struct peft_product p[PEFT_MOSTNP];
	struct peft_weight a[PEFT_MOSTNP];
	struct peft_products thin;
	size_t i;

	if (j->e.int8 != NULL)
		j->thin = peft_left_end(j);
	thin = thin_of(j, 0);
	thin.nw = thin.np = hidden_products(j, p, a);
	thin.p = p;
	peft_product_slabs(&thin);
	for (i = 0; i < j->np; i++)
		scale(&j->lows[i], j->T, j->lows[i].scaled);
	peft_product_slabs(j);
}

/* h = s y B of product i. */
static void
hidden_back(struct peft_products *j, size_t i)
{
	const struct peft_low *low = &j->lows[i];
	struct peft_weight b = peft_low_b(j, i);
	struct peft_product y = { &b, j->p[i].y, j->p[i].ldy };
	struct peft_products thin = thin_of(j, i);

	thin.p = &y;
	thin.nw = thin.np = 1;
	thin.dx = low->h;
	thin.lddx = low->r;
	thin.add = false;
	peft_product_slabs(&thin);
	scale(low, j->T, low->h);
}

static void
backward(struct peft_products *j)
{
	struct peft_product p[2 * PEFT_MOSTNP];
	struct peft_weight a[PEFT_MOSTNP];
	struct peft_products all = *j;
	size_t i;

	all.p = p;
	all.np += hidden_products(j, p + j->np, a);
	for (i = 0; i < j->np; i++)
		p[i] = j->p[i];
	if (j->e.int8 != NULL)
		all.thin = peft_left_end(&all);
	for (i = 0; i < j->np; i++)
		if (j->lows[i].r > 0)
			hidden_back(&all, i);
	all.fresh |= (1u << all.np) - (1u << j->np);
	peft_product_slabs(&all);
}

void
peft_product_lows(struct peft_products *j)
{
	size_t low = largest(j), i;

	j->low = j->back ? 0 : low;
	j->fresh = 0;
	for (i = 0; i < peft_left_segments(j); i++)
		if (j->halves[i] == NULL || peft_expander_at(j, i)->int8 !=
		    NULL)
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
