/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The MLP with bf16, by the tiles of its products: the activation, and its
 * gradient, are made of a tile while it is in the cache, and written rounded
 * as the next product reads them.  So gate and up, and the gradients of these
 * and of the activation, are never in memory in f32.  To the bit what comes of
 * whole matrices (act-op.c), which is for adapters that look at these, for
 * biases and for all else.
 */

#include "model/bare-impl.h"
#include "model/mlp-impl.h"

enum { STRETCH = 256 };

/* Rows rounded: [T, n], ld apart. */
struct job {
	const struct peft_run	*run;
	uint16_t		*kept;		/* [T, gate | up], or NULL */
	uint16_t		*act, *dgate, *dup;
	size_t			 n, ld;
	bool			 gated;
};

static bool
is_bare(struct peft_run *run, size_t layer)
{
	const struct peft_layer *l = &run->net->layers[layer];
	bool gated = l->lin[PEFT_GATE].site != NULL;
	int first = gated ? PEFT_GATE : PEFT_UP;

	return l->experts == NULL &&
	    peft_halves_fit(run, run->net->config.inter) > 0 &&
	    peft_are_bare(run, &l->lin[first], gated ? 2 : 1) &&
	    peft_are_bare(run, &l->lin[PEFT_DOWN], 1);
}

/* What backward takes as it is from forward, or from forward again, is not. */
bool
peft_mlp_is_tiled(struct peft_run *run, size_t layer,
    const struct peft_saved *s, bool back)
{
	bool none = !back && (!run->train || (layer + 1 <
	    run->net->config.layers && peft_waits(run, layer, PEFT_SAVED_GU) ==
	    PEFT_WAIT_NOT));

	return (none || peft_stash_of_act(run, s) != NULL) &&
	    is_bare(run, layer);
}

/* What is computed by tiles has its input rounded, if it is normed. */
const float *
peft_mlp_rounded(struct peft_run *run, size_t layer, const float *x)
{
	const struct peft_normal *norm = peft_mlp_norm(run, layer);

	if (x == run->normed && is_bare(run, layer) &&
	    peft_takes_halves(run, norm))
		peft_stash_trim(run, run->normed, run->T * norm->n);
	return x;
}

static struct job
job_of(const struct peft_run *run, size_t layer, const struct peft_saved *s)
{
	size_t I = run->net->config.inter;
	struct job j = { .run = run, .n = I,
	    .kept = peft_stash_of_act(run, s),
	    .act = (uint16_t *)(void *)run->act,
	    .dgate = (uint16_t *)(void *)s->gu,
	    .ld = peft_halves_fit(run, I),
	    .gated = run->net->layers[layer].lin[PEFT_GATE].site != NULL };

	j.dup = j.gated ? j.dgate + run->caps.tokens * 2 * I : j.dgate;
	return j;
}

/* n elements from column c of row t on. */
static void
forward_part(const struct job *j, size_t t, size_t c, const float *gate,
    const float *up, size_t n)
{
	uint16_t *kept;
	float y[STRETCH];

	peft_act_row(j->run, y, gate, up, n);
	peft_stash_round(j->run, j->act + t * j->ld + c, y, n);
	if (j->kept == NULL)
		return;
	kept = j->kept + t * j->n * (j->gated ? 2 : 1) + c;
	peft_stash_keep(j->run, kept, gate, n);
	if (j->gated)
		peft_stash_keep(j->run, kept + j->n, up, n);
}

static void
back_part(const struct job *j, size_t t, size_t c, const float *dy, size_t n)
{
	const uint16_t *kept = j->kept + t * j->n * (j->gated ? 2 : 1) + c;
	size_t at = t * j->ld + c;
	float y[STRETCH], gate[STRETCH], up[STRETCH];

	peft_stash_widen(gate, kept, n);
	if (j->gated)
		peft_stash_widen(up, kept + j->n, n);
	peft_act_row(j->run, y, gate, j->gated ? up : NULL, n);
	peft_stash_round(j->run, j->act + at, y, n);
	peft_act_back_row(j->run, gate, j->gated ? up : NULL, dy, n);
	peft_stash_round(j->run, j->dgate + at, gate, n);
	if (j->gated)
		peft_stash_round(j->run, j->dup + at, up, n);
}

static void
forward_tile(const void *ctx, const struct peft_made *m)
{
	const struct job *j = ctx;
	size_t i, k, n;

	for (i = 0; i < m->m; i++)
		for (k = 0; k < m->n; k += n) {
			const float *g = m->c[0] + i * m->ldc + k;

			n = peft_least(STRETCH, m->n - k);
			forward_part(j, m->t + i, m->col + k, g, j->gated ?
			    m->c[1] + i * m->ldc + k : NULL, n);
		}
}

static void
back_tile(const void *ctx, const struct peft_made *m)
{
	size_t i, k, n;

	for (i = 0; i < m->m; i++)
		for (k = 0; k < m->n; k += n) {
			n = peft_least(STRETCH, m->n - k);
			back_part(ctx, m->t + i, m->col + k, m->c[0] +
			    i * m->ldc + k, n);
		}
}

/* x, as halves if it can be. */
static const float *
input(struct peft_run *run, size_t layer, const struct peft_saved *s,
    const uint16_t **halves)
{
	const struct peft_normal *norm = peft_mlp_norm(run, layer);
	const float *stream = peft_mlp_stream(run, s);

	*halves = peft_normed_halves(run, norm, stream);
	return *halves != NULL ? NULL : peft_normed(run, norm, stream);
}

const uint16_t *
peft_mlp_tiled(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_layer *l = &run->net->layers[layer];
	size_t I = run->net->config.inter, D = run->net->config.hidden;
	struct job j = job_of(run, layer, s);
	struct peft_along in = { .made = forward_tile, .ctx = &j };
	size_t ld = j.gated ? 2 * I : I;
	struct peft_product p[] = {
		{ &l->lin[PEFT_GATE].w, s->gu, ld },
		{ &l->lin[PEFT_UP].w, s->gu + (j.gated ? I : 0), ld },
	};
	int first = j.gated ? PEFT_GATE : PEFT_UP;
	const float *x = input(run, layer, s, &in.halves[0]);

	peft_linears_along(run, &l->lin[first], &s->hook[first], x, D, &in,
	    j.gated ? p : p + 1, j.gated ? 2 : 1);
	return j.act;
}

void
peft_mlp_tiled_back(struct peft_run *run, size_t layer, struct peft_saved *s,
    float *dy)
{
	const struct peft_layer *l = &run->net->layers[layer];
	size_t D = run->net->config.hidden;
	struct job j = job_of(run, layer, s);
	struct peft_along out = { .made = back_tile, .ctx = &j };
	struct peft_along in = { .halves = { j.dgate, j.dup } };
	struct peft_product down = { &l->lin[PEFT_DOWN].w, dy, D }, p[] = {
		{ &l->lin[PEFT_GATE].w, s->gu, j.ld },
		{ &l->lin[PEFT_UP].w, s->gu, j.ld },
	};
	int first = j.gated ? PEFT_GATE : PEFT_UP;
	const uint16_t *halves;
	const float *x = input(run, layer, s, &halves);

	peft_linears_along_back(run, &l->lin[PEFT_DOWN], &s->hook[PEFT_DOWN],
	    NULL, j.act, j.ld, run->dact, &out, &down, 1);
	peft_linears_along_back(run, &l->lin[first], &s->hook[first], x,
	    halves, halves != NULL ? peft_halves_fit(run, D) : D, run->dnormed,
	    &in, j.gated ? p : p + 1, j.gated ? 2 : 1);
}
