/* SPDX-License-Identifier: Apache-2.0 */
/* Products with frozen weights: how much scratch, and which way. */

#include <stdint.h>

#include "quant/product-impl.h"

enum { MOSTNP = 8 };		/* products in one go that scratch is for */

static size_t
room_of_thread(void)
{
	size_t few = peft_product_few_room();

	return few > PEFT_EXPAND_ROOM ? few : PEFT_EXPAND_ROOM;
}

static size_t
rooms(const struct peft_cpu *cpu)
{
	return (size_t)peft_cpu_threads(cpu) * room_of_thread();
}

size_t
peft_product_scratch(const struct peft_cpu *cpu, size_t rows, size_t cols,
    size_t T)
{
	struct peft_expander e = peft_expander_of(cpu);
	size_t k = (rows > cols ? rows : cols) + MOSTNP * 2 * PEFT_KSTEP;
	size_t n = rooms(cpu) + peft_product_slab(&e), left, few;

	if (peft_cpu_computes(cpu) == PEFT_COMPUTE_F32)
		return n;
	k = peft_left_stride(&e, k);
	left = peft_pieces(T, PEFT_LEFTROWS) * PEFT_LEFTROWS * k *
	    peft_expander_size(&e) / sizeof(float);
	few = peft_least(T, PEFT_FEWTOKENS) * k;	/* these as f32 */
	return n + (left > few ? left : few);
}

static struct peft_products
start(struct peft_cpu *cpu, size_t T, const struct peft_product *p, size_t np,
    float *scratch)
{
	struct peft_products j = { .cpu = cpu, .e = peft_expander_of(cpu),
	    .p = p, .np = np, .T = T, .room = scratch };

	j.slab = scratch + rooms(cpu);
	if (peft_cpu_computes(cpu) != PEFT_COMPUTE_F32)
		j.left = (float *)j.slab + peft_product_slab(&j.e);
	return j;
}

void
peft_product_forward(struct peft_cpu *cpu, const float *x, size_t ldx,
    size_t T, const struct peft_product *p, size_t np, float *scratch)
{
	struct peft_products j;

	if (T == 0)
		return;
	for (; np > MOSTNP; np -= MOSTNP, p += MOSTNP)
		peft_product_forward(cpu, x, ldx, T, p, MOSTNP, scratch);
	j = start(cpu, T, p, np, scratch);
	j.x = x;
	j.ldx = ldx;
	if (T <= PEFT_FEWTOKENS)
		peft_product_few(&j);
	else
		peft_product_slabs(&j);
}

void
peft_product_backward(struct peft_cpu *cpu, float *dx, size_t ldx, size_t T,
    const struct peft_product *p, size_t np, bool add, float *scratch)
{
	struct peft_products j;

	if (T == 0)
		return;
	for (; np > MOSTNP; np -= MOSTNP, p += MOSTNP, add = true)
		peft_product_backward(cpu, dx, ldx, T, p, MOSTNP, add,
		    scratch);
	j = start(cpu, T, p, np, scratch);
	j.back = true;
	j.dx = dx;
	j.lddx = ldx;
	j.add = add;
	peft_product_slabs(&j);
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
	struct peft_products j = start(cpu, T, &p, 1, scratch);

	j.x = x;
	j.ldx = ldx;
	j.ldw = d->ld;
	j.add = add;
	if (T > 0 && T <= PEFT_FEWTOKENS)
		peft_product_few(&j);
	else if (T > 0)
		peft_product_slabs(&j);
}

void
peft_dense_backward(struct peft_cpu *cpu, float *dx, size_t ldx, size_t T,
    const struct peft_dense *d, bool add, const float *y, size_t ldy,
    float *scratch)
{
	const struct peft_weight w = weight_of(d);
	/* what backward reads is written by forward: no const there */
	const struct peft_product p = { &w, (float *)(uintptr_t)y, ldy };
	struct peft_products j = start(cpu, T, &p, 1, scratch);

	j.back = true;
	j.dx = dx;
	j.lddx = ldx;
	j.ldw = d->ld;
	j.add = add;
	if (T > 0)
		peft_product_slabs(&j);
}
