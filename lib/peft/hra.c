/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HRA (Yuan et al. 2024): the input of a linear is mirrored r times, W' = W
 * H_0 .. H_(r-1), H = I - 2 u u^T / |u|^2; u [in, r].  apply_GS makes the u
 * orthogonal to each other first, in their order.
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/row.h"

enum { U };

struct hra {
	int64_t	r;
	bool	gs, random;
};

#define AT(field)	offsetof(struct hra, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("r", "8", AT(r), 1, 1 << 20),
	PEFT_SET("apply_GS", "false", peft_set_bool, AT(gs)),
	PEFT_SET("init_weights", "true", peft_set_not, AT(random)),
	PEFT_SET_LATER("bias", "\"none\""),
	PEFT_SET_TARGETS, PEFT_SET_END
};

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct hra *h = settings;

	m->rank = (size_t)h->r;
	if (m->rank > m->site->in)
		return peft_seterr(err, "a rank of %zu is above its input's "
		    "dimension, %zu", m->rank, m->site->in);
	out[U] = peft_shape2("hra_u", m->site->in, m->rank);
	return 0;
}

/* kaiming_uniform; in pairs of equal columns, whose mirrors undo each other,
 * if there are pairs. */
static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct hra *h = settings;
	bool pairs = !h->random && m->rank % 2 == 0;
	size_t i;

	(void)part;
	peft_init_uniform(rng, value, n, 1 / sqrt((double)(pairs ?
	    m->rank / 2 : m->rank)));
	for (i = 0; pairs && i < n; i += 2)
		value[i + 1] = value[i];
}

/* State: unit vectors w [r, in], their gradients, their lengths before they
 * were made so, and the steps of one orthogonalisation. */
struct state {
	float	*w, *g, *length, *step;
	float	 data[];
};

static size_t
memory(const void *self)
{
	const struct peft_module *m = self;
	size_t n = m->rank * m->site->in;

	return sizeof(struct state) + (3 * n + m->rank + m->site->in) *
	    sizeof(float);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	struct state *s = peft_calloc(1, memory(m), err);
	size_t n = m->rank * m->site->in;

	(void)base;
	if ((m->state = s) == NULL)
		return -1;
	s->w = s->data;
	s->g = s->w + n;
	s->step = s->g + n;
	s->length = s->step + n + m->site->in;
	return 0;
}

/* t [in] -= (w . t) w for the unit vectors before k; each t that a step
 * begins with goes to step[], if there is one. */
static void
orthogonalise(const struct peft_module *m, size_t k, float *t, float *step)
{
	const struct peft_vec *v = peft_vec_best();
	const struct state *s = m->state;
	size_t in = m->site->in, j;

	for (j = 0; j < k; j++) {
		if (step != NULL)
			memcpy(step + j * in, t, in * sizeof(*t));
		v->axpy(t, -v->dot(s->w + j * in, t, in), s->w + j * in, in);
	}
}

static void
column(const struct peft_module *m, size_t k, float *t)
{
	size_t i;

	for (i = 0; i < m->site->in; i++)
		t[i] = m->param[U]->value[i * m->rank + k];
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	const struct hra *h = m->settings;
	struct state *s = m->state;
	size_t in = m->site->in, k;

	(void)cpu;
	(void)product;
	if (!peft_module_stale(m))
		return;
	for (k = 0; k < m->rank; k++) {
		float *w = s->w + k * in;

		column(m, k, w);
		if (h->gs)
			orthogonalise(m, k, w, NULL);
		s->length[k] = (float)sqrt(peft_vec_best()->sumsq(w, in));
		peft_vec_best()->scale(w, 1 / s->length[k], in);
	}
	memset(s->g, 0, m->rank * in * sizeof(*s->g));
}

/* Back through the steps of vector k, whose gradient is g. */
static void
orthogonalise_back(const struct peft_module *m, size_t k, float *g)
{
	const struct peft_vec *v = peft_vec_best();
	const struct state *s = m->state;
	size_t in = m->site->in, j;
	float *t = s->step + m->rank * in;

	column(m, k, t);
	orthogonalise(m, k, t, s->step);
	for (j = k; j-- > 0;) {
		const float *w = s->w + j * in, *before = s->step + j * in;
		float c = v->dot(w, before, in), gc = -v->dot(g, w, in);

		v->axpy(s->g + j * in, -c, g, in);
		v->axpy(s->g + j * in, gc, before, in);
		v->axpy(g, gc, w, in);
	}
}

static void
end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	const struct hra *h = m->settings;
	const struct peft_vec *v = peft_vec_best();
	const struct state *s = m->state;
	size_t in = m->site->in, k, i;

	(void)cpu;
	for (k = m->rank; m->train && k-- > 0;) {
		const float *w = s->w + k * in;
		float *g = s->g + k * in;

		v->axpy(g, -v->dot(w, g, in), w, in);
		v->scale(g, 1 / s->length[k], in);
		if (h->gs)
			orthogonalise_back(m, k, g);
		for (i = 0; i < in; i++)
			m->param[U]->grad[i * m->rank + k] += g[i];
	}
}

/* x = H x */
static void
mirror(const float *w, float *x, size_t n)
{
	peft_vec_best()->axpy(x, -2 * peft_vec_best()->dot(w, x, n), w, n);
}

struct task {
	const struct peft_module	*m;
	const struct peft_hook_call	*c;
	float				*y;
	size_t				 ldy;
};

/* y = x + a (H_0 .. H_(r-1) x - x), a being the adapter's weight. */
static void
turn_row(void *ctx, size_t t, int thread)
{
	const struct task *k = ctx;
	const struct state *s = k->m->state;
	const float *x = k->c->x + t * k->c->ldx;
	size_t in = k->m->site->in, j, i;
	float *y = k->y + t * k->ldy, a = k->m->weight;

	(void)thread;
	memcpy(y, x, in * sizeof(*y));
	for (j = k->m->rank; j-- > 0;)
		mirror(s->w + j * in, y, in);
	for (i = 0; a != 1 && i < in; i++)
		y[i] = x[i] + a * (y[i] - x[i]);
}

static void
input(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	struct task k = { self, c, y, ldy };

	peft_cpu_run(c->cpu, c->T, turn_row, &k);
}

/* z = H y: a mirror is its own inverse, so that each mirror's input is made
 * again from its output.  gw += d/dw of -2 (w . z) w. */
static void
mirror_back(const float *w, float *y, float *dy, float *gw, size_t n)
{
	const struct peft_vec *v = peft_vec_best();
	float wd = v->dot(w, dy, n), wz;

	mirror(w, y, n);
	wz = v->dot(w, y, n);
	if (gw != NULL) {
		v->axpy(gw, -2 * wz, dy, n);
		v->axpy(gw, -2 * wd, y, n);
	}
	v->axpy(dy, -2 * wd, w, n);
}

static size_t
scratch(const void *self, size_t T)
{
	const struct peft_module *m = self;

	(void)T;
	return 2 * m->site->in;
}

static void
input_back(void *self, const struct peft_hook_call *c, const float *dy,
    size_t lddy, float *dx, size_t lddx)
{
	const struct peft_module *m = self;
	const struct state *s = m->state;
	size_t in = m->site->in, t, j, i;
	float *y = c->scratch, *d = y + in, a = m->weight;

	for (t = 0; t < c->T; t++, dy += lddy) {
		memcpy(y, c->x + t * c->ldx, in * sizeof(*y));
		for (j = m->rank; j-- > 0;)
			mirror(s->w + j * in, y, in);
		for (i = 0; i < in; i++)
			d[i] = a * dy[i];
		for (j = 0; j < m->rank; j++)
			mirror_back(s->w + j * in, y, d, m->train ?
			    s->g + j * in : NULL, in);
		for (i = 0; dx != NULL && i < in; i++)
			dx[t * lddx + i] += d[i] + (1 - a) * dy[i];
	}
}

static const struct peft_hook_ops hook = {
	.memory = memory, .begin = begin, .end = end, .scratch = scratch,
	.input = input, .input_back = input_back,
};

static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	const struct state *s = m->state;
	size_t in = m->site->in, i, j;
	float *row = s->step;

	(void)leaf;
	(void)first;
	(void)base;
	(void)err;
	for (i = 0; i < n; i++, rows += in) {
		memcpy(row, rows, in * sizeof(*row));
		for (j = 0; j < m->rank; j++)
			mirror(s->w + j * in, row, in);
		for (j = 0; j < in; j++)
			rows[j] += weight * (row[j] - rows[j]);
	}
	return 0;
}

const struct peft_method peft_hra = {
	.type = "HRA", .name = "hra", .knobs = { [PEFT_KNOB_RANK] = "r" },
	.keys = keys, .size = sizeof(struct hra),
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.init = init,
	.prepare = prepare, .hook = &hook, .changes = peft_weight_changes,
	.merge = merge,
};
