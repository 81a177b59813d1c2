/* SPDX-License-Identifier: Apache-2.0 */
/*
 * modules_to_save: a whole copy of a module's weight, trained in its place.
 * A linear's acts as a change of the base's, W' - W, and its bias likewise; an
 * embedding's row, or a norm's weight, instead of it.  A head that the model
 * has not begins as transformers begins it.
 */

#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/bias.h"
#include "peft/dense.h"
#include "peft/row.h"
#include "peft/tied.h"
#include "peft/vector.h"

enum { HEAD = 4 };		/* its weight again, for the head */

static const struct peft_twin twins[] = { { 0, HEAD, false }, { 0 } };

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct peft_site *s = m->site;
	bool rows_in = s->kind == PEFT_EMBEDDING;

	(void)settings;
	(void)err;
	if (!m->adapter->fresh && s->bias != SIZE_MAX)
		peft_bias_again(m, &out[2], &out[3]);
	if (s->kind == PEFT_NORM) {
		peft_vector_shapes(m, "weight", "bias", out);
		return 0;
	}
	if (s->transposed)		/* as PEFT copies it */
		rows_in = true;
	out[0] = peft_shape2("weight", rows_in ? s->in : s->out,
	    rows_in ? s->out : s->in);
	if (s->bias != SIZE_MAX)
		out[1] = peft_shape1("bias", s->out);
	if (m->both)
		out[HEAD] = peft_tied_shape(m, out[0], "weight");
	return 0;
}

/* initializer_range of nearly all families */
static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	(void)settings;
	if (m->site->fresh && part == 0)
		peft_init_normal(rng, value, n, 0.02);
}

/* Where column k of row o of the weight [out, in] is. */
static size_t
place(const struct peft_module *m, size_t o, size_t k)
{
	return m->site->transposed ? k * m->site->out + o :
	    o * m->site->in + k;
}

static int
start_turned(struct peft_module *m, struct peft_err *err)
{
	size_t in = m->site->in, out = m->site->out, o, k;
	float *w = peft_module_weight(m, err);

	for (o = 0; w != NULL && o < out; o++)
		for (k = 0; k < in; k++)
			m->param[0]->value[place(m, o, k)] = w[o * in + k];
	free(w);
	return w == NULL ? -1 : 0;
}

static int
start(struct peft_module *m, struct peft_err *err)
{
	struct peft_param *p = m->param[0];
	struct peft_rows rows;

	if (m->site->kind == PEFT_NORM)
		return peft_vector_start(m, err);
	if (m->site->fresh)
		return 0;
	if (m->param[1] != NULL && m->site->b != NULL)
		memcpy(m->param[1]->value, m->site->b, m->site->out *
		    sizeof(float));
	if (m->site->transposed)
		return start_turned(m, err);
	if (peft_module_base(m, &rows, err) == -1)
		return -1;
	return rows.get(rows.ctx, 0, p->shape[0], p->value, err);
}

static void
rows_of(const struct peft_module *m, size_t first, size_t n, const float *w,
    float *delta)
{
	const float *to = m->param[0]->value;
	size_t in = m->site->in, i, k;

	for (i = 0; i < n; i++, w += in, delta += in)
		for (k = 0; k < in; k++)
			delta[k] += to[place(m, first + i, k)] - w[k];
}

static void
back(const struct peft_module *m, size_t first, size_t n, float *w, float *g)
{
	size_t in = m->site->in, i, k;

	(void)w;
	for (i = 0; i < n; i++, g += in)
		for (k = 0; k < in; k++)
			m->param[0]->grad[place(m, first + i, k)] += g[k];
}

static const struct peft_dense_ops ops = { peft_hook_always, rows_of, back };

/* y += b' - b */
static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const float *to = m->param[1]->value, *from = m->site->b;
	size_t t, i;

	peft_dense_hook.forward(self, c, y, ldy);
	for (t = 0; t < c->T; t++)
		for (i = 0; i < m->site->out; i++)
			y[t * ldy + i] += m->weight * (to[i] - from[i]);
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	size_t t;

	for (t = 0; m->train && t < c->T; t++)
		peft_vec_best()->axpy(m->param[1]->grad, m->weight,
		    dy + t * lddy, m->site->out);
	peft_dense_hook.backward(self, c, dy, lddy, dx, lddx);
}

static size_t
saved(const void *self, size_t T)
{
	return peft_dense_hook.saved(self, T);
}

static size_t
scratch(const void *self, size_t T)
{
	return peft_dense_hook.scratch(self, T);
}

static const struct peft_hook_ops biased = {
	.reads = peft_dense_reads, .saved = saved, .scratch = scratch,
	.forward = forward, .backward = backward,
};

static size_t
row_of(const struct peft_module *m, int32_t id)
{
	(void)m;
	return (size_t)id;
}

static const struct peft_hook_ops *
hook_for(const struct peft_module *m)
{
	return m->site->kind == PEFT_NORM ? &peft_vector_hook :
	    m->site->kind == PEFT_EMBEDDING ? &peft_row_hook :
	    m->param[1] != NULL ? &biased : &peft_dense_hook;
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	if (m->site->kind == PEFT_NORM)
		return peft_vector_prepare(m, base, err);
	return m->site->kind == PEFT_EMBEDDING ? peft_row_prepare(m, row_of,
	    err) : 0;
}

static bool
changes(const struct peft_module *m, enum peft_leaf leaf)
{
	return m->site->kind == PEFT_NORM ? peft_vector_changes(m, leaf) :
	    leaf == PEFT_LEAF_WEIGHT || m->param[1] != NULL;
}

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct peft_param *p = m->param[leaf == PEFT_LEAF_BIAS];
	size_t cols = p->shape[p->ndim - 1], i;
	const float *to = p->value + first * cols;

	(void)base;
	(void)err;
	if (m->site->kind == PEFT_NORM)
		return peft_vector_merge(m, leaf, first, n, weight,
		    rows);
	if (leaf == PEFT_LEAF_WEIGHT && m->site->transposed) {
		for (i = 0; i < n * m->site->in; i++)
			rows[i] += weight * (p->value[place(m, first + i /
			    m->site->in, i % m->site->in)] - rows[i]);
		return 0;
	}
	for (i = 0; i < n * cols; i++)
		rows[i] += weight * (to[i] - rows[i]);
	return 0;
}

/* The head's rows are the embedding's. */
static const struct peft_hook_ops *
tie(struct peft_module *head, struct peft_err *err)
{
	if (head->site->bias == SIZE_MAX)
		return &peft_dense_hook;
	peft_seterr(err, "ensure_weight_tying excludes a head with a bias");
	return NULL;
}

const struct peft_method peft_full = {
	.type = "modules_to_save", .kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD |
	    1 << PEFT_EMBEDDING | 1 << PEFT_NORM,
	.shapes = shapes, .init = init, .start = start, .prepare = prepare,
	.hook_for = hook_for, .ops = &ops, .changes = changes,
	.merge = merge, .tie = tie, .twins = twins,
};
