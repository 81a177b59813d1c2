/* SPDX-License-Identifier: Apache-2.0 */
/* The meaning of the vector kernels: plain loops, sums in double. */

#include <math.h>

#include "base/half.h"
#include "math/vec.h"

static float
dot(const float *x, const float *y, size_t n)
{
	double s = 0;
	size_t i;

	for (i = 0; i < n; i++)
		s += (double)x[i] * (double)y[i];
	return (float)s;
}

static void
axpy(float *y, float a, const float *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		y[i] += a * x[i];
}

static void
scale(float *y, float a, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		y[i] *= a;
}

static void
add(float *y, const float *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		y[i] += x[i];
}

static void
sum(float *y, const float *x, float a, const float *w, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		y[i] = x[i] + a * w[i];
}

static void
mul(float *y, const float *x, const float *w, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		y[i] = x[i] * w[i];
}

static void
muladd(float *y, const float *x, const float *w, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		y[i] = (float)((double)y[i] + (double)x[i] * (double)w[i]);
}

static double
sumsq(const float *x, size_t n)
{
	double s = 0;
	size_t i;

	for (i = 0; i < n; i++)
		s += (double)x[i] * (double)x[i];
	return s;
}

static int
nonfinite(const float *x, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return 1;
	return 0;
}

static float
rmsnorm(float *y, const float *x, const float *w, size_t n, float eps)
{
	double r = 1 / sqrt(sumsq(x, n) / (double)n + (double)eps);
	size_t i;

	for (i = 0; i < n; i++)
		y[i] = w[i] * (float)((double)x[i] * r);
	return (float)r;
}

/* y = w x r: dx = r w dy - r^3 x sum(w dy x) / n */
static void
rmsnorm_back(float *dx, const float *dy, const float *x, const float *w,
    float r, size_t n)
{
	double s = 0, c;
	size_t i;

	for (i = 0; i < n; i++)
		s += (double)w[i] * (double)dy[i] * (double)x[i];
	c = (double)r * (double)r * (double)r * s / (double)n;
	for (i = 0; i < n; i++)
		dx[i] += (float)((double)r * (double)w[i] * (double)dy[i] -
		    c * (double)x[i]);
}

static double
sigmoid(float x)
{
	return 1 / (1 + exp(-(double)x));
}

static void
swiglu(float *y, const float *g, const float *u, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		y[i] = (float)((double)g[i] * sigmoid(g[i]) * (double)u[i]);
}

static void
swiglu_back(float *dg, float *du, const float *dy, const float *g,
    const float *u, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		double s = sigmoid(g[i]), x = (double)g[i];
		double d = (double)dy[i], v = (double)u[i];

		du[i] = (float)(d * x * s);
		dg[i] = (float)(d * v * s * (1 + x * (1 - s)));
	}
}

static float
softmax(float *x, size_t n)
{
	double sum = 0;
	float max = x[0];
	size_t i;

	for (i = 1; i < n; i++)
		max = x[i] > max ? x[i] : max;
	for (i = 0; i < n; i++)
		sum += exp((double)x[i] - (double)max);
	for (i = 0; i < n; i++)
		x[i] = (float)(exp((double)x[i] - (double)max) / sum);
	/* cppcheck-suppress invalidFunctionArg -- at least exp(0) is in it */
	return (float)((double)max + log(sum));
}

static void
expsub(float *x, float lse, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = (float)exp((double)x[i] - (double)lse);
}

static float
part(float *x, size_t n, float a, float *max, float *sum)
{
	double m = (double)*max, old = m, s = 0, p;
	size_t i;

	for (i = 0; i < n; i++)
		m = (double)a * (double)x[i] > m ? (double)a * (double)x[i] : m;
	m = (double)(float)m;
	for (i = 0; i < n; i++) {
		p = m == (double)-INFINITY ? 0 : exp((double)a *
		    (double)x[i] - m);
		x[i] = (float)p;
		s += p;
	}
	p = m == old ? 1 : exp(old - m);
	*max = (float)m;
	*sum = (float)((double)*sum * p + s);
	return (float)p;
}

static void
softmax_part(float *x, size_t ldx, size_t rows, size_t n, float a, float *max,
    float *sum, float *f)
{
	size_t i;

	for (i = 0; i < rows; i++)
		f[i] = part(x + i * ldx, n, a, &max[i], &sum[i]);
}

static void
softmax_back(float *p, float *dp, size_t n, float a, float lse, float b,
    float d)
{
	double e;
	size_t i;

	for (i = 0; i < n; i++) {
		e = exp((double)a * (double)p[i] - (double)lse);
		p[i] = (float)e;
		dp[i] = (float)((double)b * e * ((double)dp[i] - (double)d));
	}
}

static size_t
argmax(const float *x, size_t n)
{
	size_t i, best = 0;

	for (i = 1; i < n; i++)
		if (x[i] > x[best])
			best = i;
	return best;
}

static void
rope(float *x, const float *c, const float *s, size_t half, float sign)
{
	size_t i;

	for (i = 0; i < half; i++) {
		float a = x[i], b = x[i + half], t = sign * s[i];

		x[i] = a * c[i] - b * t;
		x[i + half] = b * c[i] + a * t;
	}
}

static void
adamw(float *p, const float *g, float *m, float *v, size_t n, float gscale,
    double lr, double beta1, double beta2, double eps, double decay, double c1,
    double c2)
{
	float step = (float)(lr / c1), root = (float)sqrt(c2);
	float keep = (float)(1 - lr * decay), b2 = (float)beta2;
	float new1 = (float)(1 - beta1), new2 = (float)(1 - beta2);
	float e = (float)eps;
	size_t i;

	for (i = 0; i < n; i++) {
		float grad = g[i] * gscale;

		m[i] += new1 * (grad - m[i]);
		v[i] = b2 * v[i] + new2 * grad * grad;
		p[i] = p[i] * keep - step * m[i] / (sqrtf(v[i]) / root + e);
	}
}

static double
number(const struct peft_page *p, size_t i)
{
	return (double)(p->bf16 ? peft_from_bf16(((const uint16_t *)
	    p->at)[i]) : ((const float *)p->at)[i]);
}

static void
page_scores(float *s, size_t lds, const float *q, size_t ldq, size_t m,
    const struct peft_page *k, size_t n, float scale)
{
	for (; m > 0; m--, s += lds, q += ldq) {
		double sum[PEFT_PAGE] = { 0 };
		size_t d, t;

		for (d = 0; d < n; d++)
			for (t = 0; t < PEFT_PAGE; t++)
				sum[t] += (double)q[d] *
				    number(k, d * PEFT_PAGE + t);
		for (t = 0; t < PEFT_PAGE; t++)
			s[t] = (float)(sum[t] * (double)scale);
	}
}

static void
page_values(float *y, size_t ldy, const float *p, size_t ldp, size_t m,
    const struct peft_page *v, size_t n, size_t tokens)
{
	size_t i, t;

	for (; m > 0; m--, y += ldy, p += ldp)
		for (i = 0; i < n; i++) {
			double sum = (double)y[i];

			for (t = 0; t < tokens; t++)
				sum += (double)p[t] * number(v, t * n + i);
			y[i] = (float)sum;
		}
}

const struct peft_vec peft_vec_ref = {
	.page_scores = page_scores, .page_values = page_values,
	.name = "ref", .dot = dot, .axpy = axpy, .scale = scale, .add = add,
	.sum = sum,
	.mul = mul, .muladd = muladd,
	.sumsq = sumsq, .nonfinite = nonfinite, .rmsnorm = rmsnorm,
	.rmsnorm_back = rmsnorm_back, .swiglu = swiglu,
	.swiglu_back = swiglu_back, .softmax = softmax, .expsub = expsub,
	.softmax_part = softmax_part, .softmax_back = softmax_back,
	.argmax = argmax, .rope = rope, .adamw = adamw,
};
