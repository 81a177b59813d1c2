/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With the compute type bf16, what a layer's backward needs waits for it
 * rounded to bf16, in half the memory.  A layer works in f32 buffers that
 * all layers share; they are put away behind its forward and taken out
 * before its backward.  (Log-sums and what hooks keep stay f32.)
 */

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

static void
round_piece(const struct job *j, size_t at, size_t n)
{
	const struct peft_panel_bf16 *p = peft_cpu_panel_bf16(
	    j->run->net->cpu);

	(p != NULL ? p : &peft_panel_bf16_ref)->round(j->halves + at,
	    j->floats + at, n);
}

static void
widen_piece(const struct job *j, size_t at, size_t n)
{
	const struct peft_weight w = { .dtype = PEFT_BF16, .cols = j->n,
	    .data = j->halves };

	peft_decode(&w, at, n, j->floats + at);
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

	peft_cpu_run(run->net->cpu, (n + PIECE - 1) / PIECE, piece_task, &j);
}

static bool
is_rounded(const struct peft_run *run)
{
	return run->train &&
	    peft_cpu_computes(run->net->cpu) == PEFT_COMPUTE_BF16;
}

/* The last layer's backward follows at once. */
static bool
is_last(const struct peft_run *run, const struct peft_saved *s)
{
	return s == &run->saved[run->net->config.layers - 1];
}

void
peft_stash(const struct peft_run *run, const struct peft_saved *s)
{
	if (!is_rounded(run) || s->stash == NULL || is_last(run, s))
		return;
	go(run, s->x, s->stash_x, run->T * run->net->config.hidden,
	    round_piece);
	go(run, s->work, s->stash, s->nwork, round_piece);
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
		return;
	}
	go(run, s->x, s->stash_x, n, widen_piece);
	go(run, s->work, s->stash, s->nwork, widen_piece);
}

void
peft_stash_trim(const struct peft_run *run, float *x, size_t n)
{
	if (is_rounded(run))
		go(run, x, NULL, n, trim_piece);
}
