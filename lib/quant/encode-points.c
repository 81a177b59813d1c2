/* SPDX-License-Identifier: Apache-2.0 */
/* A group of values as points of a grid. */

#include <math.h>
#include <string.h>

#include "quant/encode.h"
#include "quant/encode-points.h"

/* One group while it is fitted. */
struct group {
	const struct peft_points *k;
	const float	*w;		/* what distances weigh */
	float		 x[32];		/* without signs, mostly */
	float		 root[32];	/* of w */
	uint8_t		 q[32];		/* the best codes so far */
	bool		 on[8];		/* they were points of themselves */
	struct peft_lattice *lattice;
};

/* What the codes stand for. */
static const float odd[8] = { 1, 3, 5, 7, 9, 11, 13, 15 };

/* Magnitudes, and signs as bits.  Of an odd number of minuses one is given
 * up, where it weighs least. */
static void
take_signs(struct group *g, const float *x, uint8_t *signs)
{
	size_t i, k, least;

	for (k = 0; k < g->k->n / 8; k++, x += 8) {
		const float *w = g->w + 8 * k;

		signs[k] = 0;
		for (i = 0; i < 8; i++) {
			g->x[8 * k + i] = x[i] >= 0 ? x[i] : -x[i];
			signs[k] |= (uint8_t)(!(x[i] >= 0) << i);
		}
		if (!g->k->even)
			continue;
		if (__builtin_popcount(signs[k]) % 2 != 0) {
			for (least = 0, i = 1; i < 8; i++)
				if (w[i] * x[i] * x[i] < w[least] *
				    x[least] * x[least])
					least = i;
			g->x[8 * k + least] = -g->x[8 * k + least];
			signs[k] ^= (uint8_t)(1 << least);
		}
		signs[k] &= 127;
	}
}

static uint32_t
codes_of(const struct group *g, size_t p, float inverse, uint8_t *q)
{
	size_t dims = (size_t)g->k->grid->dims, i;
	const float *x = g->x + p * dims;
	uint32_t code = 0;

	for (i = 0; i < dims; i++) {
		q[i] = (uint8_t)peft_clamp(peft_nearest(0.5f * (inverse *
		    x[i] - 1)), 0, g->k->codes - 1);
		code |= (uint32_t)q[i] << g->k->grid->bits * (int)i;
	}
	return code;
}

/* Codes of point p by a scale, moved onto the grid; were they on it? */
static bool
quantise(struct group *g, size_t p, float inverse, float scale, uint8_t *q)
{
	uint32_t code = codes_of(g, p, inverse, q);
	size_t dims = (size_t)g->k->grid->dims, best, i;
	struct peft_near near;

	if (peft_lattice_find(g->lattice, code, &near) >= 0)
		return true;
	best = peft_fits()->nearest(&near, dims, g->x + p * dims, g->root +
	    p * dims, odd, scale);
	for (i = 0; i < dims; i++)
		q[i] = near.coords[i * near.room + best];
	return false;
}

static void
sums(const struct group *g, const uint8_t *q, float *sxl, float *sll)
{
	size_t i;

	*sxl = *sll = 0;
	for (i = 0; i < g->k->n; i++) {
		float l = (float)(2 * q[i] + 1);

		*sxl += g->w[i] * g->x[i] * l;
		*sll += g->w[i] * l * l;
	}
}

/* Tries scales around that which takes `max' to the highest code. */
static float
search(struct group *g, float max, float scale)
{
	const struct peft_points *k = g->k;
	size_t dims = (size_t)k->grid->dims, p, np = k->n / dims;
	float best = 0, inverse, sxl, sll;
	uint8_t q[32] = { 0 };
	bool on[8] = { false };
	int step;

	for (step = -k->steps; step <= k->steps; step++) {
		inverse = ((float)(2 * k->codes - 1) + (float)step * k->step) /
		    max;
		for (p = 0; p < np; p++)
			on[p] = quantise(g, p, inverse, 1 / inverse, q +
			    p * dims);
		sums(g, q, &sxl, &sll);
		if (sll > 0 && sxl * sxl > best * sll) {
			scale = sxl / sll;
			best = scale * sxl;
			memcpy(g->q, q, sizeof(q));
			memcpy(g->on, on, sizeof(on));
		}
	}
	return scale;
}

/* Once more by the scale that was found, and the scale by what that gives. */
static float
once_more(struct group *g, float scale)
{
	size_t dims = (size_t)g->k->grid->dims, p, np = g->k->n / dims, off = 0;
	float sxl, sll;

	for (p = 0; p < np; p++)
		off += !g->on[p];
	if (!(scale > 0) || (off == 0 && g->k->again != PEFT_ALWAYS))
		return scale;
	for (p = 0; p < np; p++)
		if (!g->on[p] || g->k->again != PEFT_OFF_GRID)
			(void)quantise(g, p, 1 / scale, scale, g->q +
			    p * dims);
	sums(g, g->q, &sxl, &sll);
	return sll > 0 ? sxl / sll : scale;
}

static void
start(struct group *g, const float *x, uint8_t *signs)
{
	size_t i;

	for (i = 0; i < g->k->n; i++)
		g->root[i] = sqrtf(g->w[i]);
	for (i = 0; i < 8; i++)
		g->on[i] = g->k->again != PEFT_IF_ANY;
	take_signs(g, x, signs);
}

float
peft_fit_points(const struct peft_points *k, struct peft_lattice *lattice,
    const float *x, const float *w, uint8_t *signs, uint16_t *points)
{
	size_t dims = (size_t)k->grid->dims, i, p;
	struct peft_near near;
	float max, scale;
	struct group g = { .k = k, .w = w, .lattice = lattice };

	start(&g, x, signs);
	for (max = g.x[0], i = 1; i < k->n; i++)
		max = g.x[i] > max ? g.x[i] : max;
	scale = max / (float)(2 * k->codes - 1);
	if (max < k->zero)
		max = 0;
	else if (k->fitted) {
		scale = peft_fit_above(g.x, w, k->n, k->codes + 1, g.q);
		max = scale * (float)k->codes;
	}
	memset(points, 0, k->n / dims * sizeof(*points));
	if (max <= 0) {
		memset(signs, 0, k->n / 8);
		return 0;
	}
	scale = once_more(&g, search(&g, max, scale));
	for (i = 0; scale < 0 && i < k->n / 8; i++)
		signs[i] = (uint8_t)(~signs[i] & (k->even ? 127 : 255));
	for (p = 0; p < k->n / dims; p++) {
		uint32_t code = 0;
		int at;

		for (i = 0; i < dims; i++)
			code |= (uint32_t)g.q[p * dims + i] << k->grid->bits *
			    (int)i;
		at = peft_lattice_find(lattice, code, &near);
		/* off the grid if nothing could be told from anything */
		points[p] = at < 0 ? near.at[0] : (uint16_t)at;
	}
	return fabsf(scale);
}
