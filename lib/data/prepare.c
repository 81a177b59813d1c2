/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole inputs of records.
 *
 * Records are read into a batch of slots, worked on by all threads, and taken
 * out in order; then comes the next batch.  The first batches are small, so
 * that a mistake in the first record is told at once.  When they have grown,
 * one thread takes out what became of the batch before and reads the next,
 * while the others work on this one.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/prepare-impl.h"
#include "data/rows.h"
#include "math/pool.h"

static const size_t max_batch = (size_t)2 << 20;	/* bytes of text */

/* why: what is wrong with a record that could not be read, or NULL. */
static int
fill_slot(struct peft_slot *s, const struct peft_row *row,
    const struct peft_err *why, struct peft_err *err)
{
	struct peft_slot old = *s;

	*s = (struct peft_slot){ .text = old.text, .out = old.out,
	    .label = row->label, .line = row->line, .shape = row->shape };
	peft_buf_clear(&s->text);
	peft_buf_clear(&s->out);
	if (why != NULL) {
		s->unread = true;
		s->err = *why;
		return 0;
	}
	peft_buf_put(&s->text, row->text, row->len);
	return s->text.failed ? peft_seterr(err, "no memory for a record") : 0;
}

/* The next records into a batch. */
static void
fill(struct peft_run *run, struct peft_batch *b)
{
	size_t bytes = 0, want = run->size;
	const struct peft_prep *p = run->prep;
	struct peft_row row;
	int s = 1;

	if (p->show > 0 && want > p->show - p->records)
		want = p->show - p->records;
	run->more = want > 0;
	for (b->n = 0; b->n < want && bytes < max_batch; b->n++) {
		s = peft_feed_next(run->feed, &row, &run->later);
		if (s == 1 || s == 2)
			s = fill_slot(&b->slots[b->n], &row, s == 2 ?
			    &run->later : NULL, &run->later) == -1 ? -1 : 1;
		if (s != 1) {
			run->more = s;
			break;
		}
		bytes += row.len;
	}
	run->size = run->size * 4 > PEFT_NSLOT ? PEFT_NSLOT : run->size * 4;
}

static void
take(struct peft_run *run, struct peft_batch *b)
{
	size_t i;

	for (i = 0; i < b->n && run->taken == 0; i++)
		run->taken = peft_run_take(run, &b->slots[i], &run->err);
	b->n = 0;
}

static void
work(void *ctx, size_t task, int thread)
{
	struct peft_run *run = ctx;

	(void)thread;
	peft_slot_work(run->prep, &run->now.slots[task]);
}

/* The same, and first the other batch. */
static void
work_and_turn(void *ctx, size_t task, int thread)
{
	struct peft_run *run = ctx;

	if (task > 0) {
		work(ctx, task - 1, thread);
		return;
	}
	take(run, &run->other);
	if (run->taken == 0)
		fill(run, &run->other);
}

/* Where nothing of a record is asked for by those behind it. */
static bool
can_overlap(const struct peft_run *run)
{
	return run->more == 1 && run->size == PEFT_NSLOT &&
	    (run->prep->mode == PEFT_PREP_TOKENS ||
	    run->prep->mode == PEFT_PREP_RENDER);
}

static int
batches(struct peft_run *run, struct peft_err *err)
{
	struct peft_batch b;

	fill(run, &run->now);
	for (;;) {
		if (can_overlap(run)) {
			peft_pool_run(run->pool, run->now.n + 1,
			    work_and_turn, run);
			b = run->now;
			run->now = run->other;
			run->other = b;
		} else {
			take(run, &run->other);
			peft_pool_run(run->pool, run->now.n, work, run);
			take(run, &run->now);
			if (run->taken == 0 && run->more == 1)
				fill(run, &run->now);
			else
				break;
		}
		if (run->taken == -1)
			break;
	}
	if (run->taken == -1 || run->more == -1)
		*err = run->taken == -1 ? run->err : run->later;
	return run->taken == -1 ? -1 : run->more;
}

static int
read_test(struct peft_prep *p, struct peft_err *err)
{
	struct peft_rows *rows;
	const char *text;
	size_t len, line;
	cJSON *j;
	int s;

	if (p->test == NULL)
		return 0;
	if ((rows = peft_rows_open(p->test, NULL, err)) == NULL)
		return -1;
	while ((s = peft_rows_next(rows, &text, &len, &line, err)) == 1) {
		j = peft_json_said(text, len, err);
		s = j == NULL ? -1 : peft_lint_test(&p->lint, j, err);
		cJSON_Delete(j);
		if (s == -1) {
			peft_errprefix(err, "%s:%zu", peft_rows_label(rows),
			    line);
			break;
		}
	}
	if (s == 2)
		s = peft_errprefix(err, "%s:%zu", peft_rows_label(rows), line);
	peft_rows_close(rows);
	return s;
}

/* What stands before the records. */
static int
begin(const struct peft_run *run, struct peft_err *err)
{
	struct peft_prep *p = run->prep;
	struct peft_buf b = { 0 };
	size_t i = 0;
	int s;

	p->lint.codec = p->codec;
	p->lint.max_length = p->max_length;
	if (p->mode != PEFT_PREP_TOKENS)
		return read_test(p, err);
	peft_tokens_putinfo(&b, &p->codec->info);
	s = b.failed ? peft_seterr(err, "no memory") : 0;
	do
		if (s == 0)
			s = peft_out_write(run->outs[i], b.data, b.len, err);
	while (++i < p->split.n);
	peft_buf_free(&b);
	return s;
}

static int
put_ends(const struct peft_run *run, struct peft_err *err)
{
	const struct peft_prep *p = run->prep;
	struct peft_buf b = { 0 };
	size_t i = 0;
	int s = 0;

	do {
		peft_buf_clear(&b);
		peft_tokens_putend(&b, p->part[i]);
		s = b.failed ? peft_seterr(err, "no memory") :
		    peft_out_write(run->outs[i], b.data, b.len, err);
	} while (s == 0 && ++i < p->split.n);
	peft_buf_free(&b);
	return s;
}

static int
put_report(const struct peft_run *run, struct peft_err *err)
{
	const struct peft_prep *p = run->prep;
	size_t n = peft_lint_total(&p->lint);
	struct peft_buf b = { 0 };
	int s;

	peft_lint_report(&b, &p->lint, p->json);
	s = b.failed ? peft_seterr(err, "no memory") :
	    peft_out_write(run->outs[0], b.data, b.len, err);
	peft_buf_free(&b);
	if (s == 0 && n > 0)
		return peft_setfail(err, PEFT_CHECK, "%zu finding%s", n,
		    n == 1 ? "" : "s");
	return s;
}

/* And behind them. */
static int
finish(const struct peft_run *run, struct peft_err *err)
{
	switch (run->prep->mode) {
	case PEFT_PREP_TOKENS:
		return put_ends(run, err);
	case PEFT_PREP_LINT:
		return put_report(run, err);
	default:
		return 0;
	}
}

static void
close_batch(struct peft_batch *b)
{
	size_t i;

	for (i = 0; b->slots != NULL && i < PEFT_NSLOT; i++) {
		peft_buf_free(&b->slots[i].text);
		peft_buf_free(&b->slots[i].out);
	}
	free(b->slots);
}

static void
close_run(struct peft_run *run)
{
	close_batch(&run->now);
	close_batch(&run->other);
	peft_feed_close(run->feed);
	peft_pool_close(run->pool);
}

int
peft_prep_run(struct peft_prep *p, const struct peft_feedopt *from,
    struct peft_out *const *outs, struct peft_err *err)
{
	struct peft_run run = { .prep = p, .outs = outs, .size = 1 };
	long cores = p->threads > 0 ? p->threads :
	    sysconf(_SC_NPROCESSORS_ONLN);
	int s = -1;

	if ((run.pool = peft_pool_open(cores < 1 ? 1 : (int)cores,
	    err)) != NULL && (run.feed = peft_feed_open(from, err)) != NULL &&
	    (run.now.slots = peft_calloc(PEFT_NSLOT,
	    sizeof(*run.now.slots), err)) != NULL &&
	    (run.other.slots = peft_calloc(PEFT_NSLOT,
	    sizeof(*run.other.slots), err)) != NULL)
		s = begin(&run, err);
	if (s == 0)
		s = batches(&run, err);
	if (s == 0)
		s = finish(&run, err);
	if (s == 0)
		peft_run_tell(&run, from);
	close_run(&run);
	return s;
}

void
peft_prep_free(struct peft_prep *p)
{
	peft_lint_free(&p->lint);
}
