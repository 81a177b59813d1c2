/* SPDX-License-Identifier: Apache-2.0 */
/* The largest step of a run: which records meet is known before it. */

#include <stdlib.h>

#include "base/buf.h"
#include "model/tree.h"
#include "train/trainer.h"

struct look {
	struct peft_trainer	*t;
	size_t			*order;		/* of an epoch */
	struct peft_seq		*seqs;		/* [batch] */
	struct peft_tree	 tree;		/* NULLs: nothing is shared */
	size_t			 most;		/* tokens that are enough */
};

static int
look_open(struct look *l, struct peft_trainer *t, struct peft_err *err)
{
	size_t n = t->opt.batch;

	*l = (struct look){ .t = t, .most = t->opt.micro_tokens };
	l->order = peft_calloc(t->data->n, sizeof(*l->order), err);
	l->seqs = peft_calloc(n, sizeof(*l->seqs), err);
	if (l->order == NULL || l->seqs == NULL)
		return -1;
	if (!peft_net_shares(t->net, &t->caps))
		return 0;
	l->tree.order = peft_calloc(n, sizeof(size_t), err);
	l->tree.common = peft_calloc(n, sizeof(size_t), err);
	l->tree.nodes = peft_calloc(2 * n, sizeof(*l->tree.nodes), err);
	return l->tree.order == NULL || l->tree.common == NULL ||
	    l->tree.nodes == NULL ? -1 : 0;
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
		rows += r->supervised + (t->extra > 0);
		l->seqs[i] = peft_train_seq(r, which[i], 0);
	}
	t->rows = rows > t->rows ? rows : t->rows;
	if (tokens <= t->tokens || t->tokens >= l->most)
		return;
	if (l->tree.order != NULL) {
		peft_tree_build(&l->tree, l->seqs, n, true);
		tokens = l->tree.tokens;
	}
	t->tokens = tokens > t->tokens ? tokens : t->tokens;
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
		/* in their own order, epochs are alike */
		if (!t->opt.shuffle && step + 1 == t->per_epoch)
			break;
	}
	look_close(&l);
	return r;
}
