/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ggml's IQ1 types: groups of values that are -1, 0 or 1 times a scale, all
 * moved by an eighth of it, one way or the other; eight at a time are a point
 * of a grid.  Sorted values are split in two places: every pair of places is
 * tried.  Layouts: see decode-iq.inc.
 */

#include <math.h>
#include <string.h>

#include "quant/encode.h"
#include "quant/lattice.h"
#include "quant/quant.h"

/* What the codes 0, 1, 2 stand for, moved up and moved down. */
static const float up[8] = { -0.875f, 0.125f, 1.125f };
static const float down[8] = { -1.125f, -0.125f, 0.875f };

#define LEAST	(-0x1.fffffep127f)

struct split {
	float	scale;
	int	first, second;		/* ones from, twos from; -1: none */
	int	shift;			/* IQ1_S: 0 up, 1 down.  IQ1_M: 2 if
					 * the first half is moved down, plus 1
					 * if the second one is */
};

/* Places by value; equal ones as they stand. */
static void
sort(const float *x, int n, int *order)
{
	int i, j;

	for (i = 0; i < n; i++) {
		for (j = i; j > 0 && x[order[j - 1]] > x[i]; j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
}

static bool
small(const float *x, size_t n, float zero)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!(fabsf(x[i]) < zero))
			return false;
	return true;
}

static void
try(struct split *s, float *best, float sxl, float sll, int first,
    int second, int shift)
{
	if (!(sll > 0 && sxl * sxl > *best * sll))
		return;
	*s = (struct split){ sxl / sll, first, second, shift };
	*best = s->scale * sxl;
}

/* Sums of all that come before, so that each pair of places is quick. */
static struct split
split32(const float *x, const float *w, const int order[32])
{
	struct split s = { 0, -1, -1, 0 };
	float sx[33] = { 0 }, sw[33] = { 0 }, best = LEAST;
	int i, j, k;

	for (i = 0; i < 32; i++) {
		sx[i + 1] = sx[i] + w[order[i]] * x[order[i]];
		sw[i + 1] = sw[i] + w[order[i]];
	}
	for (i = 0; i <= 32; i++)
		for (j = i; j <= 32; j++)
			for (k = 0; k < 2; k++) {
				const float *v = k == 0 ? up : down;

				try(&s, &best, (sx[i] - sx[0]) * v[0] +
				    (sx[j] - sx[i]) * v[1] + (sx[32] - sx[j]) *
				    v[2], (sw[i] - sw[0]) * v[0] * v[0] +
				    (sw[j] - sw[i]) * v[1] * v[1] + (sw[32] -
				    sw[j]) * v[2] * v[2], i, j, k);
			}
	return s;
}

/* The sums of a half whose codes are 0 before the first place, 2 from the
 * second on, moved one way.  Neighbouring codes stand for values 1 apart, and
 * the squares of these differ by square[0] and square[1]. */
struct half {
	float	x[17], w[17];		/* of what comes before each place */
};

static void
half_sums(const struct half *h, int i, int j, int way, float *sxl,
    float *sll)
{
	static const float square[2][2] = { { 0.75f, -1.25f },
		{ 1.25f, -0.75f } };
	float top = way ? down[2] : up[2];

	*sxl = h->x[16] * top - (h->x[i] + h->x[j]);
	*sll = h->w[16] * top * top + h->w[i] * square[way][0] + h->w[j] *
	    square[way][1];
}

/* Halves are moved each its own way, so that there are four.  (As ggml
 * 0.25.3 sums; it went through the values one by one before.) */
static struct split
split16(const float *x, const float *w, const int order[16])
{
	struct split s = { 0, -1, -1, 0 };
	struct half halves[2] = { 0 };
	float sxl[2][2], sll[2][2], best = LEAST;
	int i, j, k, h;

	for (i = 0; i < 16; i++)
		for (h = 0; h < 2; h++) {
			bool mine = order[i] / 8 == h;
			float weight = w[order[i]], wx = weight * x[order[i]];

			halves[h].x[i + 1] = mine ? halves[h].x[i] + wx :
			    halves[h].x[i];
			halves[h].w[i + 1] = mine ? halves[h].w[i] + weight :
			    halves[h].w[i];
		}
	for (i = 0; i <= 16; i++)
		for (j = i; j <= 16; j++) {
			for (k = 0; k < 4; k++)
				half_sums(&halves[k / 2], i, j, k % 2,
				    &sxl[k / 2][k % 2], &sll[k / 2][k % 2]);
			for (k = 0; k < 4; k++)
				try(&s, &best, sxl[0][k / 2] + sxl[1][k % 2],
				    sll[0][k / 2] + sll[1][k % 2], i, j, k);
		}
	return s;
}

/* Which way the k-th eight of a group are moved. */
static const float *
moved(size_t n, int shift, size_t k)
{
	return (n == 32 ? shift : shift & (k == 0 ? 2 : 1)) ? down : up;
}

/* The codes of a split as points; the scale anew if some were off. */
static float
place(struct peft_lattice *l, const float *x, const float *w, size_t n,
    const struct split *s, const uint8_t *q, uint16_t *points)
{
	float sxl = 0, sll = 0;
	struct peft_near near;
	bool off = false;
	size_t i, k;

	for (k = 0; k < n / 8; k++) {
		uint32_t code = 0;
		int at;

		for (i = 0; i < 8; i++)
			code |= (uint32_t)q[8 * k + i] << 2 * i;
		if ((at = peft_lattice_find(l, code, &near)) < 0) {
			off = true;
			at = near.at[peft_fits()->nearest(&near, 8, x + 8 * k,
			    w + 8 * k, moved(n, s->shift, k), s->scale)];
		}
		points[k] = (uint16_t)at;
	}
	for (i = 0; off && i < n; i++) {
		float v = moved(n, s->shift, i / 8)[peft_grid_at(
		    &peft_grid_iq1_s, points[i / 8], (int)(i % 8))];

		sxl += w[i] * v * x[i];
		sll += w[i] * v * v;
	}
	return sxl > 0 && sll > 0 ? sxl / sll : s->scale;
}

/* One group of 32 or 16: scale, points, shift.  Zero, and points of no
 * meaning, if there is nothing in it. */
static float
fit(struct peft_lattice *l, const float *x, const float *w, size_t n,
    float zero, uint16_t *points, int *shift)
{
	int order[32], i;
	struct split s;
	uint8_t q[32];

	memset(points, 0, n / 8 * sizeof(*points));
	*shift = 0;
	if (small(x, n, zero))
		return 0;
	sort(x, (int)n, order);
	s = n == 32 ? split32(x, w, order) : split16(x, w, order);
	if (s.first < 0)
		return 0;
	for (i = 0; i < (int)n; i++)
		q[order[i]] = (uint8_t)((i >= s.first) + (i >= s.second));
	if (s.scale < 0) {
		for (i = 0; i < (int)n; i++)
			q[i] = (uint8_t)(2 - q[i]);
		s.scale = -s.scale;
		s.shift = (n == 32 ? 1 : 3) - s.shift;
	}
	*shift = s.shift;
	return place(l, x, w, n, &s, q, points);
}

/* What distances weigh; w may be NULL. */
static void
weigh(const float *x, const float *w, float own[256])
{
	float square = 0;
	size_t i;

	for (i = 0; i < 256; i++) {
		own[i] = x[i] * x[i];
		square += own[i];
	}
	if (w != NULL)
		peft_weights(x, w, 256, 2 * square / 256, own);
}

static int
scale_code(float inverse, float scale)
{
	return peft_clamp(peft_nearest(0.5f * (inverse * scale - 1)), 0, 7);
}

void
peft_weigh_iq1_s(struct peft_lattice *l, const float *x, const float *w,
    size_t n, uint8_t *b)
{
	float own[256], scale[8], most;
	uint16_t points[32];
	int shift[8];
	size_t i, j;

	for (; n > 0; n -= 256, x += 256, w += 256, b += 50) {
		weigh(x, w, own);
		memset(b, 0, 50);
		for (most = 0, j = 0; j < 8; j++) {
			unsigned high = 0;

			scale[j] = fit(l, x + 32 * j, own + 32 * j, 32,
			    1e-12f, points + 4 * j, &shift[j]);
			most = scale[j] > most ? scale[j] : most;
			for (i = 0; i < 4; i++) {
				b[2 + 4 * j + i] = (uint8_t)points[4 * j + i];
				high |= (unsigned)points[4 * j + i] >> 8 <<
				    3 * i;
			}
			peft_store16(b + 34 + 2 * j, (uint16_t)high);
		}
		if (most == 0)
			continue;
		peft_put_half(b, most / 15 * 1.125f);
		for (j = 0; j < 8; j++)
			b[35 + 2 * j] |= (uint8_t)((scale_code(1 / (most / 15),
			    scale[j]) | shift[j] << 3) << 4);
	}
}

/* The best scale of all for the groups' codes and scales as they are. */
static float
settle(const float *x, const float *own, const uint16_t points[32],
    const int codes[16], const int shift[16], float scale)
{
	float sxl = 0, sll = 0;
	size_t i;

	for (i = 0; i < 256; i++) {
		float v = moved(16, shift[i / 16], i / 8 % 2)[peft_grid_at(
		    &peft_grid_iq1_s, points[i / 8], (int)(i % 8))];

		v *= (float)(2 * codes[i / 16] + 1);
		sxl += own[i] * v * x[i];
		sll += own[i] * v * v;
	}
	return sll > 0 ? sxl / sll : scale;
}

void
peft_weigh_iq1_m(struct peft_lattice *l, const float *x, const float *w,
    size_t n, uint8_t *b)
{
	float own[256], scale[16], most;
	uint16_t points[32], d;
	int shift[16], codes[16];
	size_t j;

	for (; n > 0; n -= 256, x += 256, b += 56) {
		weigh(x, w, own);
		w = w == NULL ? NULL : w + 256;
		memset(b, 0, 56);
		for (most = 0, j = 0; j < 16; j++) {
			scale[j] = fit(l, x + 16 * j, own + 16 * j, 16,
			    1e-7f, points + 2 * j, &shift[j]);
			most = scale[j] > most ? scale[j] : most;
			b[2 * j] = (uint8_t)points[2 * j];
			b[2 * j + 1] = (uint8_t)points[2 * j + 1];
			b[32 + j] = (uint8_t)(points[2 * j] >> 8 |
			    points[2 * j + 1] >> 8 << 4);
		}
		if (most == 0)
			continue;
		for (j = 0; j < 16; j++) {
			codes[j] = scale_code(1 / (most / 15), scale[j]);
			b[32 + j] |= (uint8_t)((shift[j] & 2) << 2 |
			    (shift[j] & 1) << 7);
		}
		d = peft_f32_to_f16(settle(x, own, points, codes, shift, most /
		    15) * 1.1125f);
		for (j = 0; j < 4; j++)
			peft_store16(b + 48 + 2 * j, (uint16_t)(codes[4 * j] |
			    codes[4 * j + 1] << 3 | codes[4 * j + 2] << 6 |
			    codes[4 * j + 3] << 9 | (d >> 4 * j & 15) << 12));
	}
}
