/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs that are to have values of their own: transformers' multi-label
 * and regression losses, means over the outputs. */

#include <math.h>

#include "model/values.h"

/* -log of the sigmoid of y, or of -y (BCEWithLogitsLoss). */
static bool
sigmoid(float *y, float want, double *loss)
{
	double v = *y, e = exp(-fabs(v)), p = v > 0 ? 1 / (1 + e) : e /
	    (1 + e);

	*loss = (v > 0 ? v : 0) - v * (double)want + log1p(e);
	*y = (float)(p - (double)want);
	return (v > 0) == (want > 0.5f);
}

/* (y - want)^2 */
static bool
square(float *y, float want, double *loss)
{
	double d = (double)*y - (double)want;

	*loss = d * d;
	*y = (float)(2 * d);
	return false;
}

bool
peft_row_values(enum peft_problem problem, float *y, const float *want,
    size_t n, bool train, float scale, double *loss)
{
	bool right = true;
	double one, sum = 0;
	float g;
	size_t i;

	for (i = 0; i < n; i++) {
		g = y[i];
		right &= problem == PEFT_PROBLEM_VALUE ?
		    square(&g, want[i], &one) : sigmoid(&g, want[i], &one);
		sum += one;
		if (train)
			y[i] = g * scale / (float)n;
	}
	*loss = sum / (double)n;
	return right;
}
