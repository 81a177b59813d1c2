/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DoRA on an embedding: row(id) = g o (W[id] + s B A[:, id]), g = m / norm,
 * the norm of each of the row's features over the whole vocabulary.  As a
 * linear layer it were W^T [dim, vocab], and so it is for dora.c.
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/dora.h"

/* What scales() is made of, in one go over the rows: |W_d|^2 and A W. */
static int
sum_up(const struct peft_module *m, struct peft_dora *d,
    const struct peft_rows *base, float *row, struct peft_err *err)
{
	const struct peft_vec *v = peft_vec_best();
	size_t vocab = m->site->in, dim = m->site->out, r = m->rank, i, k;
	const float *a = d->low.a;

	for (i = 0; i < vocab; i++) {
		if (base->get(base->ctx, i, 1, row, err) == -1)
			return -1;
		for (k = 0; k < r; k++)
			v->axpy(d->wa + k * dim, a[k * vocab + i], row, dim);
		for (k = 0; k < dim; k++)
			d->norm2[k] += row[k] * row[k];
	}
	for (i = 0; i < r; i++)
		for (k = 0; k < r; k++)
			d->aa[i * r + k] = v->dot(a + i * vocab,
			    a + k * vocab, vocab);
	return 0;
}

int
peft_dora_embedding_prepare(struct peft_module *m,
    const struct peft_rows *base, struct peft_err *err)
{
	float *row;
	int r;

	if (peft_dora_open(m, base, err) == -1)
		return -1;
	if (base == NULL)
		return 0;
	if ((row = peft_calloc(m->site->out, sizeof(*row), err)) == NULL)
		return -1;
	r = sum_up(m, m->state, base, row, err);
	free(row);
	if (r == 0)
		peft_dora_scales(m);
	return r;
}

int
peft_dora_embedding_start(struct peft_module *m, struct peft_err *err)
{
	size_t dim = m->site->out, i, k;
	float *norm = m->param[PEFT_LORA_MAGNITUDE]->value;
	float *w = peft_module_weight(m, err), *row = w;

	if (w == NULL)
		return -1;
	memset(norm, 0, dim * sizeof(*norm));
	for (i = 0; i < m->site->in; i++, row += dim) {
		(void)peft_lora_embedding_merge(m, i, 1, 1, row);
		for (k = 0; k < dim; k++)
			norm[k] += row[k] * row[k];
	}
	for (k = 0; k < dim; k++)
		norm[k] = sqrtf(norm[k]);
	free(w);
	return 0;
}

/* Rows before they are scaled. */
static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return T * m->site->out;
}

/* row = (1 - a) row + a g o (row + s B A[:, id]), of which the last is kept. */
static void
make_row(const struct peft_module *m, size_t id, float a, float *row,
    float *keep)
{
	const struct peft_dora *d = m->state;
	size_t k;

	memcpy(keep, row, m->site->out * sizeof(*keep));
	(void)peft_lora_embedding_merge(m, id, 1, 1, keep);
	for (k = 0; k < m->site->out; k++)
		row[k] += a * (d->scale[k] * keep[k] - row[k]);
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	size_t t;

	for (t = 0; t < c->T; t++)
		if (c->ids[t] >= 0)
			make_row(m, (size_t)c->ids[t], m->weight, y + t * ldy,
			    c->saved + t * m->site->out);
}

/* The factors see the gradient scaled. */
static void
row_back(const struct peft_module *m, size_t id, const float *dy,
    const float *keep)
{
	const struct peft_dora *d = m->state;
	size_t r = m->rank, vocab = m->site->in, i, k;
	const float *a = d->low.a + id, *b = d->low.b;

	for (i = 0; i < m->site->out; i++) {
		float g = m->weight * dy[i], s = m->scale * d->scale[i] * g;

		m->param[PEFT_LORA_MAGNITUDE]->grad[i] += g * keep[i] *
		    d->inverse[i];
		for (k = 0; k < r; k++) {
			d->low.gb[i * r + k] += s * a[k * vocab];
			d->low.ga[k * vocab + id] += s * b[i * r + k];
		}
	}
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	size_t t;

	(void)dx;
	(void)lddx;
	for (t = 0; m->train && t < c->T; t++)
		if (c->ids[t] >= 0)
			row_back(m, (size_t)c->ids[t], dy + t * lddy,
			    c->saved + t * m->site->out);
}

const struct peft_hook_ops peft_dora_embedding_hook = {
	.memory = peft_dora_memory, .begin = peft_dora_begin,
	.rows = peft_dora_rows, .saved = saved, .forward = forward,
	.backward = backward,
};

int
peft_dora_embedding_merge(const struct peft_module *m, size_t first,
    size_t n, float weight, float *rows, struct peft_err *err)
{
	float *keep = peft_calloc(m->site->out, sizeof(*keep), err);
	size_t i;

	for (i = 0; keep != NULL && i < n; i++)
		make_row(m, first + i, weight, rows + i * m->site->out, keep);
	free(keep);
	return keep == NULL ? -1 : 0;
}
