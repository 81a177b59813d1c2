/* SPDX-License-Identifier: Apache-2.0 */
/* Activations of the MLP, gated or plain, and their gradients. */

#include <math.h>
#include <string.h>

#include "model/net-impl.h"

enum { STRETCH = 256 };

static const float tanh_a = 0.7978845608028654f, tanh_b = 0.044715f;

static float
sigmoid(float x)
{
	return 1 / (1 + expf(-x));
}

/* f(x), and if d is not NULL its derivative (Hendrycks & Gimpel 2016 for
 * the GELUs; So et al. 2021 for the square of ReLU). */
static inline float
value(enum peft_act act, float x, float *d)
{
	float s;

	switch (act) {
	case PEFT_SILU:
		s = sigmoid(x);
		if (d != NULL)
			*d = s * (1 + x * (1 - s));
		return x * s;
	case PEFT_GELU:
		s = 0.5f * (1 + erff(x * 0.7071067811865476f));
		if (d != NULL)
			*d = s + x * 0.3989422804014327f *
			    expf(-0.5f * x * x);
		return x * s;
	case PEFT_GELU_TANH:
	case PEFT_SWIGLU_CLAMPED:
		break;			/* by stretches, below */
	case PEFT_GELU_QUICK:
		s = sigmoid(1.702f * x);
		if (d != NULL)
			*d = s * (1 + 1.702f * x * (1 - s));
		return x * s;
	case PEFT_RELU:
		if (d != NULL)
			*d = x > 0;
		return x > 0 ? x : 0;
	case PEFT_RELU2:
		if (d != NULL)
			*d = x > 0 ? 2 * x : 0;
		return x > 0 ? x * x : 0;
	}
	return x;
}

/* u[n] = tanh(a (x + b x^3)), n <= STRETCH, as 1 - 2 / (e^2z + 1): the
 * vectorised exponential is within some ulp of 1, which is all that
 * 1 + tanh needs. */
static void
tanh_stretch(const struct peft_vec *v, float *u, const float *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		u[i] = 2 * tanh_a * (x[i] + tanh_b * x[i] * x[i] * x[i]);
	v->expsub(u, 0, n);
	for (i = 0; i < n; i++)
		u[i] = 1 - 2 / (u[i] + 1);
}

/* y = gelu(g) (times up, if there is one). */
static void
gelu_row(const struct peft_vec *v, float *y, const float *g, const float *up,
    size_t n)
{
	float u[STRETCH];
	size_t k, i, m;

	for (k = 0; k < n; k += m) {
		m = n - k < STRETCH ? n - k : STRETCH;
		tanh_stretch(v, u, g + k, m);
		for (i = 0; i < m; i++)
			y[k + i] = 0.5f * g[k + i] * (1 + u[i]);
	}
	for (i = 0; up != NULL && i < n; i++)
		y[i] *= up[i];
}

static void
gelu_back_row(const struct peft_vec *v, float *g, float *up, const float *dy,
    size_t n)
{
	float u[STRETCH], d, x;
	size_t k, i, m;

	for (k = 0; k < n; k += m) {
		m = n - k < STRETCH ? n - k : STRETCH;
		tanh_stretch(v, u, g + k, m);
		for (i = 0; i < m; i++) {
			x = g[k + i];
			d = 0.5f * (1 + u[i]) + 0.5f * x * (1 - u[i] * u[i]) *
			    tanh_a * (1 + 3 * tanh_b * x * x);
			g[k + i] = dy[k + i] * d;
			if (up == NULL)
				continue;
			g[k + i] *= up[k + i];
			up[k + i] = dy[k + i] * 0.5f * x * (1 + u[i]);
		}
	}
}

static float
below(float x, float limit)
{
	return x < limit ? x : limit;
}

static float
within(float x, float limit)
{
	return x > limit ? limit : x < -limit ? -limit : x;
}

/* gpt-oss's: y = (u' + 1) g' sigmoid(alpha g'), where g' = min(g, limit) and
 * u' is u within limit of 0.  s[n] = the sigmoids, n <= STRETCH. */
static void
clamped_stretch(const struct peft_vec *v, const struct peft_traits *t,
    float *s, const float *g, size_t n)
{
	float alpha = (float)t->act_alpha, limit = (float)t->act_limit;
	size_t i;

	for (i = 0; i < n; i++)
		s[i] = -alpha * below(g[i], limit);
	v->expsub(s, 0, n);
	for (i = 0; i < n; i++)
		s[i] = 1 / (1 + s[i]);
}

static void
clamped_row(const struct peft_vec *v, const struct peft_traits *t, float *y,
    const float *g, const float *up, size_t n)
{
	float s[STRETCH], limit = (float)t->act_limit, x, u;
	size_t k, i, m;

	for (k = 0; k < n; k += m) {
		m = n - k < STRETCH ? n - k : STRETCH;
		clamped_stretch(v, t, s, g + k, m);
		for (i = 0; i < m; i++) {
			x = below(g[k + i], limit);
			u = within(up[k + i], limit);
			y[k + i] = (u + 1) * x * s[i];
		}
	}
}

/* What is beyond a limit has no gradient. */
static void
clamped_back_row(const struct peft_vec *v, const struct peft_traits *t,
    float *g, float *up, const float *dy, size_t n)
{
	float s[STRETCH], limit = (float)t->act_limit, x, u, d;
	float alpha = (float)t->act_alpha;
	size_t k, i, m;

	for (k = 0; k < n; k += m) {
		m = n - k < STRETCH ? n - k : STRETCH;
		clamped_stretch(v, t, s, g + k, m);
		for (i = 0; i < m; i++) {
			x = below(g[k + i], limit);
			u = within(up[k + i], limit);
			d = s[i] * (1 + alpha * x * (1 - s[i]));
			g[k + i] = g[k + i] > limit ? 0 :
			    dy[k + i] * (u + 1) * d;
			up[k + i] = up[k + i] != u ? 0 :
			    dy[k + i] * x * s[i];
		}
	}
}

/* tanh(x) for |x| < 5/8: fitted so that the largest relative error is the
 * smallest, 5e-9 before rounding. */
static inline float
tanh_small(float x)
{
	float s = x * x;

	return x + x * s * (-0.333332819f + s * (0.133314422f +
	    s * (-0.0537397145f + s * (0.0206390855f +
	    s * -0.0057049852f))));
}

/* tanh(x) = 1 - 2 / (e^2x + 1); of a small one that leaves few digits. */
static void
cap_stretch(const struct peft_vec *v, float *y, size_t n, float cap)
{
	float e[STRETCH], x;
	size_t i;

	memcpy(e, y, n * sizeof(*e));
	v->scale(e, 2 / cap, n);
	v->expsub(e, 0, n);
	for (i = 0; i < n; i++) {
		x = y[i] / cap;
		y[i] = cap * (fabsf(x) < 0.625f ? tanh_small(x) :
		    1 - 2 / (e[i] + 1));
	}
}

void
peft_cap_row(const struct peft_vec *v, float *y, size_t n, float cap)
{
	size_t k;

	for (k = 0; k < n; k += STRETCH)
		cap_stretch(v, y + k, n - k < STRETCH ? n - k : STRETCH, cap);
}

void
peft_act_row(const struct peft_run *run, float *y, const float *g,
    const float *u, size_t n)
{
	const struct peft_traits *c = &run->net->config.t;
	size_t i;

	if (u != NULL && c->act == PEFT_SILU) {
		run->vec->swiglu(y, g, u, n);
		return;
	}
	if (c->act == PEFT_GELU_TANH) {
		gelu_row(run->vec, y, g, u, n);
		return;
	}
	if (c->act == PEFT_SWIGLU_CLAMPED) {
		clamped_row(run->vec, c, y, g, u, n);
		return;
	}
	for (i = 0; i < n; i++)
		y[i] = value(c->act, g[i], NULL) * (u != NULL ? u[i] : 1);
}

void
peft_act_back_row(const struct peft_run *run, float *g, float *u,
    const float *dy, size_t n)
{
	const struct peft_traits *c = &run->net->config.t;
	float d = 0, a;
	size_t i;

	if (u != NULL && c->act == PEFT_SILU) {
		run->vec->swiglu_back(g, u, dy, g, u, n);
		return;
	}
	if (c->act == PEFT_GELU_TANH) {
		gelu_back_row(run->vec, g, u, dy, n);
		return;
	}
	if (c->act == PEFT_SWIGLU_CLAMPED) {
		clamped_back_row(run->vec, c, g, u, dy, n);
		return;
	}
	for (i = 0; i < n; i++) {
		a = value(c->act, g[i], &d);
		g[i] = dy[i] * d * (u != NULL ? u[i] : 1);
		if (u != NULL)
			u[i] = dy[i] * a;
	}
}
