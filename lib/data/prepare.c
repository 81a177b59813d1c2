/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole inputs of records.
 *
 * Records are read into a batch of slots, worked on by all threads, and taken
 * out in order; then comes the next batch.  The first batches are small, so
 * that a mistake in the first record is told at once.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/prepare-impl.h"
#include "data/rows.h"
#include "math/pool.h"

static const size_t max_batch = (size_t)2 << 20;	/* bytes of text */

static void
work(void *ctx, size_t task, int thread)
{
	struct peft_run *run = ctx;

	(void)thread;
	peft_slot_work(run->prep, &run->slots[task]);
}

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

/* 1 there may be more, 0 that was the end, -1 something broke behind what is
 * in the batch. */
static int
fill(struct peft_run *run, struct peft_err *err)
{
	size_t bytes = 0, want = run->size;
	const struct peft_prep *p = run->prep;
	struct peft_row row;
	int s = 1;

	if (p->show > 0 && want > p->show - p->records)
		want = p->show - p->records;
	run->n = 0;
	while (run->n < want && bytes < max_batch) {
		s = peft_feed_next(run->feed, &row, err);
		if (s != 1 && s != 2)
			return s;
		if (fill_slot(&run->slots[run->n], &row, s == 2 ? err : NULL,
		    err) == -1)
			return -1;
		bytes += row.len;
		run->n++;
	}
	run->size = run->size * 4 > PEFT_NSLOT ? PEFT_NSLOT : run->size * 4;
	return want > 0;
}

static int
batches(struct peft_run *run, struct peft_err *err)
{
	struct peft_err later = { 0 };
	size_t i;
	int more;

	do {
		more = fill(run, &later);
		peft_pool_run(run->pool, run->n, work, run);
		for (i = 0; i < run->n; i++)
			if (peft_run_take(run, &run->slots[i], err) == -1)
				return -1;
	} while (more == 1);
	if (more == -1)
		*err = later;
	return more;
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
		j = peft_json(text, len, err);
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
close_run(struct peft_run *run)
{
	size_t i;

	for (i = 0; run->slots != NULL && i < PEFT_NSLOT; i++) {
		peft_buf_free(&run->slots[i].text);
		peft_buf_free(&run->slots[i].out);
	}
	free(run->slots);
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
	    (run.slots = peft_calloc(PEFT_NSLOT, sizeof(*run.slots),
	    err)) != NULL)
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
