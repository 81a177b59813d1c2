/* SPDX-License-Identifier: Apache-2.0 */
/* y += D drop(x), by strips of the rows of D. */

#include <stdlib.h>
#include <string.h>

#include "peft/dense.h"
#include "peft/lowrank.h"
#include "math/vec.h"
#include "quant/quant.h"

enum { STRIP = 128, PART = 8 };		/* rows; and those of a task */

static size_t
strip_of(const struct peft_module *m)
{
	return m->site->out < STRIP ? m->site->out : STRIP;
}

bool
peft_dense_reads(const void *module)
{
	const struct peft_module *m = module;
	const struct peft_dense_ops *ops = m->method->ops;

	return ops->base != NULL && ops->base(m);
}

static size_t
saved(const void *self, size_t T)
{
	(void)self;
	(void)T;
	return 0;
}

/* A strip of D, of the base, of the gradient; what rows are multiplied with;
 * the input dropped out, and the gradient behind that. */
static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return 3 * strip_of(m) * m->site->in + m->site->out + (m->train &&
	    m->dropout > 0 ? 2 * T * m->site->in : 0);
}

struct strip {
	const struct peft_module	*m;
	size_t				 first, n;
	float				*w, *delta;
	const float			*keep;	/* of its rows; NULL: all */
};

/* Rows of a weight that is stored [in, out]: elements of its rows. */
static void
columns(const struct peft_site *s, size_t first, size_t n, float *w)
{
	size_t block = peft_dtypes[s->w->dtype].block, i, k, from, end;
	float part[PART + 2 * PEFT_MAXBLOCK];

	from = first / block * block;
	end = (first + n + block - 1) / block * block;
	for (i = 0; i < s->in; i++) {
		peft_decode(s->w, i * s->out + from, end - from, part);
		for (k = 0; k < n; k++)
			w[k * s->in + i] = part[first - from + k];
	}
}

static void
strip_task(void *ctx, size_t task, int thread)
{
	const struct strip *s = ctx;
	const struct peft_dense_ops *ops = s->m->method->ops;
	size_t in = s->m->site->in, i = task * PART;
	size_t n = s->n - i < PART ? s->n - i : PART;
	float *w = peft_dense_reads(s->m) ? s->w + i * in : NULL;

	(void)thread;
	if (w != NULL && s->m->site->transposed)
		columns(s->m->site, s->first + i, n, w);
	else if (w != NULL)
		peft_decode(s->m->site->w, (s->first + i) * in, n * in, w);
	memset(s->delta + i * in, 0, n * in * sizeof(float));
	ops->rows(s->m, s->first + i, n, w, s->delta + i * in);
	for (; s->keep != NULL && n > 0; n--, i++)
		peft_vec_best()->scale(s->delta + i * in, s->keep[i], in);
}

/* Rows first .. of D, in the scratch. */
static struct strip
make_strip(const struct peft_module *m, const struct peft_hook_call *c,
    const float *keep, size_t first)
{
	size_t most = strip_of(m), size = most * m->site->in;
	struct strip s = { .m = m, .first = first, .delta = c->scratch,
	    .w = c->scratch + size, .keep = keep == NULL ? NULL :
	    keep + first };

	s.n = m->site->out - first < most ? m->site->out - first : most;
	peft_cpu_run(c->cpu, (s.n + PART - 1) / PART, strip_task, &s);
	return s;
}

static float *
drop_room(const struct peft_module *m, const struct peft_hook_call *c)
{
	return c->scratch + 3 * strip_of(m) * m->site->in + m->site->out;
}

static const float *
kept_rows(const struct peft_module *m, const struct peft_hook_call *c)
{
	float *keep = drop_room(m, c) - m->site->out;

	return peft_drop_rows(m, c, keep, m->site->out) ? keep : NULL;
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	size_t in = m->site->in, i, ld;
	const float *x = peft_drop(m, c, drop_room(m, c), &ld);
	const float *keep = kept_rows(m, c);
	struct strip s;

	if (peft_drop_all(m, c))
		return;
	for (i = 0; i < m->site->out; i += s.n) {
		s = make_strip(m, c, keep, i);
		peft_gemm(c->cpu, PEFT_N, PEFT_T, c->T, s.n, in, m->weight, x,
		    ld, s.delta, in, 1, y + i, ldy);
	}
}

static void
backward(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	const struct peft_dense_ops *ops = m->method->ops;
	size_t in = m->site->in, i, ld;
	const float *x = peft_drop(m, c, drop_room(m, c), &ld);
	float *g = c->scratch + 2 * strip_of(m) * in;
	bool drop = peft_drop_on(m, c);
	float *behind = drop ? drop_room(m, c) + c->T * in : dx;
	size_t ldb = drop ? in : lddx, k;
	const float *keep = kept_rows(m, c);
	struct strip s;

	if (peft_drop_all(m, c))
		return;
	if (drop)
		memset(behind, 0, c->T * in * sizeof(*behind));
	for (i = 0; i < m->site->out; i += s.n) {
		s = make_strip(m, c, keep, i);
		if (dx != NULL)
			peft_gemm(c->cpu, PEFT_N, PEFT_N, c->T, in, s.n,
			    m->weight, dy + i, lddy, s.delta, in, 1, behind,
			    ldb);
		if (!m->train)
			continue;
		peft_gemm(c->cpu, PEFT_T, PEFT_N, s.n, in, c->T, m->weight,
		    dy + i, lddy, x, ld, 0, g, in);
		for (k = 0; keep != NULL && k < s.n; k++)
			peft_vec_best()->scale(g + k * in, keep[i + k], in);
		ops->back(m, i, s.n, s.w, g);
	}
	if (drop && dx != NULL)
		peft_drop_back(m, c, behind, dx, lddx);
}

const struct peft_hook_ops peft_dense_hook = {
	.reads = peft_dense_reads, .saved = saved, .scratch = scratch,
	.forward = forward, .backward = backward,
};

int
peft_dense_merge(const struct peft_module *m, enum peft_leaf leaf,
    size_t first, size_t n, float weight, float *rows,
    const struct peft_rows *base, struct peft_err *err)
{
	const struct peft_dense_ops *ops = m->method->ops;
	bool reads = peft_dense_reads(m);
	size_t in = m->site->in, i;
	float *delta = peft_calloc(in, sizeof(*delta), err);

	(void)leaf;
	(void)base;
	if (delta == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		memset(delta, 0, in * sizeof(*delta));
		ops->rows(m, first + i, 1, reads ? rows + i * in : NULL,
		    delta);
		peft_vec_best()->axpy(rows + i * in, weight, delta, in);
	}
	free(delta);
	return 0;
}
