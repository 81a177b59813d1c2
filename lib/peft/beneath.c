/* SPDX-License-Identifier: Apache-2.0 */
/* The base's own weight and bias, which PEFT writes beside an adapter that
 * targets the embedding or the head. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "peft/tied.h"

/* A bias that is trained has the name for itself. */
static bool
has_bias(const struct peft_module *m)
{
	const cJSON *bias = peft_json_get(m->adapter->config, "bias");

	return m->site->bias != SIZE_MAX && (!cJSON_IsString(bias) ||
	    strcmp(bias->valuestring, "none") == 0);
}

/* Fresh adapters do without. */
void
peft_beneath_shapes(const struct peft_module *m, struct peft_shape *shapes)
{
	const struct peft_site *s = m->site;
	bool embedding = s != NULL && s->kind == PEFT_EMBEDDING;

	if (s == NULL || m->method != m->adapter->method || m->method->hub ||
	    m->adapter->fresh || (!embedding && s->kind != PEFT_HEAD))
		return;
	shapes[PEFT_BENEATH] = peft_shape2("base_layer.weight",
	    embedding ? s->in : s->out, embedding ? s->out : s->in);
	shapes[PEFT_BENEATH].fixed = shapes[PEFT_BENEATH].droppable = true;
	if (m->both && embedding && m->method->tie != NULL)
		shapes[PEFT_BENEATH_HEAD] = peft_tied_shape(m,
		    shapes[PEFT_BENEATH], "base_layer.weight");
	if (!has_bias(m))
		return;
	shapes[PEFT_BENEATH_BIAS] = peft_shape1("base_layer.bias", s->out);
	shapes[PEFT_BENEATH_BIAS].fixed = true;
	shapes[PEFT_BENEATH_BIAS].droppable = true;
}

/* As far as types of 16 bits tell, and up to `slack'. */
static int
same(const struct peft_param *p, const float *have, size_t first, size_t n,
    float slack, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (fabsf(have[i] - p->value[first + i]) > 1e-6f + slack +
		    0.01f * fabsf(have[i]))
			return peft_setfail(err, PEFT_CHECK, "tensor %s is "
			    "not that of this base", p->name);
	return 0;
}

/* Row i as the base is beneath the adapter, and what its rounding may be. */
static float
less_part(const struct peft_module *m, size_t i, float *row, size_t n)
{
	float most = 0;
	size_t k;

	if (m->method->lacks == NULL || m->site->kind == PEFT_EMBEDDING)
		return 0;
	for (k = 0; k < n; k++)
		most = fmaxf(most, fabsf(row[k]));
	m->method->lacks(m, i, row);
	return 1e-5f * most;
}

static int
check_weight(const struct peft_module *m, const struct peft_param *p,
    const struct peft_rows *base, struct peft_err *err)
{
	size_t cols, i;
	float *row;
	int r = 0;

	if (p == NULL || p->n == 0)
		return 0;
	cols = p->shape[1];
	if ((row = peft_calloc(cols, sizeof(*row), err)) == NULL)
		return -1;
	for (i = 0; r == 0 && i < p->shape[0]; i++) {
		r = base->get(base->ctx, i, 1, row, err);
		if (r == 0)
			r = same(p, row, i * cols, cols, less_part(m, i, row,
			    cols), err);
	}
	free(row);
	return r;
}

int
peft_beneath_check(const struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_param *b = m->param[PEFT_BENEATH_BIAS];

	if (b != NULL && b->n > 0 && m->site->b != NULL &&
	    same(b, m->site->b, 0, b->n, 0, err) == -1)
		return -1;
	if (base == NULL)
		return 0;
	if (check_weight(m, m->param[PEFT_BENEATH], base, err) == -1)
		return -1;
	return check_weight(m, m->param[PEFT_BENEATH_HEAD], base, err);
}
