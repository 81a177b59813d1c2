/* SPDX-License-Identifier: Apache-2.0 */
/* Panels of int8 that are made ahead, of a weight that stays as it is: all of
 * them behind each other, each as deep as the weight. */

#include <stdint.h>

#include "quant/product-impl.h"

struct job {
	const struct peft_weight	*w;
	struct peft_expander		 e;
	bool				 back;
	char				*to;
	float				*room;
};

static size_t
depth_of(const struct peft_weight *w, bool back)
{
	return back ? w->rows : w->cols;
}

static size_t
width_of(const struct peft_weight *w, bool back)
{
	return back ? w->cols : w->rows;
}

/* Elements of a panel's first k rows, with what stands behind its parts; k is
 * a multiple of a part, or all. */
static size_t
elements_of(const struct peft_expander *e, size_t k)
{
	return (peft_pieces(k, e->step) * e->step + peft_pieces(k, e->part) *
	    e->tail) * PEFT_PANEL;
}

size_t
peft_product_panels_size(const struct peft_cpu *cpu,
    const struct peft_weight *w, bool back)
{
	struct peft_expander e = peft_expander_of(cpu, peft_cpu_computes(cpu));

	return e.int8 == NULL ? 0 : peft_pieces(width_of(w, back),
	    PEFT_PANEL) * elements_of(&e, depth_of(w, back)) * e.size;
}

static void
panels_task(void *ctx, size_t task, int thread)
{
	const struct job *j = ctx;
	const struct peft_weight *w = j->w;
	float *room = j->room + (size_t)thread * j->e.room;
	size_t at = task * PEFT_ABREAST * PEFT_PANEL, i;
	size_t n = peft_least(width_of(w, j->back) - at, PEFT_ABREAST *
	    PEFT_PANEL);
	size_t ld = elements_of(&j->e, depth_of(w, j->back));
	char *to = j->to + at / PEFT_PANEL * ld * j->e.size;

	if (j->back) {
		peft_expand_cols(&j->e, w, w->cols, 0, w->rows, at, n, to, ld,
		    room);
		return;
	}
	for (i = 0; i < n; i += PEFT_PANEL, to += ld * j->e.size)
		peft_expand_rows(&j->e, w, w->cols, at + i,
		    peft_least(n - i, PEFT_PANEL), 0, w->cols, to, room);
}

void
peft_product_panels(struct peft_cpu *cpu, const struct peft_weight *w,
    bool back, void *to, float *scratch)
{
	struct job j = { .w = w, .e = peft_expander_of(cpu,
	    peft_cpu_computes(cpu)), .back = back, .to = to,
	    .room = scratch };

	peft_cpu_run(cpu, peft_pieces(width_of(w, back), PEFT_ABREAST *
	    PEFT_PANEL), panels_task, &j);
}

bool
peft_panels_are_made(const struct peft_products *j)
{
	size_t i;

	for (i = 0; i < j->nw; i++)
		if (j->p[i].w->panels[j->back] == NULL)
			return false;
	return j->e.int8 != NULL;
}

const void *
peft_panel_made(const struct peft_products *j, const struct peft_weight *w,
    size_t i, size_t k, size_t *ld)
{
	*ld = elements_of(&j->e, depth_of(w, j->back));
	return (const char *)w->panels[j->back] + (i * *ld +
	    elements_of(&j->e, k)) * j->e.size;
}
