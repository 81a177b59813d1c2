/* SPDX-License-Identifier: Apache-2.0 */
/* The fits of encode-fit.c for eight groups at once.  Nothing is fused or
 * reordered. */

#include "quant/encode-lanes.inc"

struct groups {
	size_t	n;
	int	most;
	bool	absolute;
	lanes	x[32], w[32];
	lanes	sw, sx, min, max;
};

static void
weigh(struct groups *g, const float *w)
{
	lanes sum = { 0 }, mean = { 0 };
	size_t i, k;

	if (w != NULL) {
		gather(w, g->n, g->w);
		return;
	}
	for (i = 0; i < g->n && !g->absolute; i++)
		sum += g->x[i] * g->x[i];
	for (k = 0; k < 8 && !g->absolute; k++)
		mean[k] = sqrtf(sum[k] / (float)g->n);
	for (i = 0; i < g->n; i++)
		g->w[i] = mean + magnitude(g->x[i]);
}

static void
prepare(struct groups *g, const float *w)
{
	size_t i;

	weigh(g, w);
	g->min = g->max = g->x[0];
	g->sw = g->w[0];
	g->sx = g->sw * g->x[0];
	for (i = 1; i < g->n; i++) {
		g->min = pick(g->x[i] < g->min, g->x[i], g->min);
		g->max = pick(g->x[i] > g->max, g->x[i], g->max);
		g->sw += g->w[i];
		g->sx += g->w[i] * g->x[i];
	}
	g->min = pick(g->min > 0, (lanes){ 0 }, g->min);
}

static lanes
distance(const struct groups *g, const lanes *q, lanes scale, lanes min)
{
	lanes sum = { 0 };
	size_t i;

	for (i = 0; i < g->n; i++) {
		lanes off = scale * q[i] + min - g->x[i];

		sum += g->w[i] * (g->absolute ? magnitude(off) : off * off);
	}
	return sum;
}

/* Codes by a scale (its inverse is given), and the scale and minimum that are
 * best for them; the groups of which not all codes are the same. */
static whole
solve(const struct groups *g, lanes inverse, lanes *q, lanes *scale,
    lanes *min)
{
	lanes sl = { 0 }, sll = { 0 }, sxl = { 0 }, d;
	whole above;
	size_t i;

	for (i = 0; i < g->n; i++) {
		lanes wl;

		q[i] = code(inverse * (g->x[i] - g->min), 0, g->most);
		wl = g->w[i] * q[i];
		sl += wl;
		sll += wl * q[i];
		sxl += wl * g->x[i];
	}
	d = g->sw * sll - sl * sl;
	*scale = (g->sw * sxl - g->sx * sl) / d;
	*min = (sll * g->sx - sl * sxl) / d;
	above = *min > 0;
	*min = pick(above, (lanes){ 0 }, *min);
	*scale = pick(above, sxl / sll, *scale);
	return d > 0;
}

static void
offset_avx2(const struct peft_fit *f, const float *x, const float *w,
    uint8_t *to, float to_scale[8], float to_offset[8])
{
	struct groups g = { .n = f->n, .most = f->most,
	    .absolute = f->absolute };
	lanes q[32], q1[32], scale, scale1, min1, best, error;
	whole flat, better;
	size_t i;
	int step;

	gather(x, f->n, g.x);
	prepare(&g, w);
	flat = g.max == g.min;
	scale = 1 / ((float)f->most / (g.max - g.min));
	for (i = 0; i < f->n; i++)
		q[i] = code((float)f->most / (g.max - g.min) * (g.x[i] -
		    g.min), 0, f->most);
	best = distance(&g, q, scale, g.min);
	for (step = 0; step <= f->steps && !every(flat); step++) {
		better = solve(&g, (f->first + f->step * (float)step +
		    (float)f->most) / (g.max - g.min), q1, &scale1, &min1);
		error = distance(&g, q1, scale1, min1);
		better &= (error < best) & ~flat;
		for (i = 0; i < f->n; i++)
			q[i] = pick(better, q1[i], q[i]);
		best = pick(better, error, best);
		scale = pick(better, scale1, scale);
		g.min = pick(better, min1, g.min);
	}
	for (i = 0; i < f->n; i++)
		q[i] = pick(flat, (lanes){ 0 }, q[i]);
	scatter(q, 0, f->n, to);
	put(pick(flat, (lanes){ 0 }, scale), to_scale);
	put(-g.min, to_offset);
}

static void
centred_avx2(const float *from, const float *weight, size_t n, int most,
    uint8_t *to, float to_scale[8])
{
	lanes x[32], w[32], q[32], q1[32], max, scale, best, sxl, sll;
	whole better, none;
	size_t i;
	int step;

	gather(from, n, x);
	if (weight != NULL)
		gather(weight, n, w);
	for (i = 0; i < n && weight == NULL; i++)
		w[i] = x[i] * x[i];
	max = largest(x, n, &none);
	codes(x, w, n, most, (float)-most / max, q, &sxl, &sll);
	scale = pick(sll != 0, sxl / sll, (lanes){ 0 });
	best = scale * sxl;
	for (step = -9; step <= 9 && !every(none); step++) {
		if (step == 0)
			continue;
		codes(x, w, n, most, -((float)most + 0.1f * (float)step) /
		    max, q1, &sxl, &sll);
		better = (sll > 0) & (sxl * sxl > best * sll);
		for (i = 0; i < n; i++)
			q[i] = pick(better, q1[i], q[i]);
		scale = pick(better, sxl / sll, scale);
		best = pick(better, scale * sxl, best);
	}
	for (i = 0; i < n; i++)
		q[i] = pick(none, (lanes){ 0 } - (float)most, q[i]);
	scatter(q, (float)most, n, to);
	put(pick(none, (lanes){ 0 }, scale), to_scale);
}

const struct peft_fits peft_fits_avx2 = { offset_avx2, centred_avx2,
	peft_coded_avx2, peft_again_avx2, peft_nearest_avx2 };
