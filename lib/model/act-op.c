/* SPDX-License-Identifier: Apache-2.0 */
/* The activation of all rows; what goes into it is put away for backward, and
 * taken out, as it is used. */

#include "model/net-impl.h"

enum {
	ROWS = 32,		/* whole steps of what is rounded */
	STRETCH = 256
};

struct job {
	const struct peft_run	*run;
	void			(*rows)(const struct job *, size_t t,
				    size_t end);
	float			*y, *gu;
	uint16_t		*kept;
	const float		*dy;
	size_t			 n, T, each;	/* rows of a task */
	bool			 gated;
	const struct peft_panel_f32 *trim;	/* or NULL: nothing is */
};

/* Floats of a row of gu. */
static size_t
width(const struct job *j)
{
	return j->gated ? 2 * j->n : j->n;
}

static void
forward_rows(const struct job *j, size_t t, size_t end)
{
	size_t w = width(j), at = t * w;

	for (; t < end; t++) {
		const float *g = j->gu + t * w;

		peft_act_row(j->run, j->y + t * j->n, g,
		    j->gated ? g + j->n : NULL, j->n);
	}
	if (j->kept != NULL)
		peft_stash_round(j->run, j->kept + at, j->gu + at,
		    end * w - at);
}

/* What went into the activation, from i on: what was kept is widened as it is
 * used, it is never in memory in f32. */
static const float *
taken(const struct job *j, size_t i, size_t n, float *room)
{
	if (j->kept == NULL)
		return j->gu + i;
	peft_stash_widen(room, j->kept + i, n);
	return room;
}

static void
again_row(const struct job *j, size_t t)
{
	float g[STRETCH], u[STRETCH], *y = j->y + t * j->n;
	size_t i, m, at = t * width(j);

	for (i = 0; i < j->n; i += m) {
		m = j->n - i < STRETCH ? j->n - i : STRETCH;
		peft_act_row(j->run, y + i, taken(j, at + i, m, g), j->gated ?
		    taken(j, at + j->n + i, m, u) : NULL, m);
	}
	if (j->trim != NULL)
		j->trim->trim(y, y, j->n);
}

static void
again_rows(const struct job *j, size_t t, size_t end)
{
	for (; t < end; t++)
		again_row(j, t);
}

static void
back_rows(const struct job *j, size_t t, size_t end)
{
	size_t w = width(j);

	for (; t < end; t++) {
		float *g = j->gu + t * w;

		if (j->kept != NULL)
			peft_stash_widen(g, j->kept + t * w, w);
		peft_act_back_row(j->run, g, j->gated ? g + j->n : NULL,
		    j->dy + t * j->n, j->n);
		if (j->trim != NULL)
			j->trim->trim(g, g, w);
	}
}

static void
task(void *ctx, size_t i, int thread)
{
	const struct job *j = ctx;
	size_t t = i * j->each, end = t + j->each < j->T ? t + j->each : j->T;

	(void)thread;
	j->rows(j, t, end);
}

/* Few rows, of generation, are shared out too if that is worth waking others,
 * where nothing is rounded. */
static size_t
rows_of_task(const struct job *j)
{
	enum { SHARES = 8, WORTH = 8192 };

	return j->kept != NULL || j->T > ROWS || j->T * j->n < WORTH ? ROWS :
	    (j->T + SHARES - 1) / SHARES;
}

/* Floats passed over for a value: gate, up, result; and back. */
enum { FORWARD = 3, BACKWARD = 5 };

static void
go(struct job *j, size_t passes)
{
	struct peft_cpu *cpu = j->run->net->cpu;
	struct peft_lap lap = peft_lap_begin(cpu);

	j->gated = j->run->net->config.t.has & (PEFT_BIT(PEFT_GATE) |
	    PEFT_BIT(PEFT_GATE_UP));
	if (peft_cpu_computes_dense(cpu) == PEFT_COMPUTE_BF16)
		j->trim = peft_cpu_panel_f32(cpu);
	j->each = rows_of_task(j);
	peft_cpu_run(cpu, (j->T + j->each - 1) / j->each, task, j);
	peft_lap_end(cpu, &lap, PEFT_WORK_ACT, 0, (double)(j->T * j->n *
	    passes * sizeof(float)));
}

void
peft_op_act(struct peft_run *run, float *y, const float *gu, uint16_t *keep,
    size_t n, size_t T)
{
	struct job j = { .run = run, .rows = forward_rows, .y = y,
	    .gu = (float *)(uintptr_t)gu, .kept = keep, .n = n, .T = T };

	go(&j, FORWARD);
}

void
peft_op_act_again(struct peft_run *run, float *y, const float *gu,
    const uint16_t *kept, size_t n, size_t T)
{
	struct job j = { .run = run, .rows = again_rows, .y = y,
	    .gu = (float *)(uintptr_t)gu,
	    .kept = (uint16_t *)(uintptr_t)kept, .n = n, .T = T };

	go(&j, FORWARD);
}

void
peft_op_act_back(struct peft_run *run, float *gu, const uint16_t *kept,
    const float *dy, size_t n, size_t T)
{
	struct job j = { .run = run, .rows = back_rows, .gu = gu,
	    .kept = (uint16_t *)(uintptr_t)kept, .dy = dy, .n = n, .T = T };

	go(&j, BACKWARD);
}
