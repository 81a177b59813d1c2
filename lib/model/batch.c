/* SPDX-License-Identifier: Apache-2.0 */
/* What callers ask of a micro-batch: its loss, its gradients, its logits. */

#include <math.h>
#include <string.h>

#include "data/tokens.h"
#include "model/net-impl.h"
#include "model/target-impl.h"
#include "model/rope.h"

static int
check_seq(const struct peft_run *run, size_t i, struct peft_err *err)
{
	const struct peft_seq *s = &run->given[i];
	const struct peft_virtual *v = peft_virtual_of(run, s);
	size_t past = s->kv == NULL ? 0 : s->kv->len, j;
	size_t n = s->n + (v == NULL ? 0 : v->n);
	const struct peft_tasks *t;

	if (s->n == 0)
		return peft_seterr(err, "sequence %zu is empty", i);
	if (n > run->caps.tokens || n + past > run->caps.seq)
		return peft_seterr(err, "sequence %zu: %zu tokens are more than "
		    "was planned for", i, n + past);
	if (s->kv != NULL && n > s->kv->npages * PEFT_PAGE - past)
		return peft_seterr(err, "sequence %zu: its cache has no room "
		    "for %zu more tokens", i, n);
	if (run->net->position.site != NULL && n + past +
	    run->net->config.t.position_offset > run->net->config.positions)
		return peft_seterr(err, "sequence %zu: %zu tokens, the model "
		    "knows %zu positions", i, n + past,
		    run->net->config.positions -
		    run->net->config.t.position_offset);
	for (t = run->net->sites.tasks; t != NULL; t = t->next)
		if (t->adapter == s->adapter && (s->task < 0 ||
		    (size_t)s->task >= t->n))
			return peft_seterr(err, s->task < 0 ? "sequence %zu: "
			    "no task is named (task_id), the adapter is for "
			    "%zu" : "sequence %zu: its task is none of the "
			    "adapter's %zu", i, t->n);
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

/* The sequences as they are computed: the caller's own, or copies of them
 * with virtual tokens. */
static int
make_seqs(struct peft_run *run, struct peft_err *err)
{
	size_t i, T = 0;

	run->seqs = run->given;
	if (run->net->sites.virtuals == NULL)
		return 0;
	for (i = 0; i < run->nseqs; i++) {
		const struct peft_virtual *v = peft_virtual_of(run,
		    &run->given[i]);
		size_t n = run->given[i].n + (v == NULL ? 0 : v->n);

		if (n > run->caps.tokens - T)
			return peft_seterr(err, "%zu sequences are more than "
			    "was planned for", run->nseqs);
		peft_virtual_whole(run, i, T);
		T += n;
	}
	run->seqs = run->whole;
	return 0;
}

static void
add_range(struct peft_run *run, int adapter, int task, size_t first, size_t n)
{
	struct peft_range *r = run->ranges + run->nranges;

	if (n == 0)
		return;
	if (run->nranges == 0 || !peft_range_is(&r[-1], adapter, task)) {
		*r++ = (struct peft_range){ adapter, task, first, 0 };
		run->nranges++;
	}
	r[-1].n += n;
}

/* The tokens of a node: which they are, whose adapter acts on them. */
static void
lay_out(struct peft_run *run, const struct peft_node *node)
{
	const struct peft_seq *s = &run->seqs[run->tree.order[node->lo]];
	size_t past = s->kv == NULL ? 0 : s->kv->len, i, at;
	size_t still = peft_virtual_still(run, s), extra;
	size_t from = peft_invoked_from(run, s);	/* of a whole node */

	add_range(run, -1, s->task, node->first, from);
	add_range(run, s->adapter, s->task, node->first + from, node->n -
	    from);
	for (i = node->first; i < node->first + node->n; i++) {
		at = past + node->depth + i - node->first;
		run->pos[i] = at < still ? at : at - still;
		run->ident[i] = (uint64_t)s->ident << 32 | at;
	}
	if (run->net->sites.virtuals == NULL)	/* else they are there */
		memcpy(run->ids + node->first, s->ids + node->depth,
		    node->n * sizeof(*run->ids));
	extra = still > past ? still - past : 0;
	if (run->angle != NULL && extra > 0)
		set_angles(run, node->first, extra);
	if (run->angle != NULL)
		set_angles(run, node->first + extra, node->n - extra);
}

static int
begin(struct peft_run *run, const struct peft_seq *seqs, size_t nseqs,
    bool share, struct peft_err *err)
{
	size_t i;

	run->given = seqs;
	run->nseqs = nseqs;
	run->ranges = run->kept.all.ranges;
	run->ident = run->kept.all.ident;
	run->kept.padded = 0;
	run->nranges = 0;
	if (nseqs > run->caps.seqs)
		return peft_seterr(err, "%zu sequences are more than was "
		    "planned for", nseqs);
	for (i = 0; i < nseqs; i++)
		if (check_seq(run, i, err) == -1)
			return -1;
	if (make_seqs(run, err) == -1)
		return -1;
	peft_tree_build(&run->tree, run->seqs, nseqs, share &&
	    peft_net_shares(run->net, &run->caps));
	if (run->tree.tokens > run->caps.tokens)
		return peft_seterr(err, "%zu sequences of %zu tokens are more "
		    "than was planned for", nseqs, run->tree.tokens);
	for (i = 0; i < run->tree.n; i++)
		lay_out(run, &run->tree.nodes[i]);
	run->T = run->tree.tokens;
	return 0;
}

/* Note that token `at' predicts `target' for one sequence more.  Those of one
 * token come one after the other, and are few. */
static size_t
add_row(struct peft_run *run, size_t n, size_t node, size_t at, int32_t target,
    double scale)
{
	size_t i;

	for (i = n; i > 0 && run->rows[i - 1] == at; i--)
		if (run->targets[i - 1] == target) {
			run->rowscale[i - 1] += (float)scale;
			return n;
		}
	run->rows[n] = at;
	run->targets[n] = target;
	run->rownode[n] = node;
	run->rowscale[n] = (float)scale;
	return n + 1;
}

/* The supervised positions: token i predicts labels[i + ahead]. */
static size_t
supervised(struct peft_run *run, double scale)
{
	size_t k, i, j, n = 0;

	for (k = 0; k < run->tree.n; k++) {
		const struct peft_node *node = &run->tree.nodes[k];

		for (i = 0; i < node->n; i++)
			for (j = node->lo; j < node->hi; j++) {
				size_t seq = run->tree.order[j];
				const struct peft_seq *s = &run->seqs[seq];
				int32_t next = peft_target_of(run, seq,
				    node->depth + i);

				if (next != PEFT_IGNORE)
					n = add_row(run, n, k, node->first + i,
					    next, scale * (double)(s->weight *
					    peft_target_weight(run, seq,
					    node->depth + i)));
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
	if (begin(run, &alone, 1, false, err) == -1)
		return -1;
	peft_keep(run, supervised(run, 1));
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
	size_t n;

	if (begin(run, seqs, nseqs, true, err) == -1)
		return -1;
	memset(loss, 0, nseqs * sizeof(*loss));
	n = supervised(run, scale);
	if (n > run->rowcap)
		return peft_seterr(err, "%zu supervised tokens are more than "
		    "was planned for", n);
	peft_keep(run, n);
	peft_forward(run);
	peft_head_loss(run, n, loss);
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
	size_t i, seq = 0, extra, end = 0, V = run->net->config.outputs;
	bool finite;

	if (nrows > run->rowcap)
		return peft_seterr(err, "the logits of %zu tokens are more "
		    "than was planned for", nrows);
	if (begin(run, seqs, nseqs, false, err) == -1)
		return -1;
	/* rows[] knows no virtual tokens */
	for (i = 0; i < nrows; i++) {
		while (rows[i] >= end + seqs[seq].n)
			end += seqs[seq++].n;
		extra = run->seqs[seq].n - seqs[seq].n;
		run->rows[i] = run->tree.nodes[seq].first + extra + rows[i] -
		    end;
	}
	peft_keep(run, nrows);
	peft_forward(run);
	finite = peft_head_logits(run, run->kept.slot, nrows, logits);
	advance(run);
	for (i = 0; !finite && i < nrows; i++)
		if (run->vec->nonfinite(logits + i * V, V))
			return peft_setfail(err, PEFT_NUMERIC, "the logits of "
			    "token %zu of the micro-batch are not finite",
			    rows[i]);
	return 0;
}
