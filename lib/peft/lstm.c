/* SPDX-License-Identifier: Apache-2.0 */
/* A bidirectional LSTM, forward and backward in time. */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/lstm.h"

/* One direction of one layer. */
static size_t
cell_floats(size_t in, size_t h)
{
	return 4 * h * (in + h + 2);
}

size_t
peft_lstm_floats(size_t in, size_t hidden, size_t layers)
{
	return 2 * cell_floats(in, hidden) + (layers - 1) * 2 *
	    cell_floats(2 * hidden, hidden);
}

/* Kept for each layer: its output [n, 2 h], and for each direction gates
 * [n, 4 h] and cells [n, h]; then two gradients [n, 2 h] and what a step
 * needs. */
static size_t
kept(size_t n, size_t h)
{
	return n * (2 * h + 2 * 5 * h);
}

size_t
peft_lstm_work(size_t n, size_t in, size_t hidden, size_t layers)
{
	(void)in;
	return layers * kept(n, hidden) + 4 * n * hidden + 6 * hidden;
}

struct cell {
	size_t		 n, in, h;
	int		 back;		/* runs from the end */
	const float	*wi, *wh, *bi, *bh;
	float		*gi, *gh, *gbi, *gbh;
	float		*gates, *cells;
	float		*out;		/* [n, 2 h], this direction's half */
};

static struct cell
cell_of(const struct peft_lstm *l, size_t layer, int back)
{
	size_t h = l->hidden, in = layer == 0 ? l->in : 2 * h, at;
	float *keep = l->work + layer * kept(l->n, h);
	struct cell c = { .n = l->n, .in = in, .h = h, .back = back };

	at = layer == 0 ? 0 : 2 * cell_floats(l->in, h) + (layer - 1) * 2 *
	    cell_floats(2 * h, h);
	at += back ? cell_floats(in, h) : 0;
	c.wi = l->w + at;
	c.wh = c.wi + 4 * h * in;
	c.bi = c.wh + 4 * h * h;
	c.bh = c.bi + 4 * h;
	c.gi = l->g == NULL ? NULL : l->g + at;
	c.gh = c.gi + 4 * h * in;
	c.gbi = c.gh + 4 * h * h;
	c.gbh = c.gbi + 4 * h;
	c.out = keep + (back ? h : 0);
	c.gates = keep + l->n * 2 * h + (back ? l->n * 5 * h : 0);
	c.cells = c.gates + l->n * 4 * h;
	return c;
}

static float
sigmoid(float x)
{
	return 1 / (1 + expf(-x));
}

/* Position of step s; and of the one before it, if there is one. */
static size_t
position(const struct cell *c, size_t s)
{
	return c->back ? c->n - 1 - s : s;
}

static void
forward(const struct cell *c, const float *x)
{
	const struct peft_vec *v = peft_vec_best();
	size_t h = c->h, s, k;

	for (s = 0; s < c->n; s++) {
		size_t t = position(c, s), p = s > 0 ? position(c, s - 1) : 0;
		float *z = c->gates + t * 4 * h, *cell = c->cells + t * h;

		for (k = 0; k < 4 * h; k++) {
			z[k] = c->bi[k] + c->bh[k] + v->dot(c->wi + k * c->in,
			    x + t * c->in, c->in);
			if (s > 0)
				z[k] += v->dot(c->wh + k * h,
				    c->out + p * 2 * h, h);
			z[k] = k / h == 2 ? tanhf(z[k]) : sigmoid(z[k]);
		}
		for (k = 0; k < h; k++) {
			cell[k] = z[k] * z[2 * h + k] + (s > 0 ? z[h + k] *
			    c->cells[p * h + k] : 0);
			c->out[t * 2 * h + k] = z[3 * h + k] *
			    tanhf(cell[k]);
		}
	}
}

void
peft_lstm_run(const struct peft_lstm *l, const float *x, float *y)
{
	struct cell c = { 0 };
	size_t i;
	int back;

	for (i = 0; i < l->layers; i++) {
		for (back = 0; back < 2; back++) {
			c = cell_of(l, i, back);
			forward(&c, x);
		}
		x = c.out - l->hidden;
	}
	memcpy(y, x, l->n * 2 * l->hidden * sizeof(*y));
}

/* dz of the gates at a step, from dh and dc, which become those of the step
 * before. */
static void
gates_back(const struct cell *c, size_t s, const float *dh, float *dc,
    float *dz)
{
	size_t h = c->h, t = position(c, s), k;
	const float *z = c->gates + t * 4 * h, *cell = c->cells + t * h;

	for (k = 0; k < h; k++) {
		float i = z[k], f = z[h + k], g = z[2 * h + k];
		float o = z[3 * h + k], th = tanhf(cell[k]);
		float old = s > 0 ? c->cells[position(c, s - 1) * h + k] : 0;

		dc[k] += dh[k] * o * (1 - th * th);
		dz[k] = dc[k] * g * i * (1 - i);
		dz[h + k] = dc[k] * old * f * (1 - f);
		dz[2 * h + k] = dc[k] * i * (1 - g * g);
		dz[3 * h + k] = dh[k] * th * o * (1 - o);
		dc[k] *= f;
	}
}

/* dx += ..; step: room for dh, dc [h], dz [4 h]. */
static void
backward(const struct cell *c, const float *x, const float *dy, float *dx,
    float *step)
{
	const struct peft_vec *v = peft_vec_best();
	size_t h = c->h, s, k;
	float *dh = step, *dc = step + h, *dz = step + 2 * h;

	memset(step, 0, 2 * h * sizeof(*step));
	for (s = c->n; s-- > 0;) {
		size_t t = position(c, s), p = s > 0 ? position(c, s - 1) : 0;

		v->add(dh, dy + t * 2 * h + (c->back ? h : 0), h);
		gates_back(c, s, dh, dc, dz);
		memset(dh, 0, h * sizeof(*dh));
		for (k = 0; k < 4 * h; k++) {
			c->gbi[k] += dz[k];
			c->gbh[k] += dz[k];
			v->axpy(c->gi + k * c->in, dz[k], x + t * c->in,
			    c->in);
			v->axpy(dx + t * c->in, dz[k], c->wi + k * c->in,
			    c->in);
			if (s == 0)
				continue;
			v->axpy(c->gh + k * h, dz[k], c->out + p * 2 * h, h);
			v->axpy(dh, dz[k], c->wh + k * h, h);
		}
	}
}

void
peft_lstm_back(const struct peft_lstm *l, const float *x, const float *dy,
    float *dx)
{
	size_t n = l->n, h = l->hidden, i;
	float *a = l->work + l->layers * kept(n, h), *b = a + 2 * n * h;
	float *step = b + 2 * n * h, *to;
	int back;

	memcpy(a, dy, 2 * n * h * sizeof(*a));
	for (i = l->layers; i-- > 0;) {
		const float *in = i == 0 ? x : cell_of(l, i - 1, 0).out;

		to = i == 0 ? dx : b;
		memset(to, 0, n * (i == 0 ? l->in : 2 * h) * sizeof(*to));
		for (back = 0; back < 2; back++) {
			struct cell c = cell_of(l, i, back);

			backward(&c, in, a, to, step);
		}
		if (i > 0)
			memcpy(a, b, 2 * n * h * sizeof(*a));
	}
}
