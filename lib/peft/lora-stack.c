/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LoRA on a parameter that all experts of a layer share (target_parameters,
 * PEFT's ParamWrapper): expert e adds s B_e A_e to its weight.  A [E r, in]
 * has the experts' halves end to end; of B [out, r E] column k E + e is column
 * k of expert e's.  A parameter is known by the module that holds it; where two
 * of one module are targeted PEFT wraps the second around the first, whose
 * tensors are then named base_layer.
 */

#include <math.h>
#include <string.h>

#include "peft/lora.h"
#include "peft/parameters.h"
#include "peft/thin.h"

enum { A = PEFT_LORA_A, B = PEFT_LORA_B };

struct stack {
	float	*b, *gb;	/* [E, out, r] B and its gradient, by expert */
	float	 data[];
};

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct peft_lora *l = settings;
	const struct peft_site *s = m->site;
	bool inner = s->slot == PEFT_STACK_IN && peft_parameter_beside(
	    m->adapter->config, s->path, "down_proj");

	if (l->start > PEFT_LORA_GAUSSIAN && m->adapter->fresh)
		return peft_seterr(err, "init_lora_weights: the experts of "
		    "target_parameters can only begin with true, false or "
		    "gaussian");
	if (peft_lora_scale(l, m, err) == -1)
		return -1;
	out[A] = peft_shape2(inner ? "base_layer.lora_A.weight" :
	    "lora_A.weight", m->rank * s->experts, s->in);
	out[B] = peft_shape2(inner ? "base_layer.lora_B.weight" :
	    "lora_B.weight", s->out, m->rank * s->experts);
	out[A].place = out[B].place = PEFT_AT_OWNER;
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct peft_lora *l = settings;
	size_t cols = m->param[part]->shape[1];

	if (part == B && l->start != PEFT_LORA_FALSE)
		peft_init_const(value, n, 0);
	else if (l->start == PEFT_LORA_GAUSSIAN)
		peft_init_normal(rng, value, n, 1 / (double)m->rank);
	else
		peft_init_uniform(rng, value, n, 1 / sqrt((double)cols));
}

static size_t
memory(const void *self)
{
	const struct peft_module *m = self;

	return sizeof(struct stack) + 2 * m->param[B]->n * sizeof(float);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	struct stack *s = peft_calloc(1, memory(m), err);

	(void)base;
	if ((m->state = s) == NULL)
		return -1;
	s->b = s->data;
	s->gb = s->b + m->param[B]->n;
	return 0;
}

/* Where column k of expert e in row o of B [out, r E] is in [E, out, r], whose
 * rows are in the order of the linears. */
static size_t
place(const struct peft_module *m, size_t o, size_t k, size_t e)
{
	if (m->site->turns)
		o = o / 2 + o % 2 * (m->site->out / 2);
	return (e * m->site->out + o) * m->rank + k;
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	struct stack *s = m->state;
	const float *b = m->param[B]->value;
	size_t o, k, e;

	(void)cpu;
	(void)product;
	if (!peft_module_stale(m))
		return;
	for (o = 0; o < m->site->out; o++)
		for (k = 0; k < m->rank; k++)
			for (e = 0; e < m->site->experts; e++)
				s->b[place(m, o, k, e)] = *b++;
	memset(s->gb, 0, m->param[B]->n * sizeof(*s->gb));
}

static void
end(void *self, struct peft_cpu *cpu)
{
	struct peft_module *m = self;
	const struct stack *s = m->state;
	float *g = m->param[B]->grad;
	size_t o, k, e;

	(void)cpu;
	for (o = 0; m->train && o < m->site->out; o++)
		for (k = 0; k < m->rank; k++)
			for (e = 0; e < m->site->experts; e++)
				*g++ += s->gb[place(m, o, k, e)];
}

static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return T * m->rank;
}

static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return peft_thin_scratch(m, T);
}

static struct peft_thin
thin_of(const struct peft_module *m, size_t e)
{
	const struct stack *s = m->state;
	size_t r = m->rank, in = m->site->in, out = m->site->out;

	return (struct peft_thin){ .r = r, .in = in, .out = out,
	    .a = m->param[A]->value + e * r * in, .b = s->b + e * out * r,
	    .scale = m->scale * m->weight };
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_thin w = thin_of(self, c->expert);

	peft_thin_forward(c, &w, c->x, c->ldx, y, ldy);
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	const struct peft_thin w = thin_of(m, c->expert);
	const struct stack *s = m->state;

	peft_thin_hidden(c, &w, dy, lddy);
	if (m->train)
		peft_thin_gradients(c, &w, c->x, c->ldx, dy, lddy,
		    m->param[A]->grad + c->expert * w.r * w.in,
		    s->gb + c->expert * w.out * w.r);
	if (dx != NULL)
		peft_thin_input(c, &w, true, dx, lddx);
}

static const struct peft_hook_ops hook = {
	.memory = memory, .begin = begin, .end = end, .saved = saved,
	.scratch = scratch, .forward = forward, .backward = backward,
};

/* Rows first .. of the stack, all of one expert. */
static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct stack *s = m->state;
	size_t r = m->rank, in = m->site->in, i;
	const float *a = m->param[A]->value + first / m->site->out * r * in;

	(void)leaf;
	(void)base;
	(void)err;
	for (i = 0; i < n; i++)
		peft_lowrank_row(s->b + (first + i) * r, a, r, in,
		    m->scale * weight, rows + i * in);
	return 0;
}

const struct peft_method peft_lora_stack = {
	.type = "LORA", .kinds = 1 << PEFT_STACK, .shapes = shapes,
	.init = init, .prepare = prepare, .hook = &hook,
	.changes = peft_weight_changes, .merge = merge,
};
