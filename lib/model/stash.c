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
is_stashed(const struct peft_run *run, const struct peft_saved *s)
{
	return run->train && s->stash != NULL &&
	    s != &run->saved[run->net->config.layers - 1];
}

void
peft_stash(const struct peft_run *run, const struct peft_saved *s)
{
	if (!is_stashed(run, s))
		return;
	go(run, s->x, s->stash_x, run->T * run->net->config.hidden,
	    round_piece);
	go(run, s->work, s->stash, s->nwork, round_piece);
}

void
peft_unstash(const struct peft_run *run, const struct peft_saved *s)
{
	if (!is_stashed(run, s))
		return;
	go(run, s->x, s->stash_x, run->T * run->net->config.hidden,
	    widen_piece);
	go(run, s->work, s->stash, s->nwork, widen_piece);
}

void
peft_stash_trim(const struct peft_run *run, float *x, size_t n)
{
	if (run->train && run->saved[0].stash != NULL)
		go(run, x, NULL, n, trim_piece);
}
