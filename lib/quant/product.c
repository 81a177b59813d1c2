/* SPDX-License-Identifier: Apache-2.0 */
/* Products with frozen weights: how much scratch, and which way. */

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
	size_t r = rows + MOSTNP * 2 * PEFT_KSTEP, c = cols + 2 * PEFT_KSTEP;
	size_t k = peft_left_stride(&e, r > c ? r : c), n, m, left;

	n = peft_product_slab(peft_pieces(rows, PEFT_PANEL) + MOSTNP, c);
	m = peft_product_slab(peft_pieces(cols, PEFT_PANEL), r);
	n = (n > m ? n : m) * peft_expander_size(&e) / sizeof(float);
	if (peft_cpu_computes(cpu) == PEFT_COMPUTE_F32)
		return rooms(cpu) + n;
	left = peft_pieces(T, PEFT_LEFTROWS) * PEFT_LEFTROWS * k *
	    peft_expander_size(&e) / sizeof(float);
	m = peft_least(T, PEFT_FEWTOKENS) * c;	/* these as f32 */
	return rooms(cpu) + n + (left > m ? left : m);
}

static struct peft_products
start(struct peft_cpu *cpu, size_t T, const struct peft_product *p, size_t np,
    float *scratch)
{
	struct peft_products j = { .cpu = cpu, .e = peft_expander_of(cpu),
	    .p = p, .np = np, .T = T, .room = scratch };
	size_t i, rows = 0, k, n, m;

	for (i = 0; i < np; i++)
		rows += p[i].w->rows;
	/* as peft_product_scratch() counts */
	k = p->w->cols + 2 * PEFT_KSTEP;
	n = peft_product_slab(peft_pieces(rows, PEFT_PANEL) + MOSTNP, k);
	m = peft_product_slab(peft_pieces(p->w->cols, PEFT_PANEL), rows +
	    MOSTNP * 2 * PEFT_KSTEP);
	n = (n > m ? n : m) * peft_expander_size(&j.e) / sizeof(float);
	j.slab = scratch + rooms(cpu);
	if (peft_cpu_computes(cpu) != PEFT_COMPUTE_F32)
		j.left = (float *)j.slab + n;
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
