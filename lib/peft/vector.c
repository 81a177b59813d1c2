/* SPDX-License-Identifier: Apache-2.0 */
/* A norm's weight and bias, replaced: w + a (w' - w), where a is the
 * adapter's weight. */

#include <string.h>

#include "math/vec.h"
#include "peft/row.h"
#include "peft/vector.h"

enum { WEIGHT, BIAS };

/* What a norm multiplies with, of all heads that it tells apart. */
static size_t
weights_of(const struct peft_site *s)
{
	return s->heads > 0 ? s->heads * s->in : s->in;
}

void
peft_vector_shapes(const struct peft_module *m, const char *weight,
    const char *bias, struct peft_shape *out)
{
	const struct peft_site *s = m->site;

	if (weight != NULL && s->heads > 0)
		out[WEIGHT] = peft_shape2(weight, s->heads, s->in);
	else if (weight != NULL)
		out[WEIGHT] = peft_shape1(weight, s->in);
	if (s->bias != SIZE_MAX)
		out[BIAS] = peft_shape1(bias, s->in);
}

int
peft_vector_start(struct peft_module *m, struct peft_err *err)
{
	const struct peft_site *s = m->site;
	size_t i;

	if (s->norm == NULL)
		return peft_seterr(err, "%s needs the model's weights to "
		    "begin from", m->method->type);
	for (i = 0; i < weights_of(s); i++)
		m->param[WEIGHT]->value[i] = s->norm[i] - s->more;
	if (m->param[BIAS] != NULL)
		memcpy(m->param[BIAS]->value, s->b, s->in * sizeof(float));
	return 0;
}

static size_t
memory(const void *self)
{
	const struct peft_module *m = self;

	return 2 * (weights_of(m->site) + m->site->in) * sizeof(float);
}

/* State: weight, bias as they are used, and their gradients. */
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
	const struct peft_site *s = m->site;
	size_t n = weights_of(s), i;
	float *w = m->state, *b = w + n, a = m->weight;

	(void)product;
	if (cpu == NULL || !peft_module_stale(m))
		return;
	for (i = 0; i < n; i++) {
		w[i] = m->param[WEIGHT] == NULL ? s->norm[i] :
		    m->param[WEIGHT]->value[i] + s->more;
		if (a != 1)
			w[i] = s->norm[i] + a * (w[i] - s->norm[i]);
	}
	for (i = 0; m->param[BIAS] != NULL && i < s->in; i++) {
		b[i] = m->param[BIAS]->value[i];
		if (a != 1)
			b[i] = s->b[i] + a * (b[i] - s->b[i]);
	}
	memset(b + s->in, 0, (n + s->in) * sizeof(*b));
}

static void
end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	size_t n = weights_of(m->site), in = m->site->in;
	const float *g = (const float *)m->state + n + in;

	(void)cpu;
	if (!m->train)
		return;
	if (m->param[WEIGHT] != NULL)
		peft_vec_best()->axpy(m->param[WEIGHT]->grad, m->weight, g,
		    n);
	if (m->param[BIAS] != NULL)
		peft_vec_best()->axpy(m->param[BIAS]->grad, m->weight, g + n,
		    in);
}

static const float *
vector(void *self, bool bias, float **grad)
{
	struct peft_module *m = self;
	size_t n = weights_of(m->site);
	float *v = (float *)m->state + (bias ? n : 0);

	*grad = m->train ? v + n + m->site->in : NULL;
	return v;
}

const struct peft_hook_ops peft_vector_hook = {
	.memory = memory, .begin = begin, .end = end, .vector = vector,
};

bool
peft_vector_changes(const struct peft_module *m, enum peft_leaf leaf)
{
	return leaf == PEFT_LEAF_WEIGHT || m->param[BIAS] != NULL;
}

int
peft_vector_merge(const struct peft_module *m, enum peft_leaf leaf,
    size_t first, size_t n, float weight, float *rows)
{
	const float *to = m->param[leaf == PEFT_LEAF_BIAS ? BIAS :
	    WEIGHT]->value + first * m->site->in;
	size_t i;

	for (i = 0; i < n * m->site->in; i++)
		rows[i] += weight * (to[i] - rows[i]);
	return 0;
}
