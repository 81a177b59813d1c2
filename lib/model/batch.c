/* SPDX-License-Identifier: Apache-2.0 */
/* What callers ask of a micro-batch: its loss, its gradients, its logits. */

#include <math.h>
#include <string.h>

#include "data/tokens.h"
#include "model/net-impl.h"
#include "model/rope.h"

static int
check_seq(const struct peft_run *run, size_t i, size_t T, struct peft_err *err)
{
	const struct peft_seq *s = &run->given[i];
	const struct peft_virtual *v = peft_virtual_of(run, s);
	size_t past = s->kv == NULL ? 0 : s->kv->len, j;
	size_t n = s->n + (v == NULL ? 0 : v->n);

	if (s->n == 0)
		return peft_seterr(err, "sequence %zu is empty", i);
	if (n > run->caps.tokens - T || n + past > run->caps.seq)
		return peft_seterr(err, "sequence %zu: %zu tokens are more than "
		    "was planned for", i, n + past);
	if (s->kv != NULL && n > s->kv->cap - past)
		return peft_seterr(err, "sequence %zu: its cache has no room "
		    "for %zu more tokens", i, n);
	if (run->net->position.site != NULL && n + past +
	    run->net->config.t.position_offset > run->net->config.positions)
		return peft_seterr(err, "sequence %zu: %zu tokens, the model "
		    "knows %zu positions", i, n + past,
		    run->net->config.positions -
		    run->net->config.t.position_offset);
	for (j = 0; j < s->n; j++)
		if (s->ids[j] < 0 ||
		    (size_t)s->ids[j] >= run->net->config.vocab)
			return peft_seterr(err, "sequence %zu: token %d is not "
			    "in the vocabulary of %zu", i, s->ids[j],
			    run->net->config.vocab);
	return 0;
}

/* The rows of the angles that a sequence's tokens have. */
static void
set_angles(struct peft_run *run, size_t first, size_t n)
{
	const struct peft_config *c = &run->net->config;
	size_t pos = run->pos[first], half = c->rope_dim / 2, i;
	size_t at = run->caps.seq + first;
	int k;

	if (!peft_rope_varies(c, pos + n)) {
		for (i = 0; i < n; i++)
			run->angle[first + i] = pos + i;
		return;
	}
	for (i = 0; i < n; i++)
		run->angle[first + i] = at + i;
	for (k = 0; k < 2; k++)
		if (run->angles[k].cos != NULL)
			peft_rope_table(c, k, pos + n, pos, n,
			    run->angles[k].cos + at * half,
			    run->angles[k].sin + at * half);
}

/* The sequence with its virtual tokens: ids and labels from T on.  The first
 * token is predicted where there is an embedding before it. */
static void
make_whole(struct peft_run *run, size_t i, size_t T)
{
	const struct peft_seq *s = &run->given[i];
	const struct peft_virtual *v = peft_virtual_of(run, s);
	size_t extra = v == NULL ? 0 : v->n, j;

	run->whole[i] = *s;
	run->whole[i].n += extra;
	run->whole[i].ids = run->ids + T;
	for (j = 0; j < extra; j++) {
		run->ids[T + j] = -1;
		run->labels[T + j] = PEFT_IGNORE;
	}
	memcpy(run->ids + T + extra, s->ids, s->n * sizeof(*s->ids));
	if (s->labels == NULL)
		return;
	run->whole[i].labels = run->labels + T;
	memcpy(run->labels + T + extra, s->labels, s->n * sizeof(*s->labels));
	if (v != NULL && v->embed == NULL)
		run->labels[T + extra] = PEFT_IGNORE;
}

/* Lay the sequences end to end: first, pos, ranges. */
static int
begin(struct peft_run *run, const struct peft_seq *seqs, size_t nseqs,
    struct peft_err *err)
{
	size_t i, j, T = 0;

	run->given = seqs;
	run->seqs = run->whole;
	run->nseqs = nseqs;
	run->nranges = 0;
	if (nseqs > run->caps.seqs)
		return peft_seterr(err, "%zu sequences are more than was "
		    "planned for", nseqs);
	for (i = 0; i < nseqs; i++) {
		const struct peft_seq *s = &run->whole[i];
		struct peft_range *r;

		if (check_seq(run, i, T, err) == -1)
			return -1;
		make_whole(run, i, T);
		if (run->nranges == 0 ||
		    run->ranges[run->nranges - 1].adapter != s->adapter)
			run->ranges[run->nranges++] =
			    (struct peft_range){ s->adapter, T, 0 };
		r = &run->ranges[run->nranges - 1];
		r->n += s->n;
		run->first[i] = T;
		for (j = 0; j < s->n; j++, T++) {
			run->pos[T] = (s->kv == NULL ? 0 : s->kv->len) + j;
			run->ident[T] = (uint64_t)s->ident << 32 | run->pos[T];
		}
		if (run->angle != NULL)
			set_angles(run, run->first[i], s->n);
	}
	run->first[nseqs] = run->T = T;
	return 0;
}

/* The supervised positions: token i predicts labels[i + 1]. */
static size_t
supervised(struct peft_run *run, double scale)
{
	size_t i, j, n = 0;

	for (i = 0; i < run->nseqs; i++) {
		const struct peft_seq *s = &run->seqs[i];

		for (j = 1; s->labels != NULL && j < s->n; j++)
			if (s->labels[j] != PEFT_IGNORE) {
				run->rows[n] = run->first[i] + j - 1;
				run->targets[n] = s->labels[j];
				run->rowscale[n] = (float)(scale *
				    (double)s->weight);
				n++;
			}
	}
	return n;
}

/* Name the first site of sequence i that is not finite, by running it again
 * with eyes open.  Its cache is not continued: the loss has none. */
static int
not_finite(struct peft_run *run, size_t i, struct peft_err *err)
{
	struct peft_seq alone = run->given[i];

	alone.kv = NULL;
	run->checking = true;
	run->bad = NULL;
	if (begin(run, &alone, 1, err) == -1)
		return -1;
	peft_forward(run);
	run->checking = false;
	return peft_setfail(err, PEFT_NUMERIC, "sequence %zu: the output of %s "
	    "is not finite", i, run->bad != NULL ? run->bad :
	    run->net->head.site->path);
}

static int
all_finite(struct peft_run *run, const struct peft_loss *loss,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < run->nseqs; i++)
		if (!isfinite(loss[i].nll))
			return not_finite(run, i, err);
	return 0;
}

/* What was computed is now in the caches. */
static void
advance(struct peft_run *run)
{
	size_t i;

	for (i = 0; i < run->nseqs; i++)
		if (run->seqs[i].kv != NULL) {
			run->seqs[i].kv->virtuals += run->seqs[i].n -
			    run->given[i].n;
			run->seqs[i].kv->len += run->seqs[i].n;
		}
}

static int
run_loss(struct peft_run *run, const struct peft_seq *seqs, size_t nseqs,
    double scale, struct peft_loss *loss, struct peft_err *err)
{
	if (begin(run, seqs, nseqs, err) == -1)
		return -1;
	memset(loss, 0, nseqs * sizeof(*loss));
	peft_forward(run);
	peft_head_loss(run, supervised(run, scale), loss);
	advance(run);
	return all_finite(run, loss, err);
}

int
peft_run_loss(struct peft_run *run, const struct peft_seq *seqs, size_t nseqs,
    struct peft_loss *loss, struct peft_err *err)
{
	run->train = false;
	return run_loss(run, seqs, nseqs, 1, loss, err);
}

int
peft_run_train(struct peft_run *run, const struct peft_seq *seqs, size_t nseqs,
    double scale, uint64_t step, struct peft_loss *loss, struct peft_err *err)
{
	size_t i;
	int r;

	for (i = 0; i < nseqs; i++)
		if (seqs[i].kv != NULL)
			return peft_seterr(err, "sequence %zu: nothing can be "
			    "trained through a cache", i);
	run->train = true;
	run->step = step;
	if ((r = run_loss(run, seqs, nseqs, scale, loss, err)) == 0)
		peft_backward(run);
	run->train = false;
	return r;
}

int
peft_run_logits(struct peft_run *run, const struct peft_seq *seqs,
    size_t nseqs, const size_t *rows, size_t nrows, float *logits,
    struct peft_err *err)
{
	size_t i, seq = 0, extra, end = 0, V = run->net->config.vocab;

	if (begin(run, seqs, nseqs, err) == -1)
		return -1;
	peft_forward(run);
	/* rows[] knows no virtual tokens */
	for (i = 0; i < nrows; i++) {
		while (rows[i] >= end + seqs[seq].n)
			end += seqs[seq++].n;
		extra = run->seqs[seq].n - seqs[seq].n;
		run->rows[i] = run->first[seq] + extra + rows[i] - end;
	}
	peft_head_logits(run, run->rows, nrows, logits);
	advance(run);
	for (i = 0; i < nrows; i++)
		if (run->vec->nonfinite(logits + i * V, V))
			return peft_setfail(err, PEFT_NUMERIC, "the logits of "
			    "token %zu of the micro-batch are not finite",
			    rows[i]);
	return 0;
}
