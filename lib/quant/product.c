/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products with frozen weights.  A task takes some panels of the output and
 * many tokens (all of them, unless there are few panels), expands its panels
 * in the scratch of its thread and multiplies them with the tokens; so each
 * weight is expanded once for a micro-batch.  Tasks are cut by shape alone,
 * and each writes its own part.
 */

#include <stdint.h>

#include "quant/product-impl.h"
#include "quant/quant.h"

enum {
	TASKS = 16,		/* at least, if it goes: tokens are cut then */
	FEWEST = 128,		/* tokens of a task */
	ROWS = 32,		/* of the left-hand side to round at a time */
	MOSTNP = 8		/* products that share an input */
};

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t
pieces(size_t n, size_t of)
{
	return (n + of - 1) / of;
}

/* Elements between rounded rows: an odd number of cache lines, so that rows
 * do not fall into the same sets. */
static size_t
left_stride(const struct peft_expander *e, size_t k)
{
	size_t line = 64 / peft_expander_size(e);

	return (pieces(k, PEFT_KSTEP) * PEFT_KSTEP / line | 1) * line;
}

size_t
peft_product_stride(void)
{
	size_t panels = PEFT_ABREAST * PEFT_PANEL * PEFT_DEEP;
	size_t few = peft_product_few_stride();

	panels += PEFT_EXPAND_ROOM;
	return panels > few ? panels : few;
}

size_t
peft_product_scratch(const struct peft_cpu *cpu, size_t rows, size_t cols,
    size_t T)
{
	struct peft_expander e = peft_expander_of(cpu);
	size_t k = (rows > cols ? rows : cols) + MOSTNP * 2 * PEFT_KSTEP;
	size_t n = (size_t)peft_cpu_threads(cpu) * peft_product_stride();
	size_t left = pieces(T, ROWS) * ROWS * left_stride(&e, k);

	if (peft_cpu_computes(cpu) == PEFT_COMPUTE_F32)
		return n;
	/* a few tokens are rounded as f32 */
	left = left * peft_expander_size(&e) / sizeof(float);
	k *= least(T, PEFT_FEWTOKENS);
	return n + (left > k ? left : k);
}

static struct peft_products
start(struct peft_cpu *cpu, size_t T, const struct peft_product *p, size_t np,
    float *scratch)
{
	struct peft_products j = { .cpu = cpu, .e = peft_expander_of(cpu),
	    .p = p, .np = np, .T = T, .scratch = scratch };

	if (peft_cpu_computes(cpu) != PEFT_COMPUTE_F32)
		j.left = scratch + (size_t)peft_cpu_threads(cpu) *
		    peft_product_stride();
	return j;
}

struct rounding {
	const struct peft_expander	*e;
	const float			*src;
	size_t				 T, k, ld, to;
	void				*dst;
};

static void
round_task(void *ctx, size_t task, int thread)
{
	const struct rounding *r = ctx;
	size_t t = task * ROWS, end = least(t + ROWS, r->T);

	(void)thread;
	for (; t < end; t++)
		if (r->e->bf16 != NULL)
			r->e->bf16->round((uint16_t *)r->dst + t * r->to,
			    r->src + t * r->ld, r->k);
		else
			r->e->f32->trim((float *)r->dst + t * r->to,
			    r->src + t * r->ld, r->k);
}

/* Rows of T tokens, rounded, to dst; returns where the next may go. */
static void *
round_rows(const struct peft_products *j, const float *src, size_t ld,
    size_t k, void *dst)
{
	struct rounding r = { &j->e, src, j->T, k, ld,
	    left_stride(&j->e, k), dst };

	peft_cpu_run(j->cpu, pieces(j->T, ROWS), round_task, &r);
	return (char *)dst + pieces(j->T, ROWS) * ROWS * r.to *
	    peft_expander_size(&j->e);
}

/* How many panels the next task takes when `left' are left: as many as fit
 * half the second cache, but fewer towards the end, so that threads end
 * together; `of': what is not to be cut through. */
static size_t
abreast(const struct peft_products *j, size_t left, size_t of)
{
	size_t bytes = PEFT_PANEL * PEFT_DEEP * peft_expander_size(&j->e);
	size_t most = peft_cpu_cache(j->cpu) / 2 / bytes, n = left / TASKS;

	most = most > PEFT_ABREAST ? PEFT_ABREAST : most;
	n = n > most ? most : n;
	n = n == 0 ? 1 : n;
	return least(pieces(n, of) * of, PEFT_ABREAST);
}

/* A part of the output: panels of one product, or of dx. */
struct part {
	size_t	product, panel, n;
};

/* The task'th part; its n is 0 when there is none.  per: panels of each
 * product. */
static struct part
part_of(const struct peft_products *j, const size_t *per, size_t nper,
    size_t of, size_t task)
{
	struct part p = { 0 };
	size_t left = j->panels;

	for (; p.product < nper; p.product++)
		for (p.panel = 0; p.panel < per[p.product]; p.panel += p.n) {
			p.n = least(abreast(j, left, of),
			    per[p.product] - p.panel);
			left -= p.n;
			if (task-- == 0)
				return p;
		}
	p.n = 0;
	return p;
}

/* Tokens are cut only where panels alone make too few tasks. */
static size_t
cut(struct peft_products *j, const size_t *per, size_t nper, size_t of)
{
	size_t i, n = 0, most;

	for (j->panels = 0, i = 0; i < nper; i++)
		j->panels += per[i];
	while (part_of(j, per, nper, of, n).n > 0)
		n++;
	most = pieces(j->T, FEWEST);
	j->down = n >= TASKS ? 1 : least(pieces(TASKS, n), most);
	j->m = pieces(pieces(j->T, j->down), ROWS) * ROWS;
	j->down = pieces(j->T, j->m);
	return n * j->down;
}

/* c [T, n] (+)= rows of the left-hand side, from column k on, by panels. */
static void
multiply(const struct peft_products *j, struct peft_block *b, size_t t,
    const void *left, size_t ldleft, size_t k, size_t deep)
{
	size_t size = peft_expander_size(&j->e);

	b->m = least(j->m, j->T - t);
	b->k = deep;
	b->a = (const char *)left + (t * ldleft + k) * size;
	b->lda = ldleft;
	if (j->e.bf16 != NULL) {
		b->k = pieces(deep, PEFT_KSTEP) * PEFT_KSTEP;
		j->e.bf16->block(b);
	} else
		j->e.f32->block(b);
}

static void
forward_task(void *ctx, size_t task, int thread)
{
	const struct peft_products *j = ctx;
	size_t per[MOSTNP], i, c, deep, t = task % j->down * j->m;
	float *room = j->scratch + (size_t)thread * peft_product_stride();
	float *panels = room + PEFT_EXPAND_ROOM;
	struct peft_block b = { .b = panels,
	    .ldb = PEFT_PANEL * PEFT_DEEP };
	const struct peft_product *p;
	struct part part;
	size_t r;

	for (i = 0; i < j->np; i++)
		per[i] = pieces(j->p[i].w->rows, PEFT_PANEL);
	part = part_of(j, per, j->np, 1, task / j->down);
	p = &j->p[part.product];
	r = part.panel * PEFT_PANEL;
	b.n = least(part.n * PEFT_PANEL, p->w->rows - r);
	b.c = p->y + t * p->ldy + r;
	b.ldc = p->ldy;
	for (c = 0; c < p->w->cols; c += deep, b.add = true) {
		deep = least(peft_expand_deep(p->w, p->w->cols),
		    p->w->cols - c);
		for (i = 0; i < part.n; i++)
			peft_expand_rows(&j->e, p->w, r + i * PEFT_PANEL,
			    least(PEFT_PANEL, b.n - i * PEFT_PANEL), c, deep,
			    (char *)panels + i * b.ldb *
			    peft_expander_size(&j->e), room);
		multiply(j, &b, t, j->left != NULL ? j->left : j->x, j->ldx, c,
		    deep);
	}
}

void
peft_product_forward(struct peft_cpu *cpu, const float *x, size_t ldx,
    size_t T, const struct peft_product *p, size_t np, float *scratch)
{
	struct peft_products j = start(cpu, T, p, np, scratch);
	size_t per[MOSTNP], i;

	if (T == 0)
		return;
	j.x = x;
	j.ldx = ldx;
	if (T <= PEFT_FEWTOKENS) {
		peft_product_few(&j);
		return;
	}
	for (; np > MOSTNP; np -= MOSTNP, p += MOSTNP)
		peft_product_forward(cpu, x, ldx, T, p, MOSTNP, scratch);
	j.p = p;
	j.np = np;
	if (j.left != NULL) {
		(void)round_rows(&j, x, ldx, p->w->cols, j.left);
		j.ldx = left_stride(&j.e, p->w->cols);
	}
	for (i = 0; i < np; i++)
		per[i] = pieces(p[i].w->rows, PEFT_PANEL);
	i = cut(&j, per, np, 1);
	peft_cpu_run(cpu, i, forward_task, &j);
}

/* Columns that are decoded together, in panels. */
static size_t
together(const struct peft_products *j)
{
	size_t i, most = 1;

	for (i = 0; i < j->np; i++) {
		size_t of = peft_dtypes[j->p[i].w->dtype].block;

		of = j->p[i].w->scales.blocksize > 0 ?
		    j->p[i].w->scales.blocksize : of;
		of = pieces(of, PEFT_PANEL);
		most = of > most ? of : most;
	}
	return least(most, PEFT_ABREAST);
}

static void
backward_task(void *ctx, size_t task, int thread)
{
	const struct peft_products *j = ctx;
	size_t cols = j->p->w->cols, per = pieces(cols, PEFT_PANEL);
	size_t i, r, c, deep, ld, t = task % j->down * j->m;
	struct part part = part_of(j, &per, 1, together(j), task / j->down);
	float *room = j->scratch + (size_t)thread * peft_product_stride();
	float *panels = room + PEFT_EXPAND_ROOM;
	struct peft_block b = { .b = panels,
	    .ldb = PEFT_PANEL * PEFT_DEEP, .ldc = j->lddx, .add = j->add };
	const char *left = j->left;

	c = part.panel * PEFT_PANEL;
	b.n = least(part.n * PEFT_PANEL, cols - c);
	b.c = j->dx + t * j->lddx + c;
	for (i = 0; i < j->np; i++) {
		const struct peft_weight *w = j->p[i].w;

		ld = left != NULL ? left_stride(&j->e, w->rows) : j->p[i].ldy;
		for (r = 0; r < w->rows; r += deep, b.add = true) {
			deep = least(peft_expand_deep(w, w->rows),
			    w->rows - r);
			peft_expand_cols(&j->e, w, r, deep, c, b.n, panels,
			    b.ldb, room);
			multiply(j, &b, t, left != NULL ? (const void *)left :
			    j->p[i].y, ld, r, deep);
		}
		if (left != NULL)
			left += pieces(j->T, ROWS) * ROWS * ld *
			    peft_expander_size(&j->e);
	}
}

void
peft_product_backward(struct peft_cpu *cpu, float *dx, size_t ldx, size_t T,
    const struct peft_product *p, size_t np, bool add, float *scratch)
{
	struct peft_products j = start(cpu, T, p, np, scratch);
	size_t per = pieces(p->w->cols, PEFT_PANEL), i;
	void *left = j.left;

	if (T == 0)
		return;
	for (; np > MOSTNP; np -= MOSTNP, p += MOSTNP, add = true)
		peft_product_backward(cpu, dx, ldx, T, p, MOSTNP, add,
		    scratch);
	j.p = p;
	j.np = np;
	j.dx = dx;
	j.lddx = ldx;
	j.add = add;
	for (i = 0; i < np && left != NULL; i++)
		left = round_rows(&j, p[i].y, p[i].ldy, p[i].w->rows, left);
	i = cut(&j, &per, 1, together(&j));
	peft_cpu_run(cpu, i, backward_task, &j);
}
