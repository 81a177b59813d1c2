/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdamW with both moments in blocks of 256 bytes: codes of a dynamic map times
 * the block's largest absolute value, as bitsandbytes keeps them (functional.py
 * create_dynamic_map, optim/optimizer.py).  Tensors of fewer than 4096 values
 * keep f32.
 */

#include <math.h>

#include "quant/quant.h"
#include "train/optimiser.h"

enum { M, V, ABSMAX };		/* parts; bytes lie four to a float */

enum { BLOCK = 256, SMALLEST = 4096 };

static size_t
blocks(size_t n)
{
	return (n + BLOCK - 1) / BLOCK;
}

static size_t
floats(const struct peft_param *p, int part)
{
	if (p->n < SMALLEST)
		return part == ABSMAX ? 0 : p->n;
	return part == ABSMAX ? 2 * blocks(p->n) : (p->n + 3) / 4;
}

static bool
coded(const struct peft_param *p, int part)
{
	return p->n >= SMALLEST && part != ABSMAX;
}

/* The map for what is never negative: seven decades below 1, of 2, 4 ... 128
 * values evenly spread, and 0 and 1. */
static void
unsigned_map(float map[256])
{
	size_t decade, n, i, k = 0;

	map[k++] = 0;
	for (decade = 0, n = 2; decade < 7; decade++, n *= 2)
		for (i = 0; i < n; i++)
			map[k++] = (float)((0.1 + 0.9 * ((double)i + 0.5) /
			    (double)n) * pow(10, (double)decade - 6));
	map[k] = 1;
}

/* n values of a block, at most. */
struct moments {
	uint8_t	*m, *v;
	float	*mmax, *vmax;
};

static void
block(const struct peft_optstep *s, const float *vmap, float *value,
    const float *grad, size_t n, const struct moments *at)
{
	const float *mmap = peft_dynamic_map();
	double c1 = 1 - pow(s->beta1, (double)s->t);
	float c2 = (float)sqrt(1 - pow(s->beta2, (double)s->t));
	float b1 = (float)s->beta1, b2 = (float)s->beta2;
	float new1 = (float)(1 - s->beta1), new2 = (float)(1 - s->beta2);
	float lr = (float)(s->lr / c1), eps = (float)s->eps;
	float keep = (float)(1 - s->lr * s->decay);
	float m[BLOCK] = { 0 }, v[BLOCK] = { 0 };
	size_t i;

	for (i = 0; i < n; i++) {
		float g = grad[i] * s->gscale;

		m[i] = b1 * (mmap[at->m[i]] * *at->mmax) + new1 * g;
		v[i] = b2 * (vmap[at->v[i]] * *at->vmax) + new2 * (g * g);
		value[i] *= keep;
		value[i] -= lr * (m[i] / (sqrtf(v[i]) / c2 + eps));
	}
	*at->mmax = peft_encode_code8(mmap, m, n, at->m);
	*at->vmax = peft_encode_code8(vmap, v, n, at->v);
}

static void
step(const struct peft_optstep *s, struct peft_param *p, float *const state[])
{
	size_t i, n = blocks(p->n), at;
	float vmap[256];

	if (p->n < SMALLEST) {
		peft_adamw.step(s, p, state);
		return;
	}
	unsigned_map(vmap);
	for (i = 0; i < n; i++) {
		struct moments b = { (uint8_t *)state[M] + i * BLOCK,
		    (uint8_t *)state[V] + i * BLOCK, &state[ABSMAX][i],
		    &state[ABSMAX][n + i] };

		at = i * BLOCK;
		block(s, vmap, p->value + at, p->grad + at,
		    p->n - at < BLOCK ? p->n - at : BLOCK, &b);
	}
}

const struct peft_optimiser peft_adamw8bit = { .name = "adamw8bit",
    .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .part = { "m", "v",
    "absmax" }, .floats = floats, .coded = coded,
    .step = step, .shown = -1 };
