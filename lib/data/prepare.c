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

enum { NSLOT = 256 };
static const size_t max_batch = (size_t)2 << 20;	/* bytes of text */

struct run {
	struct peft_prep	*prep;
	struct peft_feed	*feed;
	struct peft_pool	*pool;
	struct peft_out		*out;
	struct peft_slot	*slots;		/* [NSLOT] */
	size_t			 n, size;	/* in the batch; at most */
};

static void
work(void *ctx, size_t task, int thread)
{
	struct run *run = ctx;

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
fill(struct run *run, struct peft_err *err)
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
	run->size = run->size * 4 > NSLOT ? NSLOT : run->size * 4;
	return want > 0;
}

/* A bad record: an error, unless some may be left out. */
static int
bad_record(struct peft_prep *p, struct peft_slot *s, struct peft_err *err)
{
	peft_errprefix(&s->err, "%s:%zu", s->label, s->line);
	if (p->skipped < p->skip_bad) {
		p->skipped++;
		if (p->bad != NULL)
			p->bad(p->ctx, s->err.msg);
		return 0;
	}
	*err = s->err;
	return -1;
}

static int
take_look(struct run *run, struct peft_slot *s, struct peft_err *err)
{
	struct peft_place place = { s->label, s->line };
	struct peft_prep *p = run->prep;

	if (s->status == -1) {
		s->look = (struct peft_look){ .tokens = 0 };
		s->look.found[PEFT_F_BAD] = true;
	}
	peft_buf_clear(&s->out);
	if (peft_lint_add(&p->lint, &s->look, &place, err) == -1)
		return -1;
	peft_lint_put(&s->out, &p->lint, &s->look, &place, s->err.msg,
	    p->json);
	return peft_out_write(run->out, s->out.data, s->out.len, err);
}

static int
take_slot(struct run *run, struct peft_slot *s, struct peft_err *err)
{
	struct peft_prep *p = run->prep;

	if (p->mode == PEFT_PREP_LINT)
		return take_look(run, s, err);
	if (s->status == -1)
		return bad_record(p, s, err);
	p->records += s->records;
	p->dropped += s->dropped;
	p->cut += s->cut;
	p->idle += s->idle;
	p->tokens += s->tokens;
	p->supervised += s->supervised;
	return peft_out_write(run->out, s->out.data, s->out.len, err);
}

static int
batches(struct run *run, struct peft_err *err)
{
	struct peft_err later = { 0 };
	size_t i;
	int more;

	do {
		more = fill(run, &later);
		peft_pool_run(run->pool, run->n, work, run);
		for (i = 0; i < run->n; i++)
			if (take_slot(run, &run->slots[i], err) == -1)
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
begin(struct peft_prep *p, struct peft_out *out, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	int s;

	p->lint.codec = p->codec;
	p->lint.max_length = p->max_length;
	if (p->mode != PEFT_PREP_TOKENS)
		return read_test(p, err);
	peft_tokens_putinfo(&b, &p->codec->info);
	s = b.failed ? peft_seterr(err, "no memory") :
	    peft_out_write(out, b.data, b.len, err);
	peft_buf_free(&b);
	return s;
}

/* And behind them. */
static int
finish(struct peft_prep *p, struct peft_out *out, struct peft_err *err)
{
	struct peft_buf b = { 0 };
	size_t n = peft_lint_total(&p->lint);
	int s;

	if (p->mode == PEFT_PREP_LINT)
		peft_lint_report(&b, &p->lint, p->json);
	else if (p->mode == PEFT_PREP_TOKENS)
		peft_tokens_putend(&b, p->records);
	s = b.failed ? peft_seterr(err, "no memory") :
	    peft_out_write(out, b.data, b.len, err);
	peft_buf_free(&b);
	if (s == 0 && p->mode == PEFT_PREP_LINT && n > 0)
		return peft_setfail(err, PEFT_CHECK, "%zu finding%s", n,
		    n == 1 ? "" : "s");
	return s;
}

static void
close_run(struct run *run)
{
	size_t i;

	for (i = 0; run->slots != NULL && i < NSLOT; i++) {
		peft_buf_free(&run->slots[i].text);
		peft_buf_free(&run->slots[i].out);
	}
	free(run->slots);
	peft_feed_close(run->feed);
	peft_pool_close(run->pool);
}

int
peft_prep_run(struct peft_prep *p, const struct peft_feedopt *from,
    struct peft_out *out, struct peft_err *err)
{
	struct run run = { .prep = p, .out = out, .size = 1 };
	long cores = p->threads > 0 ? p->threads :
	    sysconf(_SC_NPROCESSORS_ONLN);
	int s = -1;

	if ((run.pool = peft_pool_open(cores < 1 ? 1 : (int)cores,
	    err)) != NULL && (run.feed = peft_feed_open(from, err)) != NULL &&
	    (run.slots = peft_calloc(NSLOT, sizeof(*run.slots),
	    err)) != NULL)
		s = begin(p, out, err);
	if (s == 0)
		s = batches(&run, err);
	close_run(&run);
	return s == 0 ? finish(p, out, err) : s;
}

void
peft_prep_free(struct peft_prep *p)
{
	peft_lint_free(&p->lint);
}
