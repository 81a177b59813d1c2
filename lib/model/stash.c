/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unless all is computed in f32, what a layer's backward needs waits for it
 * rounded to bf16, in half the memory.  A layer works in f32 buffers that
 * all layers share; they are put away behind its forward and taken out
 * before its backward.  (Log-sums and what hooks keep stay f32.)
 */

#include <string.h>

#include "model/experts.h"
#include "model/net-impl.h"
#include "quant/quant.h"

enum { PIECE = 1 << 14 };		/* floats of a task */

struct job {
	const struct peft_run	*run;
	float			*floats;
	uint16_t		*halves;
	size_t			 n;
	void			(*piece)(const struct job *, size_t at,
				    size_t n);
};

static void
piece_task(void *ctx, size_t task, int thread)
{
	const struct job *j = ctx;
	size_t at = task * PIECE;

	(void)thread;
	j->piece(j, at, j->n - at < PIECE ? j->n - at : PIECE);
}

void
peft_stash_round(const struct peft_run *run, uint16_t *to, const float *from,
    size_t n)
{
	const struct peft_panel_bf16 *p = peft_cpu_panel_bf16(run->net->cpu);

	(p != NULL ? p : &peft_panel_bf16_ref)->round(to, from, n);
}

void
peft_stash_widen(float *to, const uint16_t *from, size_t n)
{
	const struct peft_weight w = { .dtype = PEFT_BF16, .cols = n,
	    .data = from };

	peft_decode(&w, 0, n, to);
}

void
peft_stash_keep(const struct peft_run *run, uint16_t *to, const float *from,
    size_t n)
{
	size_t left = n % PEFT_KSTEP, whole = n - left;
	uint16_t part[PEFT_KSTEP];

	peft_stash_round(run, to, from, whole);
	if (left == 0)
		return;
	peft_stash_round(run, part, from + whole, left);
	memcpy(to + whole, part, left * sizeof(*to));
}

static void
round_piece(const struct job *j, size_t at, size_t n)
{
	peft_stash_keep(j->run, j->halves + at, j->floats + at, n);
}

static void
widen_piece(const struct job *j, size_t at, size_t n)
{
	peft_stash_widen(j->floats + at, j->halves + at, n);
}

static void
trim_piece(const struct job *j, size_t at, size_t n)
{
	peft_cpu_panel_f32(j->run->net->cpu)->trim(j->floats + at,
	    j->floats + at, n);
}

static void
go(const struct peft_run *run, float *floats, uint16_t *halves, size_t n,
    void (*piece)(const struct job *, size_t at, size_t n))
{
	struct job j = { run, floats, halves, n, piece };
	struct peft_lap lap = peft_lap_begin(run->net->cpu);

	peft_cpu_run(run->net->cpu, (n + PIECE - 1) / PIECE, piece_task, &j);
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_STASH, 0, (double)(n *
	    (sizeof(float) + (halves == NULL ? sizeof(float) :
	    sizeof(uint16_t)))));
}

/* Two x in turn, since a layer writes the next one's. */
void
peft_stash_layout(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	size_t T = run->caps.tokens, x = T * c->hidden, l;
	struct peft_arena *a = &run->arena;
	float *other = peft_arena_get(a, x, sizeof(*other));
	int slot;

	for (l = 0; l < c->layers; l++) {
		struct peft_saved *s = &run->saved[l];

		if (l > 0) {
			*s = run->saved[0];
			s->stash_gu = NULL;
			s->x = l % 2 == 0 ? run->saved[0].x : other;
			s->lse = peft_arena_get(a, T * c->heads,
			    sizeof(*s->lse));
			if (c->experts > 0)
				peft_experts_saved(run, s, l, l + 1);
		}
		for (slot = 0; l > 0 && slot < PEFT_NSLOT; slot++)
			s->hook[slot] = peft_arena_get(a, peft_run_hook_saved(
			    run, slot, l, l + 1), sizeof(float));
		if (l > 0)
			peft_run_join_saved(run, s, l, l + 1);
		if (l + 1 == c->layers)	/* its backward follows at once */
			break;
		s->stash_x = peft_arena_get(a, x + PEFT_KSTEP,
		    sizeof(*s->stash_x));
		s->stash = peft_arena_get(a, s->nwork + PEFT_KSTEP,
		    sizeof(*s->stash));
		s->stash_gu = peft_arena_get(a, T * s->ngu + PEFT_KSTEP,
		    sizeof(*s->stash_gu));
	}
}

static bool
is_rounded(const struct peft_run *run)
{
	return run->train &&
	    peft_cpu_computes(run->net->cpu) != PEFT_COMPUTE_F32;
}

/* The last layer's backward follows at once. */
static bool
is_last(const struct peft_run *run, const struct peft_saved *s)
{
	return s == &run->saved[run->net->config.layers - 1];
}

static bool
is_stashed(const struct peft_run *run, const struct peft_saved *s)
{
	return is_rounded(run) && s->stash != NULL && !is_last(run, s);
}

uint16_t *
peft_stash_of_x(const struct peft_run *run, size_t layer)
{
	const struct peft_saved *s = &run->saved[layer];

	return layer < run->net->config.layers && is_stashed(run, s) ?
	    s->stash_x : NULL;
}

uint16_t *
peft_stash_of_mid(const struct peft_run *run, size_t layer)
{
	const struct peft_saved *s = &run->saved[layer];

	return is_stashed(run, s) ? s->stash + (s->mid - s->work) : NULL;
}

void
peft_stash(const struct peft_run *run, const struct peft_saved *s)
{
	size_t n = (size_t)(s->mid - s->work), D = run->net->config.hidden;
	size_t behind = n + run->caps.tokens * D;

	if (!is_stashed(run, s))
		return;
	if (s == run->saved)		/* what others have the layer before put
					 * away */
		go(run, s->x, s->stash_x, run->T * D, round_piece);
	go(run, s->work, s->stash, n, round_piece);
	go(run, s->work + behind, s->stash + behind, s->nwork - behind,
	    round_piece);
}

/* What was computed again is rounded to the same values. */
void
peft_unstash(const struct peft_run *run, const struct peft_saved *s)
{
	size_t n = run->T * run->net->config.hidden;

	if (!is_rounded(run) || is_last(run, s))
		return;
	if (s->stash == NULL) {
		go(run, s->x, NULL, n, trim_piece);
		go(run, s->work, NULL, s->nwork, trim_piece);
		go(run, s->gu, NULL, run->T * s->ngu, trim_piece);
		return;
	}
	go(run, s->x, s->stash_x, n, widen_piece);
	go(run, s->work, s->stash, s->nwork, widen_piece);
}

uint16_t *
peft_stash_of_act(const struct peft_run *run, const struct peft_saved *s)
{
	return is_rounded(run) ? s->stash_gu : NULL;
}

void
peft_stash_trim(const struct peft_run *run, float *x, size_t n)
{
	if (is_rounded(run))
		go(run, x, NULL, n, trim_piece);
}
