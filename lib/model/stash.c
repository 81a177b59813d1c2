/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unless all is computed in f32, what a layer's backward needs waits for it
 * rounded to bf16, in half the memory.  A layer works in f32 buffers that
 * all layers share; they are put away behind its forward and taken out
 * before its backward.  (Log-sums and what hooks keep stay f32.)
 */

#include <string.h>

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
	peft_cpu_round(run->net->cpu)(to, from, n);
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

static bool
is_rounded(const struct peft_run *run)
{
	return run->train &&
	    peft_cpu_computes(run->net->cpu) != PEFT_COMPUTE_F32;
}

/* A matrix that is put away, or NULL. */
static uint16_t *
stash_of(const struct peft_run *run, const struct peft_saved *s, int k)
{
	return is_rounded(run) ? s->stash[k] : NULL;
}

uint16_t *
peft_stash_of_x(const struct peft_run *run, size_t layer)
{
	return layer < run->net->config.layers ? stash_of(run,
	    &run->saved[layer], PEFT_SAVED_X) : NULL;
}

uint16_t *
peft_stash_of_mid(const struct peft_run *run, size_t layer)
{
	return stash_of(run, &run->saved[layer], PEFT_SAVED_MID);
}

/* Floats a row. */
static size_t
width_of(const struct peft_run *run, const struct peft_saved *s, int k)
{
	return peft_saved_width(run, (size_t)(s - run->saved), k);
}

static void
put_away(const struct peft_run *run, const struct peft_saved *s, int k)
{
	uint16_t *to = stash_of(run, s, k);

	if (to != NULL)
		go(run, s->at[k], to, run->T * width_of(run, s, k),
		    round_piece);
}

/* The layers above have theirs put away as it is made. */
void
peft_stash_input(const struct peft_run *run)
{
	put_away(run, &run->saved[0], PEFT_SAVED_X);
}

/* All but what is put away as it is made, or used. */
void
peft_stash(const struct peft_run *run, const struct peft_saved *s)
{
	int k;

	for (k = 0; k < PEFT_NSAVED; k++)
		if (k != PEFT_SAVED_X && k != PEFT_SAVED_MID &&
		    k != PEFT_SAVED_GU)
			put_away(run, s, k);
}

void
peft_unstash(const struct peft_run *run, const struct peft_saved *s)
{
	uint16_t *from;
	int k;

	for (k = 0; k < PEFT_NSAVED; k++)
		if (k != PEFT_SAVED_GU && (from = stash_of(run, s, k)) != NULL)
			go(run, s->at[k], from, run->T *
			    width_of(run, s, k), widen_piece);
}

/* The last layer's backward follows at once: it has nothing rounded. */
void
peft_stash_even(const struct peft_run *run, size_t layer)
{
	const struct peft_saved *s = &run->saved[layer];
	int k;

	if (!is_rounded(run) || layer + 1 == run->net->config.layers)
		return;
	for (k = 0; k < PEFT_NSAVED; k++)
		if (s->stash[k] == NULL)
			go(run, s->at[k], NULL, run->T *
			    width_of(run, s, k), trim_piece);
}

uint16_t *
peft_stash_of_act(const struct peft_run *run, const struct peft_saved *s)
{
	return stash_of(run, s, PEFT_SAVED_GU);
}

void
peft_stash_trim(const struct peft_run *run, float *x, size_t n)
{
	if (is_rounded(run))
		go(run, x, NULL, n, trim_piece);
}
