/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and choices of records. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "eval/score.h"

enum { BATCH_TOKENS = 2048, BATCH_SEQS = 64 };

/* One sequence to be computed: a record, or a record with one choice. */
struct item {
	int32_t	*ids, *labels;	/* own memory only for choices */
	size_t	 n;
	int	 task;
	size_t	 record;
	size_t	 choice;	/* SIZE_MAX: the record itself */
	struct peft_loss loss;
};

static int
choice_item(const struct peft_record *r, size_t k, struct item *it,
    struct peft_err *err)
{
	size_t i;

	it->n = r->n + r->nchoice[k];
	it->choice = k;
	it->ids = peft_calloc(2 * it->n, sizeof(*it->ids), err);
	if (it->ids == NULL)
		return -1;
	it->labels = it->ids + it->n;
	memcpy(it->ids, r->ids, r->n * sizeof(*it->ids));
	memcpy(it->ids + r->n, r->choices[k], r->nchoice[k] *
	    sizeof(*it->ids));
	for (i = 0; i < it->n; i++)
		it->labels[i] = i < r->n ? PEFT_IGNORE : it->ids[i];
	return 0;
}

static size_t
count_items(const struct peft_record *r, size_t n)
{
	size_t i, total = 0;

	for (i = 0; i < n; i++)
		total += r[i].nchoices == 0 ? 1 : r[i].nchoices;
	return total;
}

static int
make_items(const struct peft_record *r, size_t n, struct item *it,
    struct peft_err *err)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		if (r[i].nchoices == 0)
			*it++ = (struct item){ .ids = r[i].ids, .n = r[i].n,
			    .labels = r[i].labels, .record = i,
			    .task = r[i].task, .choice = SIZE_MAX };
		for (k = 0; k < r[i].nchoices; k++, it++) {
			it->record = i;
			it->task = r[i].task;
			if (choice_item(&r[i], k, it, err) == -1)
				return -1;
		}
	}
	return 0;
}

static int
name_record(const struct peft_record *r, const struct item *items, size_t n,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!isfinite(items[i].loss.nll))
			return peft_errprefix(err, "%s", peft_record_place(
			    &r[items[i].record], items[i].record + 1).text);
	return -1;
}

/* Items it[0..n) in micro-batches of a bounded number of tokens. */
static int
run_items(struct peft_run *run, int adapter, const struct peft_record *r,
    struct item *it, size_t n, struct peft_err *err)
{
	struct peft_seq seqs[BATCH_SEQS];
	struct peft_loss loss[BATCH_SEQS];
	size_t i, k;

	for (; n > 0; it += k, n -= k) {
		for (k = 0; k < n && k < BATCH_SEQS; k++)
			seqs[k] = (struct peft_seq){ .ids = it[k].ids,
			    .labels = it[k].labels, .n = it[k].n, .weight = 1,
			    .adapter = adapter, .task = it[k].task };
		k = peft_run_fit(run, seqs, k);
		memset(loss, 0, sizeof(loss));
		if (peft_run_loss(run, seqs, k, loss, err) == -1) {
			for (i = 0; i < k; i++)
				it[i].loss = loss[i];
			return name_record(r, it, k, err);
		}
		for (i = 0; i < k; i++)
			it[i].loss = loss[i];
	}
	return 0;
}

/* Take an item's figures over into its record's score. */
static void
settle(const struct item *it, const struct peft_record *r,
    struct peft_score *s, double *best, double *best_norm)
{
	double lp = -it->loss.nll;
	double norm = lp / (double)(it->loss.tokens ? it->loss.tokens : 1);

	if (it->choice == SIZE_MAX || it->choice == r->answer) {
		s->nll = it->loss.nll;
		s->tokens = it->loss.tokens;
		s->top1 = it->loss.top1;
	}
	if (it->choice == SIZE_MAX)
		return;
	s->chosen = true;
	if (it->choice == 0 || lp > *best) {
		*best = lp;
		s->choice = it->choice;
	}
	if (it->choice == 0 || norm > *best_norm) {
		*best_norm = norm;
		s->choice_norm = it->choice;
	}
}

static struct peft_caps
caps_of(const struct item *it, size_t n)
{
	struct peft_caps caps = { .seqs = BATCH_SEQS };
	size_t i, sum = 0;

	for (i = 0; i < n; i++) {
		caps.seq = it[i].n > caps.seq ? it[i].n : caps.seq;
		sum += it[i].n;
	}
	caps.tokens = caps.seq > BATCH_TOKENS ? caps.seq : BATCH_TOKENS;
	caps.tokens = sum < caps.tokens ? sum : caps.tokens;
	return caps;
}

int
peft_score_records(struct peft_session *ses, int adapter,
    const struct peft_record *r, size_t n, struct peft_score *scores,
    struct peft_err *err)
{
	size_t extra = peft_sites_virtual(peft_net_sites(ses->net), adapter);
	size_t nitems = count_items(r, n), i;
	double best = 0, best_norm = 0;
	struct peft_run *run = NULL;
	struct peft_caps caps;
	struct item *items;
	int status = -1;

	if ((items = peft_calloc(nitems + 1, sizeof(*items), err)) == NULL)
		return -1;
	if (make_items(r, n, items, err) == -1)
		goto out;
	caps = caps_of(items, nitems);
	caps.share = !ses->apart;
	caps.whole = ses->apart;	/* who listens hears every token */
	caps.seq += extra;
	caps.tokens += extra * caps.seqs;
	if ((run = peft_run_open(ses->net, &caps, err)) == NULL ||
	    run_items(run, adapter, r, items, nitems, err) == -1)
		goto out;
	for (i = 0; i < nitems; i++)
		settle(&items[i], &r[items[i].record],
		    &scores[items[i].record], &best, &best_norm);
	status = 0;
out:
	peft_run_close(run);
	for (i = 0; i < nitems; i++)
		if (items[i].choice != SIZE_MAX)
			free(items[i].ids);
	free(items);
	return status;
}

void
peft_scores_free(struct peft_score *s, size_t n)
{
	size_t i;

	for (i = 0; s != NULL && i < n; i++)
		free(s[i].answer);
	free(s);
}
