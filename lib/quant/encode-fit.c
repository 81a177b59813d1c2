/* SPDX-License-Identifier: Apache-2.0 */
/* The scale of a group of values: searches for the least squares. */

#include <math.h>
#include <string.h>

#include "quant/encode.h"

/* Codes of x by a scale (its inverse is given) and a minimum. */
static void
codes_above(const struct peft_fit *f, const float *x, float inverse,
    float min, uint8_t *q)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		q[i] = (uint8_t)peft_clamp(peft_nearest(inverse * (x[i] -
		    min)), 0, f->most);
}

static float
distance(const struct peft_fit *f, const float *x, const float *w,
    const uint8_t *q, float scale, float min)
{
	float sum = 0, off;
	size_t i;

	for (i = 0; i < f->n; i++) {
		off = scale * (float)q[i] + min - x[i];
		sum += w[i] * (f->absolute ? fabsf(off) : off * off);
	}
	return sum;
}

/* The scale and minimum that are best for these codes; a minimum above zero
 * becomes zero.  False if all codes are the same. */
static bool
solve(const struct peft_fit *f, const float *x, const float *w,
    const uint8_t *q, float sw, float sx, float *scale, float *min)
{
	float sl = 0, sll = 0, sxl = 0, d;
	size_t i;

	for (i = 0; i < f->n; i++) {
		float l = (float)q[i];

		sl += w[i] * l;
		sll += w[i] * l * l;
		sxl += w[i] * l * x[i];
	}
	d = sw * sll - sl * sl;
	if (!(d > 0))
		return false;
	*scale = (sw * sxl - sx * sl) / d;
	*min = (sll * sx - sl * sxl) / d;
	if (*min > 0) {
		*min = 0;
		*scale = sxl / sll;
	}
	return true;
}

/* What the distances of one group weigh if nobody says. */
static void
weigh(const struct peft_fit *f, const float *x, float *w)
{
	float sum = 0, mean = 0;
	size_t i;

	if (!f->absolute) {
		for (i = 0; i < f->n; i++)
			sum += x[i] * x[i];
		mean = sqrtf(sum / (float)f->n);
	}
	for (i = 0; i < f->n; i++)
		w[i] = mean + fabsf(x[i]);
}

static float
fit_offset(const struct peft_fit *f, const float *x, const float *w,
    uint8_t *q, float *offset)
{
	float min = x[0], max = x[0], sw = w[0], sx = sw * x[0], scale, best;
	float scale1, min1, error;
	uint8_t q1[32];
	size_t i;
	int step;

	for (i = 1; i < f->n; i++) {
		min = x[i] < min ? x[i] : min;
		max = x[i] > max ? x[i] : max;
		sw += w[i];
		sx += w[i] * x[i];
	}
	min = min > 0 ? 0 : min;
	*offset = -min;
	memset(q, 0, f->n);
	if (max == min)
		return 0;
	scale = 1 / ((float)f->most / (max - min));
	codes_above(f, x, (float)f->most / (max - min), min, q);
	best = distance(f, x, w, q, scale, min);
	for (step = 0; step <= f->steps; step++) {
		/* from the best minimum so far, not from the first one */
		codes_above(f, x, (f->first + f->step * (float)step +
		    (float)f->most) / (max - min), min, q1);
		if (!solve(f, x, w, q1, sw, sx, &scale1, &min1))
			continue;
		error = distance(f, x, w, q1, scale1, min1);
		if (error < best) {
			memcpy(q, q1, f->n);
			best = error;
			scale = scale1;
			min = min1;
		}
	}
	*offset = -min;
	return scale;
}

/* The first of those with the largest magnitude, 0 if that is as good as
 * none. */
static float
largest(const float *x, size_t n)
{
	float amax = 0, max = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (fabsf(x[i]) > amax) {
			amax = fabsf(x[i]);
			max = x[i];
		}
	return amax < PEFT_FIT_ZERO ? 0 : max;
}

/* Codes by a scale (its inverse is given), and the sums that tell how well
 * the best scale for them does. */
static void
codes_signed(const float *x, const float *w, size_t n, int most,
    float inverse, uint8_t *q, float *sxl, float *sll)
{
	size_t i;

	*sxl = *sll = 0;
	for (i = 0; i < n; i++) {
		int l = peft_clamp(peft_nearest(inverse * x[i]), -most,
		    most - 1);
		float each = w != NULL ? w[i] : x[i] * x[i];

		q[i] = (uint8_t)(l + most);
		*sxl += each * x[i] * (float)l;
		*sll += each * (float)l * (float)l;
	}
}

float
peft_fit_centred(const float *x, const float *w, size_t n, int most,
    uint8_t *q)
{
	float max = largest(x, n), scale, best, sxl, sll;
	uint8_t q1[32];
	int step;

	memset(q, 0, n);
	if (max == 0)
		return 0;
	codes_signed(x, w, n, most, (float)-most / max, q, &sxl, &sll);
	scale = sll != 0 ? sxl / sll : 0;
	best = scale * sxl;
	for (step = -9; step <= 9; step++) {
		if (step == 0)
			continue;
		codes_signed(x, w, n, most, -((float)most + 0.1f *
		    (float)step) / max, q1, &sxl, &sll);
		if (sll > 0 && sxl * sxl > best * sll) {
			memcpy(q, q1, n);
			scale = sxl / sll;
			best = scale * sxl;
		}
	}
	return scale;
}

/* One code, if another is better for the scale that the rest would have. */
static bool
improve(float x, uint8_t *q, float *sxl, float *sll)
{
	float w = x * x, l = (float)(*q - 4), sx = *sxl - w * x * l, sl;
	int better;

	if (!(sx > 0))
		return false;
	sl = *sll - w * l * l;
	better = peft_clamp(peft_nearest(x * sl / sx), -4, 3);
	if (better == *q - 4)
		return false;
	sx += w * x * (float)better;
	sl += w * (float)better * (float)better;
	if (!(sl > 0 && sx * sx * *sll > *sxl * *sxl * sl))
		return false;
	*q = (uint8_t)(better + 4);
	*sxl = sx;
	*sll = sl;
	return true;
}

static float
fit_codes(const float x[16], uint8_t q[16])
{
	float max = largest(x, 16), sxl, sll;
	bool more = true;
	size_t i;
	int round;

	memset(q, 0, 16);
	if (max == 0)
		return 0;
	codes_signed(x, NULL, 16, 4, -4 / max, q, &sxl, &sll);
	for (round = 0; round < 5 && more; round++)
		for (more = false, i = 0; i < 16; i++)
			more |= improve(x[i], &q[i], &sxl, &sll);
	return sll > 0 ? sxl / sll : 0;
}

static void
offset_ref(const struct peft_fit *f, const float *x, const float *w,
    uint8_t *q, float scale[8], float offset[8])
{
	float own[32];
	size_t k;

	for (k = 0; k < 8; k++, x += f->n, q += f->n) {
		if (w == NULL)
			weigh(f, x, own);
		scale[k] = fit_offset(f, x, w == NULL ? own : w + k * f->n, q,
		    &offset[k]);
	}
}

static void
centred_ref(const float *x, const float *w, size_t n, int most, uint8_t *q,
    float scale[8])
{
	size_t k;

	for (k = 0; k < 8; k++)
		scale[k] = peft_fit_centred(x + n * k, w == NULL ? NULL :
		    w + n * k, n, most, q + n * k);
}

static void
again_ref(const float *x, size_t n, float scale, float offset, int least,
    int most, int add, uint8_t *q)
{
	size_t i;

	for (i = 0; scale != 0 && i < n; i++)
		q[i] = (uint8_t)(peft_clamp(peft_nearest((x[i] + offset) /
		    scale), least, most) + add);
}

static size_t
nearest_ref(const struct peft_near *near, size_t dims, const float *x,
    const float *w, const float values[8], float scale)
{
	float least = 0x1.fffffep127f, sum, off;
	size_t best = 0, i, j;

	for (j = 0; j < near->n; j++) {
		for (sum = 0, i = 0; i < dims; i++) {
			off = scale * values[near->coords[i * near->room +
			    j]] - x[i];
			sum += w[i] * off * off;
		}
		if (sum < least) {
			least = sum;
			best = j;
		}
	}
	return best;
}

static void
coded_ref(const float x[256], uint8_t q[256], float scale[16])
{
	size_t k;

	for (k = 0; k < 16; k++)
		scale[k] = fit_codes(x + 16 * k, q + 16 * k);
}

const struct peft_fits peft_fits_ref = { offset_ref, centred_ref, coded_ref,
	again_ref, nearest_ref };
