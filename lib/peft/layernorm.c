/* SPDX-License-Identifier: Apache-2.0 */
/* An adapter's own LayerNorm. */

#include <math.h>

#include "math/vec.h"
#include "peft/layernorm.h"

/* The mean, and one over the deviation. */
static float
moments(const float *x, size_t n, float *rstd)
{
	double sum = 0, sq = 0, d;
	size_t i;

	for (i = 0; i < n; i++)
		sum += x[i];
	sum /= (double)n;
	for (i = 0; i < n; i++) {
		d = x[i] - sum;
		sq += d * d;
	}
	*rstd = (float)(1 / sqrt(sq / (double)n + 1e-5));
	return (float)sum;
}

void
peft_layernorm(const struct peft_param *w, const struct peft_param *b,
    const float *x, size_t ldx, float *y, size_t ldy, size_t T)
{
	float mean, rstd;
	size_t i;

	for (; T > 0; T--, x += ldx, y += ldy) {
		mean = moments(x, w->n, &rstd);
		for (i = 0; i < w->n; i++)
			y[i] = (x[i] - mean) * rstd * w->value[i] +
			    b->value[i];
	}
}

void
peft_layernorm_back(const struct peft_param *w, const struct peft_param *b,
    const float *x, size_t ldx, const float *dy, float *dx, size_t T)
{
	size_t n = w->n, i;

	for (; T > 0; T--, x += ldx, dy += n, dx += n) {
		double sum = 0, dot = 0;
		float rstd, mean = moments(x, n, &rstd);

		for (i = 0; i < n; i++) {
			float h = (x[i] - mean) * rstd, g = dy[i];

			if (w->grad != NULL) {
				w->grad[i] += g * h;
				b->grad[i] += g;
			}
			sum += g * w->value[i];
			dot += g * w->value[i] * h;
		}
		for (i = 0; i < n; i++)
			dx[i] = rstd * (dy[i] * w->value[i] - (float)(sum /
			    (double)n) - (x[i] - mean) * rstd *
			    (float)(dot / (double)n));
	}
}
