/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products with frozen weights for a few tokens (generation): no panels, rows
 * go from memory to the sums, in f32 (few.h), whatever the compute type is: it
 * is reading the weights that takes the time, and to round them takes more.
 * Or by whole numbers (few-fixed.h) that are as exact; where less is asked for
 * than f32, of fewer bytes, for several tokens take the time.
 * Where whole numbers are sooner multiplied than f32, many tokens come this
 * way, too.
 */

#include "quant/few-fixed.h"
#include "quant/product-impl.h"
#include "quant/way.h"

enum {
	FEWROWS = 32,		/* of a task, or some times more */
	LINE = 64		/* of the cache: pieces begin with one */
};

struct few {
	const struct peft_products	*j;
	const struct peft_fews		*path;
	const struct peft_few_fixed	*fixed;	/* NULL: none, or none fits */
	struct peft_fixed_piece		*pieces;
	int				 bytes;	/* of theirs */
	unsigned			 forms;	/* that are wanted of x */
	size_t				 first, T;
	size_t				 rows;	/* of a task */
};

size_t
peft_product_few_room(void)
{
	return PEFT_FEW_ROWS * PEFT_FEW_STEP;
}

size_t
peft_product_few_shared(const struct peft_cpu *cpu, size_t cols, size_t T)
{
	const struct peft_few_fixed *fixed = peft_fixed_of(cpu);

	return fixed == NULL ? 0 : (LINE + peft_pieces(peft_least(T,
	    PEFT_FIXED_MANY), PEFT_FIXED_TOKENS) * (cols / 32) *
	    sizeof(struct peft_fixed_piece)) / sizeof(float);
}

static struct peft_fixed_piece *
pieces_at(void *p)
{
	return (struct peft_fixed_piece *)(((uintptr_t)p + LINE - 1) &
	    ~(uintptr_t)(LINE - 1));
}

static bool
is_fixed(const struct few *f, const struct peft_weight *w)
{
	return f->fixed != NULL && !f->j->add && f->fixed->form(w) != 0;
}

bool
peft_product_is_fixed(const struct peft_products *j)
{
	struct few f = { .j = j, .fixed = peft_fixed_of(j->cpu) };
	size_t i;

	for (i = 0; i < j->np; i++)
		if (!is_fixed(&f, j->p[i].w) ||
		    f.fixed->most(j->p[i].w) <= PEFT_FEW_TOKENS)
			return false;
	return true;
}

/* A piece, of all its tokens. */
static void
split_task(void *ctx, size_t task, int thread)
{
	const struct few *f = ctx;
	size_t n = f->j->p->w->cols / 32;
	size_t first = task / n * PEFT_FIXED_TOKENS;
	size_t T = peft_least(PEFT_FIXED_TOKENS, f->T - first);

	(void)thread;
	f->fixed->split(f->j->x + (f->first + first) * f->j->ldx +
	    task % n * 32, f->j->ldx, T, f->bytes, f->forms,
	    &f->pieces[task]);
}

/* What whole numbers are multiplied by, if there is a weight for them. */
static void
split(struct few *f)
{
	size_t i, n = f->j->p->w->cols / 32 * peft_pieces(f->T,
	    PEFT_FIXED_TOKENS), task;

	f->forms = 0;
	for (i = 0; i < f->j->np; i++)
		if (is_fixed(f, f->j->p[i].w))
			f->forms |= f->fixed->form(f->j->p[i].w);
	if (f->forms == 0)
		f->fixed = NULL;
	else if (f->T > 4)
		peft_cpu_run(f->j->cpu, n, split_task, f);
	else	/* sooner done than given away */
		for (task = 0; task < n; task++)
			split_task(f, task, 0);
}

static void
rows_task(void *ctx, size_t task, int thread)
{
	const struct few *f = ctx;
	const struct peft_products *j = f->j;
	const struct peft_product *p = j->p;
	struct peft_few part;

	for (; task >= peft_pieces(p->w->rows, f->rows); p++)
		task -= peft_pieces(p->w->rows, f->rows);
	part = (struct peft_few){ .w = p->w, .row = task * f->rows,
	    .ldw = j->ldw > 0 ? j->ldw : p->w->cols,
	    .x = j->x + f->first * j->ldx, .ldx = j->ldx, .T = f->T,
	    .ldy = p->ldy, .add = j->add,
	    .room = j->room + (size_t)thread * peft_product_few_room(),
	    .pieces = f->pieces, .bytes = f->bytes };
	part.n = peft_least(f->rows, p->w->rows - part.row);
	part.y = p->y + f->first * p->ldy + part.row;
	if (is_fixed(f, p->w))
		f->fixed->rows(&part);
	else
		f->path->rows(&part);
}

/* To take a task takes as long as some rows times one token: where there are
 * enough of them for each thread they are larger. */
static size_t
rows_of_task(const struct peft_products *j)
{
	enum { ENOUGH = 8, MOST = 4 };		/* tasks; times FEWROWS */
	size_t i, rows = 0, times;
	size_t enough = ENOUGH * (size_t)peft_cpu_threads(j->cpu);

	for (i = 0; i < j->np; i++)
		rows += j->p[i].w->rows;
	times = rows / FEWROWS / enough;
	return FEWROWS * (times < 1 ? 1 : times < MOST ? times : MOST);
}

/* Of what whole numbers have, by the compute type. */
static int
bytes_of(const struct peft_expander *e)
{
	return e->int8 != NULL ? 1 : peft_is_rounded(e) ? 2 : 3;
}

void
peft_product_few(const struct peft_products *j)
{
	struct few f = { .j = j, .path = peft_way_of(j->cpu)->few,
	    .fixed = peft_fixed_of(j->cpu), .pieces = pieces_at(j->slab),
	    .bytes = bytes_of(&j->e) };
	size_t i, n = 0, most = peft_product_is_fixed(j) ? PEFT_FIXED_MANY :
	    PEFT_FEW_TOKENS;

	f.rows = rows_of_task(j);
	for (i = 0; i < j->np; i++)
		n += peft_pieces(j->p[i].w->rows, f.rows);
	for (; f.first < j->T; f.first += f.T) {
		f.T = peft_least(most, j->T - f.first);
		split(&f);
		peft_cpu_run(j->cpu, n, rows_task, &f);
	}
}
