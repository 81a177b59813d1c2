/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RoAd (Liao & Monz 2024): within groups, the halves of a linear's output are
 * turned against each other: z = y o p + turned(y) o q, p = alpha cos(theta),
 * q = alpha sin(theta), where turned() of a group (y1, y2) is (-y2, y1).
 * road_1 has group_size / 2 thetas and alphas a group, road_2 group_size,
 * road_4 twice that (for p, then for q).
 */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "math/vec.h"
#include "peft/row.h"

enum { THETA, ALPHA };

struct road {
	int64_t	group;
	int	variant;		/* 1, 2, 4 */
	bool	random;
};

static const char *const variants[] = { "road_1", "road_2", "road_4", NULL };

#define AT(field)	offsetof(struct road, field)
static const struct peft_setting keys[] = {
	PEFT_SET_INT("group_size", "64", AT(group), 2, 1 << 20),
	PEFT_SET_WORD("variant", "\"road_1\"", peft_set_word, AT(variant),
	    variants),
	PEFT_SET("init_weights", "true", peft_set_not, AT(random)),
	PEFT_SET_LATER("modules_to_save", "null"), PEFT_SET_END
};

static int
check(const cJSON *config, void *settings, struct peft_err *err)
{
	struct road *s = settings;

	(void)config;
	s->variant = 1 << s->variant;
	return s->group % 2 == 0 ? 0 : peft_seterr(err, "group_size %d is "
	    "odd", (int)s->group);
}

static int
shapes(const void *settings, struct peft_module *m, struct peft_shape *out,
    struct peft_err *err)
{
	const struct road *s = settings;
	size_t n = m->site->out * (size_t)s->variant / 2;

	if (m->site->out % (size_t)s->group != 0)
		return peft_seterr(err, "group_size %d does not divide %zu",
		    (int)s->group, m->site->out);
	out[THETA] = peft_shape1("road_theta", n);
	out[ALPHA] = peft_shape1("road_alpha", n);
	return 0;
}

static void
init(const void *settings, const struct peft_module *m, int part,
    struct peft_rng rng, float *value, size_t n)
{
	const struct road *s = settings;
	size_t i;

	(void)m;
	if (!s->random) {
		peft_init_const(value, n, part == ALPHA);
		return;
	}
	peft_init_normal(rng, value, n, 0.5);
	for (i = 0; part == ALPHA && i < n; i++)
		value[i] += 1;
}

/* Which theta and alpha make p (second: q) of output i. */
static size_t
index_of(const struct road *s, size_t i, bool second)
{
	size_t g = (size_t)s->group;

	if (s->variant == 1)
		return i / g * (g / 2) + i % g % (g / 2);
	return s->variant == 2 ? i : i / g * 2 * g + (second ? g : 0) +
	    i % g;
}

/* State: p and q [out] each, then their gradients. */
static size_t
memory(const void *self)
{
	const struct peft_module *m = self;

	return 4 * m->site->out * sizeof(float);
}

static int
prepare(struct peft_module *m, const struct peft_rows *base,
    struct peft_err *err)
{
	(void)base;
	m->state = peft_calloc(1, memory(m), err);
	return m->state == NULL ? -1 : 0;
}

static void
begin(void *self, struct peft_cpu *cpu, float *product)
{
	struct peft_module *m = self;
	const struct road *s = m->settings;
	const float *theta = m->param[THETA]->value;
	const float *alpha = m->param[ALPHA]->value;
	size_t out = m->site->out, i, a, b;
	float *p = m->state;

	(void)cpu;
	(void)product;
	if (!peft_module_stale(m))
		return;
	for (i = 0; i < out; i++) {
		a = index_of(s, i, false);
		b = index_of(s, i, true);
		p[i] = alpha[a] * cosf(theta[a]);
		p[out + i] = alpha[b] * sinf(theta[b]);
	}
	memset(p + 2 * out, 0, 2 * out * sizeof(*p));
}

static void
end(void *self, struct peft_cpu *cpu)
{
	const struct peft_module *m = self;
	const struct road *s = m->settings;
	const float *g = (const float *)m->state + 2 * m->site->out;
	const struct peft_param *theta = m->param[THETA];
	const struct peft_param *alpha = m->param[ALPHA];
	size_t out = m->site->out, i, a, b;

	(void)cpu;
	for (i = 0; m->train && i < out; i++) {
		a = index_of(s, i, false);
		b = index_of(s, i, true);
		alpha->grad[a] += g[i] * cosf(theta->value[a]);
		theta->grad[a] -= g[i] * alpha->value[a] *
		    sinf(theta->value[a]);
		alpha->grad[b] += g[out + i] * sinf(theta->value[b]);
		theta->grad[b] += g[out + i] * alpha->value[b] *
		    cosf(theta->value[b]);
	}
}

/* The output that i is turned with, and its sign. */
static size_t
partner(const struct road *s, size_t i, float *sign)
{
	size_t half = (size_t)s->group / 2;
	bool first = i % (2 * half) < half;

	*sign = first ? -1 : 1;
	return first ? i + half : i - half;
}

static size_t
saved(const void *self, size_t T)
{
	const struct peft_module *m = self;

	return T * m->site->out;		/* y */
}

static void
forward(void *self, const struct peft_hook_call *c, float *y, size_t ldy)
{
	const struct peft_module *m = self;
	const float *p = m->state, *q = p + m->site->out;
	size_t out = m->site->out, t, i, k;
	float sign, a = m->weight;

	for (t = 0; t < c->T; t++, y += ldy) {
		float *x = c->saved + t * out;

		memcpy(x, y, out * sizeof(*x));
		for (i = 0; i < out; i++) {
			k = partner(m->settings, i, &sign);
			y[i] += a * ((p[i] - 1) * x[i] + q[i] * sign * x[k]);
		}
	}
}

/* The gradients of p and q of outputs from .. end, by a row. */
static void
gradients(const struct peft_module *m, size_t from, size_t end,
    const float *x, const float *dy)
{
	size_t out = m->site->out, i, k;
	float *g = (float *)m->state + 2 * out, sign, a = m->weight;

	for (i = from; m->train && i < end; i++) {
		k = partner(m->settings, i, &sign);
		g[i] += a * dy[i] * x[i];
		g[out + i] += a * dy[i] * sign * x[k];
	}
}

/* dy becomes that of y: y[i] is in z[i], and turned in that of its partner. */
static void
row_back(const struct peft_module *m, size_t from, size_t end, float *dy)
{
	const float *p = m->state, *q = p + m->site->out;
	float sign, a = m->weight, di, dk;
	size_t i, k;

	for (i = from; i < end; i++) {
		k = partner(m->settings, i, &sign);
		if (k < i)
			continue;	/* done with its partner */
		di = dy[i];
		dk = dy[k];
		dy[i] += a * ((p[i] - 1) * di + q[k] * dk);
		dy[k] += a * ((p[k] - 1) * dk - q[i] * di);
	}
}

struct back {
	const struct peft_module	*m;
	const struct peft_hook_call	*call;
	float				*dy;
	size_t				 lddy, width;	/* of a task: groups */
};

/* Some columns of all rows, so that their sums are one thread's. */
static void
back_task(void *ctx, size_t task, int thread)
{
	const struct back *b = ctx;
	size_t out = b->m->site->out, from = task * b->width, t;
	size_t end = out - from < b->width ? out : from + b->width;
	float *dy = b->dy;

	(void)thread;
	for (t = 0; t < b->call->T; t++, dy += b->lddy) {
		gradients(b->m, from, end, b->call->saved + t * out, dy);
		row_back(b->m, from, end, dy);
	}
}

static void
output_back(void *self, const struct peft_hook_call *c, float *dy,
    size_t lddy)
{
	enum { STRIPE = 256 };
	const struct peft_module *m = self;
	const struct road *s = m->settings;
	size_t g = (size_t)s->group;
	struct back b = { m, c, dy, lddy, (STRIPE + g - 1) / g * g };

	peft_cpu_run(c->cpu, (m->site->out + b.width - 1) / b.width,
	    back_task, &b);
}

static const struct peft_hook_ops hook = {
	.memory = memory, .begin = begin, .end = end, .saved = saved,
	.forward = forward,
	.output_back = output_back,
};

static bool
changes(const struct peft_module *m, enum peft_leaf leaf)
{
	return leaf == PEFT_LEAF_WEIGHT || m->site->bias != SIZE_MAX;
}

/* Rows are mixed with their partners', which the base still has. */
static int
merge(const struct peft_module *m, enum peft_leaf leaf, size_t first,
    size_t n, float weight, float *rows, const struct peft_rows *base,
    struct peft_err *err)
{
	const float *p = m->state, *q = p + m->site->out;
	bool bias = leaf == PEFT_LEAF_BIAS;
	size_t in = bias ? 1 : m->site->in, i, k, c, count;
	float *other, sign;
	int r = 0;

	count = bias ? m->site->out : n;
	other = peft_calloc(bias ? count : in, sizeof(*other), err);
	if (other == NULL)
		return -1;
	if (bias)
		memcpy(other, rows, count * sizeof(*other));
	for (i = 0; r == 0 && i < count; i++) {
		k = partner(m->settings, bias ? i : first + i, &sign);
		if (!bias)
			r = base->get(base->ctx, k, 1, other, err);
		for (c = 0; r == 0 && c < in; c++) {
			float *x = &rows[i * in + c], y = other[bias ? k : c];
			size_t o = bias ? i : first + i;

			*x += weight * ((p[o] - 1) * *x + q[o] * sign * y);
		}
	}
	free(other);
	return r;
}

const struct peft_method peft_road = {
	.type = "ROAD", .name = "road",
	.keys = keys, .size = sizeof(struct road), .check = check,
	.kinds = 1 << PEFT_LINEAR | 1 << PEFT_HEAD, .shapes = shapes,
	.init = init, .prepare = prepare, .hook = &hook, .changes = changes,
	.merge = merge,
};
