/* SPDX-License-Identifier: Apache-2.0 */
/* y += s (B (A drop(x)) + b): what LoRA and its relatives share. */

#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/lowrank.h"
#include "peft/thin.h"

enum { A, B, BIAS };

static const struct peft_lowrank_ops *
ops_of(const struct peft_module *m)
{
	return m->method->ops;
}

static size_t
own_floats(const struct peft_module *m)
{
	return ops_of(m) == NULL ? 0 : 2 * m->rank * (m->site->in +
	    m->site->out);
}

size_t
peft_lowrank_memory(const void *self)
{
	return sizeof(struct peft_lowrank) + own_floats(self) * sizeof(float);
}

int
peft_lowrank_prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	struct peft_lowrank *l = peft_calloc(1, peft_lowrank_memory(m), err);
	size_t na = m->rank * m->site->in, nb = m->rank * m->site->out;

	(void)base;
	if ((m->state = l) == NULL)
		return -1;
	if (ops_of(m) == NULL) {
		l->a = m->param[A]->value;
		l->b = m->param[B]->value;
		l->ga = m->param[A]->grad;
		l->gb = m->param[B]->grad;
		return 0;
	}
	l->own = l->data;
	l->a = l->own;
	l->b = l->own + na;
	l->ga = l->own + na + nb;
	l->gb = l->ga + na;
	return 0;
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	struct peft_lowrank *l = m->state;
	size_t na = m->rank * m->site->in, nb = m->rank * m->site->out;

	(void)cpu;
	(void)product;
	if (ops_of(m) == NULL || !peft_module_stale(m))
		return;
	ops_of(m)->make(m, l->own, l->own + na);
	memset(l->ga, 0, (na + nb) * sizeof(float));
}

static void
end(void *self, struct peft_cpu *cpu)
{
	struct peft_module *m = self;
	struct peft_lowrank *l = m->state;

	(void)cpu;
	if (ops_of(m) != NULL && m->train)
		ops_of(m)->back(m, l->ga, l->gb);
}

size_t
peft_lowrank_saved(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return T * m->rank;			/* h = A drop(x) */
}

static struct peft_thin
thin_of(const struct peft_module *m)
{
	const struct peft_lowrank *l = m->state;

	return (struct peft_thin){ .r = m->rank, .in = m->site->in,
	    .out = m->site->out, .a = l->a, .b = l->b,
	    .scale = m->scale * m->weight };
}

size_t
peft_lowrank_scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	/* behind that of the products: what is dropped out, there and back */
	return peft_thin_scratch(m, T) + (m->train && m->dropout > 0 ?
	    2 * T * m->site->in : 0);
}

void
peft_lowrank_forward(void *self, const struct peft_hook_call *c, float *y,
    size_t ldy)
{
	const struct peft_module *m = self;
	const struct peft_thin w = thin_of(m);
	size_t ld, t;
	const float *x = peft_drop(m, c, c->scratch +
	    peft_thin_scratch(m, c->T), &ld);
	float s = w.scale;

	if (w.r == 0)			/* AdaLoRA has pruned it away */
		return;
	peft_thin_forward(c, &w, x, ld, y, ldy);
	for (t = 0; ops_of(m) == NULL && m->param[BIAS] != NULL && t < c->T;
	    t++)
		peft_cpu_vec(c->cpu)->axpy(y + t * ldy, s,
		    m->param[BIAS]->value, m->site->out);
}

/* The gradients of A, B and b. */
static void
gradients(struct peft_module *m, const struct peft_hook_call *c,
    const float *dy, size_t lddy)
{
	const struct peft_lowrank *l = m->state;
	const struct peft_thin w = thin_of(m);
	size_t out = m->site->out, ld, t;
	float s = w.scale;
	const float *x = peft_drop(m, c, c->scratch +
	    peft_thin_scratch(m, c->T), &ld);

	peft_thin_gradients(c, &w, x, ld, dy, lddy, l->ga, l->gb);
	for (t = 0; ops_of(m) == NULL && m->param[BIAS] != NULL && t < c->T;
	    t++)
		peft_cpu_vec(c->cpu)->axpy(m->param[BIAS]->grad, s,
		    dy + t * lddy, out);
}

void
peft_lowrank_backward(void *self, const struct peft_hook_call *c,
    const float *dy, size_t lddy, float *dx, size_t lddx)
{
	struct peft_module *m = self;
	const struct peft_thin w = thin_of(m);
	float *g = c->scratch + peft_thin_scratch(m, c->T) + c->T * w.in;
	bool drop = peft_drop_on(m, c);

	if (w.r == 0)
		return;
	peft_thin_hidden(c, &w, dy, lddy);
	if (m->train)
		gradients(m, c, dy, lddy);
	if (dx == NULL || c->hidden != NULL)
		return;
	peft_thin_input(c, &w, !drop, drop ? g : dx, drop ? w.in : lddx);
	if (drop)
		peft_drop_back(m, c, g, dx, lddx);
}

bool
peft_lowrank_thin(const void *self, const struct peft_hook_call *c,
    struct peft_thin *w)
{
	const struct peft_module *m = self;

	*w = (struct peft_thin){ .r = m->rank, .in = m->site->in,
	    .out = m->site->out };
	if (!peft_thin_beside(c, w) || (m->train && m->dropout > 0))
		return false;
	if (c != NULL)
		*w = thin_of(m);
	w->alone = ops_of(m) != NULL || m->param[BIAS] == NULL;
	return true;
}

const struct peft_hook_ops peft_lowrank_hook = {
	.memory = peft_lowrank_memory, .begin = begin,
	.end = end, .saved = peft_lowrank_saved,
	.scratch = peft_lowrank_scratch, .forward = peft_lowrank_forward,
	.backward = peft_lowrank_backward, .thin = peft_lowrank_thin,
};

bool
peft_lowrank_changes(const struct peft_module *m, enum peft_leaf leaf)
{
	return leaf == PEFT_LEAF_WEIGHT ||
	    (ops_of(m) == NULL && m->param[BIAS] != NULL);
}

/* By stretches of columns that stay in the cache while they are summed; the
 * sum is added to the base's value in one rounding. */
void
peft_lowrank_row(const float *b, const float *a, size_t r, size_t in, float s,
    float *row)
{
	enum { STRETCH = 1024 };
	const struct peft_vec *v = peft_vec_best();
	float sum[STRETCH];
	size_t c, n, k;

	for (c = 0; c < in; c += n) {
		n = in - c < STRETCH ? in - c : STRETCH;
		memset(sum, 0, n * sizeof(*sum));
		for (k = 0; k < r; k++)
			v->axpy(sum, b[k], a + k * in + c, n);
		v->axpy(row + c, s, sum, n);
	}
}

int
peft_lowrank_merge(const struct peft_module *m, enum peft_leaf leaf,
    size_t first, size_t n, float weight, float *rows,
    const struct peft_rows *base, struct peft_err *err)
{
	const struct peft_lowrank *l = m->state;
	size_t in = m->site->in, r = m->rank, i;
	float s = m->scale * weight;

	(void)base;
	(void)err;
	if (leaf == PEFT_LEAF_BIAS)
		peft_vec_best()->axpy(rows, s, m->param[BIAS]->value,
		    m->site->out);
	for (i = 0; leaf == PEFT_LEAF_WEIGHT && i < n; i++)
		peft_lowrank_row(l->b + (first + i) * r, l->a, r, in, s,
		    rows + i * in);
	return 0;
}
