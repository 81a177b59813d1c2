/* SPDX-License-Identifier: Apache-2.0 */
/*
 * X-LoRA's classifier: layers with ReLU (and dropout) between, from a token's
 * last hidden state to a number for each expert (and each module, with
 * layerwise_scalings), softmax over the experts; then the top_k_lora of them
 * alone, and softmax over these.
 */

#include <math.h>
#include <string.h>

#include "math/vec.h"
#include "peft/virtual.h"
#include "peft/xlora.h"
#include "quant/product.h"

/* What was seen last, and the run's room for it: for T tokens the inputs of
 * the layers, the last one's outputs, what becomes of these by the first
 * softmax, by all; the gradient of that; two gradients on their way. */
struct state {
	float	*room;
	size_t	 T;
};

struct view {
	float	*in[PEFT_XLORA_DEPTH];
	float	*first, *scales, *grad, *way[2];
	size_t	 most;			/* floats of a row of these two */
	size_t	 floats;		/* of it all */
};

static const struct peft_xlora *
settings_of(const struct peft_module *m)
{
	return m->settings;
}

/* Numbers a token. */
static size_t
width(const struct peft_module *m)
{
	return m->param[2 * settings_of(m)->depth - 2]->shape[0];
}

static struct view
view(const struct peft_module *m, float *room, size_t T)
{
	const struct peft_xlora *x = settings_of(m);
	struct view v = { .most = width(m) };
	size_t n;
	int64_t i;

	for (i = 0; i < x->depth; i++) {
		n = m->param[2 * i]->shape[1];
		v.in[i] = room + v.floats;
		v.floats += T * n;
		v.most = n > v.most ? n : v.most;
	}
	v.first = room + v.floats;
	v.scales = v.first + T * width(m);
	v.grad = v.scales + T * width(m);
	v.way[0] = v.grad + T * width(m);
	v.way[1] = v.way[0] + T * v.most;
	v.floats += T * (3 * width(m) + 2 * v.most);
	return v;
}

static size_t
saved(const void *self, size_t T)
{
	static float nowhere[1];

	return view(self, nowhere, T).floats;
}

int
peft_xlora_prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	m->state = peft_calloc(1, sizeof(struct state), err);
	return m->state == NULL ? -1 : 0;
}

/* Few rows are each alone, as those of products are. */
static void
layer(const struct peft_module *m, const struct peft_hook_call *c, int64_t i,
    const float *x, float *y)
{
	const struct peft_param *w = m->param[2 * i], *b = m->param[2 * i + 1];
	size_t t;

	if (c->train || !peft_product_is_few(c->cpu, c->T)) {
		peft_layer(c->cpu, w, b, x, c->T, y);
		return;
	}
	for (t = 0; t < c->T; t++)
		peft_layer(c->cpu, w, b, x + t * w->shape[1], 1, y + t *
		    w->shape[0]);
}

/* ReLU, and dropout by the record, the position and the step. */
static void
between(const struct peft_module *m, const struct peft_hook_call *c,
    int64_t i, float *y)
{
	double p = c->train ? settings_of(m)->dropout : 0;
	size_t n = m->param[2 * i]->shape[0], t, k;

	for (t = 0; t < c->T; t++)
		for (k = 0; k < n; k++, y++)
			if (*y < 0 || (p > 0 && peft_rng_uniform(m->rng,
			    c->ident[t], c->step << 24 | (uint64_t)i << 20 |
			    k) < p))
				*y = 0;
			else
				*y *= (float)(1 / (1 - p));
}

static void
softmax(float *y, const float *x, const bool *on, size_t n, double scale)
{
	double most = -INFINITY, sum = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (on[i] && (double)x[i] > most)
			most = (double)x[i];
	for (i = 0; i < n; i++)
		sum += on[i] ? exp(((double)x[i] - most) * scale) : 0;
	for (i = 0; i < n; i++)
		y[i] = on[i] ? (float)(exp(((double)x[i] - most) * scale) /
		    sum) : 0;
}

/* Is the i-th one of the `top' largest?  (Of equals the first.) */
static bool
is_top(const float *x, size_t n, size_t i, size_t top)
{
	size_t above = 0, k;

	for (k = 0; k < n; k++)
		above += x[k] > x[i] || (k < i && x[k] == x[i]);
	return above < top;
}

static void
act(const struct peft_xlora *x, const float *first, float *s, bool *on)
{
	size_t i;

	for (i = 0; i < x->n; i++) {
		on[i] = x->top == 0 || is_top(first, x->n, i, (size_t)x->top);
		s[i] = on[i] ? first[i] : 0;
		on[i] &= first[i] != 0;
	}
	if (x->softmax_top)
		softmax(s, first, on, x->n, 1);
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	struct peft_module *m = self;
	const struct peft_xlora *x = m->settings;
	struct view v = view(m, c->saved, c->T);
	size_t D = m->param[0]->shape[1], n = width(m), t;
	bool on[PEFT_XLORA_MOST];
	int64_t i;

	(void)y;
	(void)ldy;
	*(struct state *)m->state = (struct state){ c->saved, c->T };
	for (t = 0; t < c->T; t++)
		memcpy(v.in[0] + t * D, c->x + t * c->ldx, D * sizeof(float));
	for (i = 0; i < x->depth; i++) {
		layer(m, c, i, v.in[i], i + 1 < x->depth ? v.in[i + 1] :
		    v.first);
		if (i + 1 < x->depth)
			between(m, c, i, v.in[i + 1]);
	}
	memset(v.grad, 0, c->T * n * sizeof(*v.grad));
	for (t = 0; t < c->T * n; t += x->n) {
		memset(on, true, sizeof(on));
		if (x->softmax)
			softmax(v.first + t, v.first + t, on, x->n,
			    1 / x->temperature);
		act(x, v.first + t, v.scales + t, on);
	}
}

const float *
peft_xlora_scales(const struct peft_module *m, size_t k, size_t row,
    float **grad)
{
	const struct state *s = m->state;
	struct view v = view(m, s->room, s->T);
	size_t at = row * width(m) + (settings_of(m)->layerwise ?
	    k * settings_of(m)->n : 0);

	*grad = m->train ? v.grad + at : NULL;
	return v.scales + at;
}

/* g_i = p_i (g_i - sum p g), times scale. */
static void
softmax_back(float *g, const float *p, size_t n, float scale)
{
	float mean = peft_vec_best()->dot(p, g, n);
	size_t i;

	for (i = 0; i < n; i++)
		g[i] = scale * p[i] * (g[i] - mean);
}

static void
act_back(const struct peft_xlora *x, const float *first, const float *s,
    float *g)
{
	size_t i;

	if (x->softmax_top)
		softmax_back(g, s, x->n, 1);
	for (i = 0; i < x->n; i++)
		if (x->top > 0 && !is_top(first, x->n, i, (size_t)x->top))
			g[i] = 0;
	if (x->softmax)
		softmax_back(g, first, x->n, (float)(1 / x->temperature));
}

static void
end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	const struct peft_xlora *x = m->settings;
	const struct state *s = m->state;
	struct view v;
	float *g, *down;
	size_t t, n;
	int64_t i;

	if (!m->train || s->room == NULL)
		return;
	v = view(m, s->room, s->T);
	for (t = 0; t < s->T * width(m); t += x->n)
		act_back(x, v.first + t, v.scales + t, v.grad + t);
	for (g = v.grad, i = x->depth - 1; i >= 0; i--, g = down) {
		down = i == 0 ? NULL : v.way[i % 2];
		peft_layer_back(cpu, m->param[2 * i], m->param[2 * i + 1],
		    v.in[i], s->T, g, down);
		n = i == 0 ? 0 : s->T * m->param[2 * i]->shape[1];
		for (t = 0; t < n; t++)	/* what was dropped is 0, too */
			down[t] = v.in[i][t] > 0 ? down[t] *
			    (float)(1 / (1 - x->dropout)) : 0;
	}
}

static const struct peft_hook_ops ops = {
	.saved = saved, .forward = forward, .end = end,
};

int
peft_xlora_attach(struct peft_module *m, struct peft_sites *sites, int index,
    struct peft_err *err)
{
	(void)err;
	m->adapter->scout = (struct peft_scout){ index, &ops, m,
	    sites->scouts };
	sites->scouts = &m->adapter->scout;
	return 0;
}
