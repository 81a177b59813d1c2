/* SPDX-License-Identifier: Apache-2.0 */
/* What the steps of a run compute, the largest and the mean: which records
 * meet is known before it. */

#include <stdlib.h>

#include "base/buf.h"
#include "model/tree.h"
#include "train/trainer.h"

struct look {
	struct peft_trainer	*t;
	size_t			*order;		/* of an epoch */
	struct peft_seq		*seqs;		/* [batch] */
	struct peft_tree	 tree;
	bool			 share;
	size_t			 most;		/* tokens that are enough */
};

enum { SAMPLED = 16 };	/* steps that the mean is of, if there are more */

static int
look_open(struct look *l, struct peft_trainer *t, struct peft_err *err)
{
	size_t n = t->opt.batch;

	*l = (struct look){ .t = t, .most = t->opt.micro_tokens,
	    .share = peft_net_shares(t->net, &t->caps) };
	l->order = peft_calloc(t->data->n, sizeof(*l->order), err);
	l->seqs = peft_calloc(n, sizeof(*l->seqs), err);
	l->tree.order = peft_calloc(n, sizeof(size_t), err);
	l->tree.common = peft_calloc(n, sizeof(size_t), err);
	l->tree.nodes = peft_calloc(2 * n, sizeof(*l->tree.nodes), err);
	return l->order == NULL || l->seqs == NULL || l->tree.order == NULL ||
	    l->tree.common == NULL || l->tree.nodes == NULL ? -1 : 0;
}

static void
look_close(struct look *l)
{
	free(l->order);
	free(l->seqs);
	free(l->tree.order);
	free(l->tree.common);
	free(l->tree.nodes);
}

/* Tokens of n records, unless they are no more than are known of. */
static void
look_step(struct look *l, const size_t *which, size_t n)
{
	struct peft_trainer *t = l->t;
	size_t tokens = 0, rows = 0, i;

	for (i = 0; i < n; i++) {
		const struct peft_record *r = &t->data->at[which[i]];

		tokens += r->n + t->extra;
		rows += r->supervised + t->prompted;
		l->seqs[i] = peft_train_seq(r, which[i], 0);
	}
	t->rows = rows > t->rows ? rows : t->rows;
	if (tokens <= t->tokens || t->tokens >= l->most)
		return;
	if (l->share) {
		peft_tree_build(&l->tree, l->seqs, n, true);
		tokens = l->tree.tokens;
	}
	t->tokens = tokens > t->tokens ? tokens : t->tokens;
}

/* A step of records that count for nothing would end the run when it comes. */
static int
check_weights(const struct look *l, const size_t *which, size_t n,
    size_t step, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (l->t->data->at[which[i]].weight > 0)
			return 0;
	return peft_seterr(err, "step %zu: the records' weights add up to "
	    "nothing", step + 1);
}

int
peft_train_largest(struct peft_trainer *t, struct peft_err *err)
{
	size_t step, at, n, batch = t->opt.batch;
	struct look l;
	int r = look_open(&l, t, err);

	for (step = 0; r == 0 && step < t->total; step++) {
		if (step % t->per_epoch == 0)
			peft_train_order(t, step / t->per_epoch, l.order);
		at = step % t->per_epoch * batch;
		n = t->data->n - at < batch ? t->data->n - at : batch;
		look_step(&l, l.order + at, n);
		r = check_weights(&l, l.order + at, n, step, err);
		/* in their own order, epochs are alike */
		if (!t->opt.shuffle && step + 1 == t->per_epoch)
			break;
	}
	look_close(&l);
	return r;
}

/* Where anything is shared there are none (model/fit.c). */
static size_t
virtual_tokens(const void *ctx, const struct peft_seq *seq)
{
	const struct look *l = ctx;

	(void)seq;
	return l->share ? 0 : l->t->extra;
}

/* The first k records of a step in one micro-batch. */
static void
add_batch(struct look *l, const struct peft_seq *seqs, size_t k,
    struct peft_stepmean *mean)
{
	size_t i;

	peft_tree_build(&l->tree, seqs, k, l->share);
	for (i = 0; i < l->tree.n; i++) {
		const struct peft_node *n = &l->tree.nodes[i];
		double own = (double)(n->n + virtual_tokens(l, seqs));

		mean->computed += own;
		mean->seen += own * ((double)n->depth + (own + 1) / 2);
	}
}

/* The micro-batches of one step. */
static void
add_step(struct look *l, const size_t *which, size_t n,
    struct peft_stepmean *mean)
{
	struct peft_trainer *t = l->t;
	size_t at, k, i;

	for (i = 0; i < n; i++) {
		const struct peft_record *r = &t->data->at[which[i]];

		l->seqs[i] = peft_train_seq(r, which[i], 0);
		mean->tokens += (double)(r->n + t->extra);
		mean->supervised += (double)r->supervised;
	}
	for (at = 0; at < n; at += k) {
		k = peft_tree_fit(&l->tree, l->seqs + at, n - at, l->share,
		    virtual_tokens, l, t->plan.micro_tokens);
		k = k == 0 ? 1 : k;
		add_batch(l, l->seqs + at, k, mean);
		mean->batches++;
	}
}

int
peft_train_mean(struct peft_trainer *t, struct peft_stepmean *mean,
    struct peft_err *err)
{
	size_t steps = t->per_epoch < SAMPLED ? t->per_epoch : SAMPLED;
	size_t batch = t->opt.batch, i, at, n;
	struct look l;
	int r = look_open(&l, t, err);

	*mean = (struct peft_stepmean){ 0 };
	if (r == 0)
		peft_train_order(t, 0, l.order);
	for (i = 0; r == 0 && i < steps; i++) {
		at = i * t->per_epoch / steps * batch;
		n = t->data->n - at < batch ? t->data->n - at : batch;
		add_step(&l, l.order + at, n, mean);
	}
	look_close(&l);
	mean->tokens /= (double)steps;
	mean->computed /= (double)steps;
	mean->supervised /= (double)steps;
	mean->seen /= (double)steps;
	mean->batches /= (double)steps;
	return r;
}
