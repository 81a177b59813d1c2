/* SPDX-License-Identifier: Apache-2.0 */
/* An embedding's rows, replaced. */

#include <stdlib.h>

#include "math/vec.h"
#include "peft/row.h"

int
peft_row_prepare(struct peft_module *m, peft_row_of *row,
    struct peft_err *err)
{
	struct peft_row *r = peft_calloc(1, sizeof(*r), err);

	if ((m->state = r) == NULL)
		return -1;
	r->row = row;
	return 0;
}

static size_t
find(const struct peft_module *m, int32_t id)
{
	const struct peft_row *r = m->state;

	return id < 0 ? SIZE_MAX : r->row(m, id);
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	size_t D = m->site->out, t, i, k;

	for (t = 0; t < c->T; t++, y += ldy) {
		if ((k = find(m, c->ids[t])) == SIZE_MAX)
			continue;
		for (i = 0; i < D; i++)
			y[i] += m->weight * (m->param[0]->value[k * D + i] -
			    y[i]);
	}
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	size_t D = m->site->out, t, k;

	(void)dx;
	(void)lddx;
	for (t = 0; m->train && t < c->T; t++, dy += lddy)
		if ((k = find(m, c->ids[t])) != SIZE_MAX)
			peft_cpu_vec(c->cpu)->axpy(m->param[0]->grad + k * D,
			    m->weight, dy, D);
}

const struct peft_hook_ops peft_row_hook = {
	.forward = forward, .backward = backward,
};
