/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products with frozen weights for a few tokens (generation): an expanded row
 * is read once or twice, so a task has few rows, expands a few at a time and
 * uses them while they are in the first caches.
 */

#include "quant/product-impl.h"
#include "quant/quant.h"

enum {
	DEEP = 768,	/* columns that are summed over at a time */
	FEWROWS = 64
};

/* OpenBLAS multiplies what is smaller than this (m n k) without packing it
 * first (SkylakeX kernels), which is twice as fast for few tokens. */
enum { SMALL = 800 * 1000 };

struct few {
	const struct peft_products	*j;
	const float			*x;	/* rounded, if that is asked */
	size_t				 ldx;
};

size_t
peft_product_few_room(void)
{
	return FEWROWS * DEEP;
}

/* With int8, too, few tokens are multiplied in f32: it is the weights that
 * take the time. */
static bool
is_rounded(const struct peft_products *j)
{
	return j->e.trim || j->e.bf16 != NULL;
}

/* n rows by nc columns of a weight as f32: where they lie, or expanded; *ld
 * is the distance between rows. */
static const float *
expand(const struct peft_products *j, const struct peft_product *p, size_t r,
    size_t n, size_t c, size_t nc, float *room, size_t *ld)
{
	const struct peft_weight *w = p->w;
	bool trim = is_rounded(j);
	size_t i, ldw = j->ldw > 0 ? j->ldw : w->cols;

	*ld = ldw;
	if (w->dtype == PEFT_F32 && !trim)
		return (const float *)w->data + r * ldw + c;
	*ld = nc;
	for (i = 0; w->dtype == PEFT_F32 && i < n; i++)
		j->e.f32->trim(room + i * nc, (const float *)w->data +
		    (r + i) * ldw + c, nc);
	if (w->dtype == PEFT_F32)
		return room;
	for (i = 0; i < n; i++)
		peft_decode_part(w, r + i, c, nc, room + i * nc);
	if (trim && w->dtype != PEFT_BF16)
		j->e.f32->trim(room, room, n * nc);
	return room;
}

static void
rows_task(void *ctx, size_t task, int thread)
{
	const struct few *f = ctx;
	const struct peft_products *j = f->j;
	const struct peft_product *p = j->p;
	float *room = j->room + (size_t)thread *
	    peft_product_few_room();
	size_t r, end, n, c, m, ld, most;

	for (; task >= (p->w->rows + FEWROWS - 1) / FEWROWS; p++)
		task -= (p->w->rows + FEWROWS - 1) / FEWROWS;
	most = SMALL / (j->T * peft_least(DEEP, p->w->cols)) / 16 * 16;
	most = most == 0 ? FEWROWS : most;
	end = peft_least((task + 1) * FEWROWS, p->w->rows);
	for (r = task * FEWROWS; r < end; r += n) {
		n = peft_least(most, end - r);
		for (c = 0; c < p->w->cols; c += m) {
			const float *src;

			m = peft_least(DEEP, p->w->cols - c);
			src = expand(j, p, r, n, c, m, room, &ld);
			peft_gemm1(j->cpu, PEFT_N, PEFT_T, j->T, n, m, 1,
			    f->x + c, f->ldx, src, ld, c > 0 || j->add ? 1 : 0,
			    p->y + r,
			    p->ldy);
		}
	}
}

void
peft_product_few(const struct peft_products *j)
{
	struct few f = { j, j->x, j->ldx };
	size_t i, n = 0, cols = j->p->w->cols;

	if (is_rounded(j)) {
		float *x = j->left;

		for (i = 0; i < j->T; i++)
			j->e.f32->trim(x + i * cols, j->x + i * j->ldx, cols);
		f.x = x;
		f.ldx = cols;
	}
	for (i = 0; i < j->np; i++)
		n += (j->p[i].w->rows + FEWROWS - 1) / FEWROWS;
	peft_cpu_run(j->cpu, n, rows_task, &f);
}
