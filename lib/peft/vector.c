/* SPDX-License-Identifier: Apache-2.0 */
/* A norm's weight, replaced: w + a (w' - w), where a is the adapter's. */

#include <string.h>

#include "math/vec.h"
#include "peft/row.h"
#include "peft/vector.h"

static size_t
memory(const void *self)
{
	const struct peft_module *m = self;

	return 2 * m->site->in * sizeof(float);
}

/* State: the weight that is used, and its gradient. */
int
peft_vector_prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	m->state = peft_calloc(1, memory(m), err);
	return m->state == NULL ? -1 : 0;
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	float *w = m->state;
	size_t i;

	(void)cpu;
	(void)product;
	if (!peft_module_stale(m))
		return;
	for (i = 0; i < m->site->in; i++)
		w[i] = m->weight == 1 ? m->param[0]->value[i] :
		    m->site->norm[i] + m->weight * (m->param[0]->value[i] -
		    m->site->norm[i]);
	memset(w + m->site->in, 0, m->site->in * sizeof(*w));
}

static void
end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	const float *w = m->state;

	(void)cpu;
	if (m->train)
		peft_vec_best()->axpy(m->param[0]->grad, m->weight,
		    w + m->site->in, m->site->in);
}

static const float *
vector(void *self, bool bias, float **grad)
{
	struct peft_module *m = self;
	float *w = m->state;

	if (bias)
		return NULL;
	*grad = m->train ? w + m->site->in : NULL;
	return w;
}

const struct peft_hook_ops peft_vector_hook = {
	.memory = memory, .begin = begin, .end = end,
	.saved = peft_no_floats, .scratch = peft_no_floats, .vector = vector,
};
