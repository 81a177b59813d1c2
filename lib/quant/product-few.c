/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products with frozen weights for a few tokens (generation): no panels, rows
 * go from memory to the sums (few.h).  In f32 whatever the compute type is:
 * it is reading the weights that takes the time, and to round them takes
 * more.
 */

#include "quant/few.h"
#include "quant/product-impl.h"
#include "quant/way.h"

enum { FEWROWS = 32 };		/* of a task */

struct few {
	const struct peft_products	*j;
	const struct peft_fews		*path;
	size_t				 first, T;
};

size_t
peft_product_few_room(void)
{
	return PEFT_FEW_ROWS * PEFT_FEW_STEP;
}

static void
rows_task(void *ctx, size_t task, int thread)
{
	const struct few *f = ctx;
	const struct peft_products *j = f->j;
	const struct peft_product *p = j->p;
	struct peft_few part;

	for (; task >= peft_pieces(p->w->rows, FEWROWS); p++)
		task -= peft_pieces(p->w->rows, FEWROWS);
	part = (struct peft_few){ .w = p->w, .row = task * FEWROWS,
	    .ldw = j->ldw > 0 ? j->ldw : p->w->cols,
	    .x = j->x + f->first * j->ldx, .ldx = j->ldx, .T = f->T,
	    .ldy = p->ldy, .add = j->add,
	    .room = j->room + (size_t)thread * peft_product_few_room() };
	part.n = peft_least(FEWROWS, p->w->rows - part.row);
	part.y = p->y + f->first * p->ldy + part.row;
	f->path->rows(&part);
}

void
peft_product_few(const struct peft_products *j)
{
	struct few f = { .j = j, .path = peft_way_of(j->cpu)->few };
	size_t i, n = 0;

	for (i = 0; i < j->np; i++)
		n += peft_pieces(j->p[i].w->rows, FEWROWS);
	for (; f.first < j->T; f.first += f.T) {
		f.T = peft_least(PEFT_FEW_TOKENS, j->T - f.first);
		peft_cpu_run(j->cpu, n, rows_task, &f);
	}
}
