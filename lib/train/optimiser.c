/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers that keep one or two arrays beside the values. */

#include <math.h>
#include <string.h>

#include "train/optimiser.h"

static const struct peft_optimiser *const all[] = { &peft_adamw,
    &peft_adamw8bit, &peft_sgd, &peft_lion, &peft_adafactor,
    &peft_schedulefree };

const char *const peft_optimiser_names[] = { "adamw", "adamw8bit", "sgd",
    "lion", "adafactor", "schedule-free", NULL };

const struct peft_optimiser *
peft_optimiser_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i]->name, name) == 0)
			return all[i];
	return NULL;
}

size_t
peft_optimiser_floats(const struct peft_optimiser *o,
    const struct peft_param *p, int part)
{
	if (o->part[part] == NULL)
		return 0;
	return o->floats == NULL ? p->n : o->floats(p, part);
}

static void
adamw(const struct peft_optstep *s, struct peft_param *p, float *const state[])
{
	s->vec->adamw(p->value, p->grad, state[0], state[1], p->n, s->gscale,
	    (float)s->lr, (float)s->beta1, (float)s->beta2, (float)s->eps,
	    (float)s->decay, 1 - pow(s->beta1, (double)s->t),
	    1 - pow(s->beta2, (double)s->t));
}

const struct peft_optimiser peft_adamw = { .name = "adamw", .beta1 = 0.9,
    .beta2 = 0.999, .eps = 1e-8, .part = { "m", "v" }, .step = adamw,
    .shown = -1 };

static void
sgd(const struct peft_optstep *s, struct peft_param *p, float *const state[])
{
	float decay = (float)s->decay, lr = (float)s->lr;
	float keep = s->t == 1 ? 0 : (float)s->beta1;
	size_t i;

	for (i = 0; i < p->n; i++) {
		float g = p->grad[i] * s->gscale + decay * p->value[i];

		state[0][i] = keep * state[0][i] + g;
		p->value[i] -= lr * state[0][i];
	}
}

const struct peft_optimiser peft_sgd = { .name = "sgd", .beta1 = 0.9,
    .part = { "momentum" }, .step = sgd, .shown = -1 };

static void
lion(const struct peft_optstep *s, struct peft_param *p, float *const state[])
{
	float b1 = (float)s->beta1, b2 = (float)s->beta2, lr = (float)s->lr;
	float new1 = (float)(1 - s->beta1), new2 = (float)(1 - s->beta2);
	float keep = (float)(1 - s->lr * s->decay);
	size_t i;

	for (i = 0; i < p->n; i++) {
		float g = p->grad[i] * s->gscale;
		float u = b1 * state[0][i] + new1 * g;

		p->value[i] *= keep;
		p->value[i] -= lr * (float)((u > 0) - (u < 0));
		state[0][i] = b2 * state[0][i] + new2 * g;
	}
}

const struct peft_optimiser peft_lion = { .name = "lion", .beta1 = 0.9,
    .beta2 = 0.99, .part = { "m" }, .step = lion, .shown = -1 };

enum { Z, V, X };

static void
schedulefree_start(const struct peft_param *p, float *const state[])
{
	memcpy(state[Z], p->value, p->n * sizeof(float));
	memcpy(state[X], p->value, p->n * sizeof(float));
}

/* value: y, between z and x. */
static void
schedulefree(const struct peft_optstep *s, struct peft_param *p,
    float *const state[])
{
	float b1 = (float)s->beta1, b2 = (float)s->beta2, lr = (float)s->lr;
	float new2 = (float)(1 - s->beta2), decay = (float)s->decay;
	float c2 = (float)(1 - pow(s->beta2, (double)s->t));
	float eps = (float)s->eps, mix = (float)s->mix;
	float *z = state[Z], *v = state[V], *x = state[X], *y = p->value;
	size_t i;

	for (i = 0; i < p->n; i++) {
		float g = p->grad[i] * s->gscale;

		v[i] = b2 * v[i] + new2 * g * g;
		g = g / (sqrtf(v[i] / c2) + eps) + decay * y[i];
		z[i] -= lr * g;
		x[i] += mix * (z[i] - x[i]);
		y[i] = z[i] + b1 * (x[i] - z[i]);
	}
}

const struct peft_optimiser peft_schedulefree = { .name = "schedule-free",
    .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .part = { "z", "v", "x" },
    .start = schedulefree_start, .step = schedulefree, .shown = X };

/* The second moment of a matrix is kept as the means of its rows and of its
 * columns; of more dimensions, the last two are those of matrices. */
enum { ROW, COL };

struct matrices {
	size_t	n, rows, cols;
};

static struct matrices
matrices(const struct peft_param *p)
{
	struct matrices m = { 1, p->n, 1 };

	if (p->ndim >= 2) {
		m.rows = p->shape[p->ndim - 2];
		m.cols = p->shape[p->ndim - 1];
		m.n = p->n / (m.rows * m.cols);
	}
	return m;
}

static size_t
adafactor_floats(const struct peft_param *p, int part)
{
	struct matrices m = matrices(p);

	return part == ROW ? m.n * m.rows : p->ndim < 2 ? 0 : m.n * m.cols;
}

/* The means over a matrix, g [rows, cols] times scale; col may be NULL. */
static void
means(const float *g, double scale, const struct matrices *m, double keep,
    float *row, float *col)
{
	size_t i, j;

	for (j = 0; j < m->cols && col != NULL; j++)
		col[j] *= (float)keep;
	for (i = 0; i < m->rows; i++) {
		double sum = 0;

		for (j = 0; j < m->cols; j++) {
			double x = (double)g[i * m->cols + j] * scale;
			double u = x * x + 1e-30;

			sum += u;
			if (col != NULL)
				col[j] += (float)((1 - keep) * u /
				    (double)m->rows);
		}
		row[i] = (float)(keep * (double)row[i] + (1 - keep) * sum /
		    (double)m->cols);
	}
}

/* The gradient of a matrix becomes what it is by its second moment; returns
 * the sum of its squares. */
static double
normalise(float *g, double scale, const struct matrices *m, const float *row,
    const float *col)
{
	double mean = 0, sum = 0;
	size_t i;

	for (i = 0; i < m->rows; i++)
		mean += (double)row[i] / (double)m->rows;
	for (i = 0; i < m->rows * m->cols; i++) {
		double v = (double)row[i / m->cols], u;

		if (col != NULL)
			v = v / mean * (double)col[i % m->cols];
		u = (double)g[i] * scale / sqrt(v);
		g[i] = (float)u;
		sum += u * u;
	}
	return sum;
}

static void
adafactor(const struct peft_optstep *s, struct peft_param *p,
    float *const state[])
{
	struct matrices m = matrices(p);
	double sum = 0, keep = 1 - pow((double)s->t, -0.8);
	double gscale = (double)s->gscale;
	float scale;
	size_t i;

	for (i = 0; i < m.n; i++) {
		float *g = p->grad + i * m.rows * m.cols;	/* used up */
		float *row = state[ROW] + i * m.rows;
		float *col = state[COL] == NULL ? NULL : state[COL] +
		    i * m.cols;

		means(g, gscale, &m, keep, row, col);
		sum += normalise(g, gscale, &m, row, col);
	}
	scale = (float)(s->lr / fmax(1, sqrt(sum / (double)p->n)));
	for (i = 0; i < p->n; i++) {
		p->value[i] -= (float)(s->decay * s->lr) * p->value[i];
		p->value[i] -= scale * p->grad[i];
	}
}

const struct peft_optimiser peft_adafactor = { .name = "adafactor",
    .part = { "row", "col" }, .floats = adafactor_floats, .step = adafactor,
    .shown = -1 };
