/* SPDX-License-Identifier: Apache-2.0 */
/* The base's own weight, which PEFT writes beside an adapter that targets the
 * embedding or the head. */

#include <math.h>
#include <stdlib.h>

#include "peft/method.h"

/* Fresh adapters do without. */
void
peft_beneath_shape(const struct peft_module *m, struct peft_shape *shape)
{
	const struct peft_site *s = m->site;
	bool embedding = s != NULL && s->kind == PEFT_EMBEDDING;

	if (s == NULL || m->method != m->adapter->method || m->method->hub ||
	    m->adapter->fresh || (!embedding && s->kind != PEFT_HEAD))
		return;
	*shape = (struct peft_shape){ "base_layer.weight", 2,
	    { embedding ? s->in : s->out, embedding ? s->out : s->in },
	    .fixed = true, .droppable = true };
}

int
peft_beneath_check(const struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_param *p = m->param[PEFT_BENEATH];
	size_t cols, i, k;
	float *row;
	int r = 0;

	if (p == NULL || p->n == 0 || base == NULL)
		return 0;
	cols = p->shape[1];
	if ((row = peft_calloc(cols, sizeof(*row), err)) == NULL)
		return -1;
	for (i = 0; r == 0 && i < p->shape[0]; i++) {
		r = base->get(base->ctx, i, 1, row, err);
		for (k = 0; r == 0 && k < cols; k++)
			if (fabsf(row[k] - p->value[i * cols + k]) >
			    1e-6f + 0.01f * fabsf(row[k]))
				r = peft_setfail(err, PEFT_CHECK, "tensor %s "
				    "is not the weight of this base",
				    p->name);
	}
	free(row);
	return r;
}
