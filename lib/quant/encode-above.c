/* SPDX-License-Identifier: Apache-2.0 */
/* The scale of values that are not negative, such as the scales of groups:
 * a search for the least squares, then code by code (ggml's make_qp_quants).
 * A code below zero, which rounding may give, wraps around as it does there. */

#include <string.h>

#include "quant/encode.h"

static float
distance(const float *x, const float *w, size_t n, int most, float inverse)
{
	float sum = 0, scale = 1 / inverse, off;
	size_t i;
	int l;

	for (i = 0; i < n; i++) {
		l = peft_nearest(inverse * x[i]);
		off = x[i] - scale * (float)(l < most ? l : most);
		sum += w[i] * off * off;
	}
	return sum;
}

/* Of the inverse scales around the obvious one, the best. */
static float
search(const float *x, const float *w, size_t n, int most, float max)
{
	float inverse = (float)most / max, scale = 1 / inverse, best = 0, off;
	float other, error;
	size_t i;
	int step;

	for (i = 0; i < n; i++) {
		off = x[i] - scale * (float)(uint8_t)peft_nearest(inverse *
		    x[i]);
		best += w[i] * off * off;
	}
	for (step = -4; step <= 4; step++) {
		if (step == 0)
			continue;
		other = (0.1f * (float)step + (float)most) / max;
		error = distance(x, w, n, most, other);
		if (error < best) {
			best = error;
			inverse = other;
		}
	}
	return inverse;
}

/* One code, if another is better for the scale that the rest would have. */
static bool
improve(float x, float w, int most, uint8_t *q, float *sxl, float *sll)
{
	float sx = *sxl - w * x * (float)*q;
	float sl = *sll - w * (float)*q * (float)*q;
	int l;

	if (!(sx > 0 && sl > 0))
		return false;
	l = peft_nearest(x * sl / sx);
	l = l < most ? l : most;
	if (l == *q)
		return false;
	sx += w * x * (float)l;
	sl += w * (float)l * (float)l;
	if (!(sx * sx * *sll > *sxl * *sxl * sl))
		return false;
	*q = (uint8_t)l;
	*sxl = sx;
	*sll = sl;
	return true;
}

float
peft_fit_above(const float *x, const float *w, size_t n, int most, uint8_t *q)
{
	float max = 0, inverse, sxl = 0, sll = 0;
	bool more = true;
	size_t i;
	int round, l;

	for (i = 0; i < n; i++)
		max = x[i] > max ? x[i] : max;
	memset(q, 0, n);
	if (max < PEFT_FIT_ZERO)
		return 0;
	inverse = search(x, w, n, most, max);
	for (i = 0; i < n; i++) {
		l = peft_nearest(inverse * x[i]);
		l = l < most ? l : most;
		q[i] = (uint8_t)l;
		sxl += w[i] * x[i] * (float)l;
		sll += w[i] * (float)l * (float)l;
	}
	for (round = 0; round < 5 && more; round++)
		for (more = false, i = 0; i < n; i++)
			more |= improve(x[i], w[i], most, &q[i], &sxl, &sll);
	return sll > 0 ? sxl / sll : 0;
}
