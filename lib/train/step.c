/* SPDX-License-Identifier: Apache-2.0 */
/* One step: micro-batches, the gradient's norm, the optimiser. */

#include <math.h>

#include "base/progress.h"
#include "base/rng.h"
#include "math/vec.h"
#include "train/trainer.h"

/* A function of the seed and the epoch. */
void
peft_train_order(const struct peft_trainer *t, size_t epoch, size_t *order)
{
	size_t i;

	if (t->opt.shuffle) {
		peft_rng_shuffle(peft_rng_key(t->opt.seed, "order"), epoch,
		    order, t->data->n);
		return;
	}
	for (i = 0; i < t->data->n; i++)
		order[i] = i;
}

static void
make_order(struct peft_trainer *t, size_t epoch)
{
	if (t->order_epoch == epoch)
		return;
	t->order_epoch = epoch;
	peft_train_order(t, epoch, t->order);
}

struct peft_seq
peft_train_seq(const struct peft_record *r, size_t number, int adapter)
{
	return (struct peft_seq){ .ids = r->ids, .labels = r->labels,
	    .values = r->values, .n = r->n, .weight = (float)r->weight,
	    .adapter = adapter, .task = r->task, .ident = (uint32_t)number };
}

/* Which record's loss is not finite? */
static int
name_record(const struct peft_trainer *t, const struct peft_records *data,
    const size_t *which, size_t n, struct peft_err *err)
{
	size_t i;

	if (err->status == PEFT_NUMERIC)
		for (i = 0; i < n; i++)
			if (!isfinite(t->loss[i].nll))
				return peft_errprefix(err, "step %zu, %s",
				    t->step + 1, peft_record_place(
				    &data->at[which[i]], which[i] + 1).text);
	return -1;
}

/* As many of the step's records as fit into one micro-batch; train or only
 * measure them. */
static int
micro_batch(struct peft_trainer *t, const struct peft_records *data,
    const size_t *which, size_t n, double scale, size_t *taken,
    struct peft_err *err)
{
	size_t k;
	int r;

	for (k = 0; k < n && k < t->caps.seqs; k++) {
		t->seqs[k] = peft_train_seq(&data->at[which[k]], which[k], 0);
		t->loss[k] = (struct peft_loss){ 0 };
	}
	*taken = k = peft_run_fit(t->run, t->seqs, k);
	r = scale != 0 ? peft_run_train(t->run, t->seqs, k, scale, t->step,
	    t->loss, err) : peft_run_loss(t->run, t->seqs, k, t->loss, err);
	return r == -1 ? name_record(t, data, which, k, err) : 0;
}

static int
forward_backward(struct peft_trainer *t, const size_t *which, size_t n,
    struct peft_stepinfo *info, struct peft_err *err)
{
	double weight = 0, nll = 0;
	size_t i, k;

	for (i = 0; i < n; i++) {
		const struct peft_record *r = &t->data->at[which[i]];
		struct peft_seq s = peft_train_seq(r, which[i], 0);

		weight += r->weight * (double)peft_run_targets(t->run, &s,
		    true);
		info->tokens += r->supervised;
		info->all_tokens += r->n;
	}
	if (!(weight > 0))
		return peft_seterr(err, "step %zu: the records' weights add up "
		    "to nothing", t->step + 1);
	peft_adapter_zerograd(t->adapter);
	for (; n > 0; which += k, n -= k) {
		if (micro_batch(t, t->data, which, n, 1 / weight, &k,
		    err) == -1)
			return -1;
		for (i = 0; i < k; i++)
			nll += t->loss[i].nll * (double)t->seqs[i].weight;
	}
	info->loss = nll / weight + peft_adapter_penalty(t->adapter);
	return 0;
}

/* The first parameter whose gradient is not finite, or NULL; the total norm
 * of all of them. */
static const struct peft_param *
gradient_norm(const struct peft_trainer *t, double *norm)
{
	const struct peft_param *p = t->params;
	double sum = 0;
	size_t i;

	for (i = 0; i < t->nparams; i++) {
		if (t->vec->nonfinite(p[i].grad, p[i].n))
			return &p[i];
		sum += t->vec->sumsq(p[i].grad, p[i].n);
	}
	*norm = sqrt(sum);
	return NULL;
}

/* Name the record that makes a gradient not finite, by taking the step's
 * records one at a time; always fails. */
static int
blame(struct peft_trainer *t, const struct peft_param *bad,
    const size_t *which, size_t n, struct peft_err *err)
{
	struct peft_stepinfo info = { 0 };
	size_t i;

	for (i = 0; i < n; i++) {
		if (!(t->data->at[which[i]].weight > 0))
			continue;
		if (forward_backward(t, &which[i], 1, &info, err) == -1)
			return -1;
		if (t->vec->nonfinite(bad->grad, bad->n))
			return peft_setfail(err, PEFT_NUMERIC, "step %zu, "
			    "%s: the gradient of %s is not finite",
			    t->step + 1, peft_record_place(
			    &t->data->at[which[i]], which[i] + 1).text,
			    bad->name);
	}
	return peft_setfail(err, PEFT_NUMERIC, "step %zu, its %zu records "
	    "together: the gradient of %s is not finite", t->step + 1, n,
	    bad->name);
}

/* Is this loss far above what the losses were?  The running mean follows
 * slowly, and no further than that, so that it gets used to a new level. */
static bool
is_spike(struct peft_trainer *t, double loss)
{
	enum { SOON = 10 };		/* steps until there is a mean */
	double most = t->opt.spike * t->mean_loss;
	bool spike = t->opt.spike > 0 && t->step >= SOON && loss > most;

	t->mean_loss = t->step == 0 ? loss :
	    0.9 * t->mean_loss + 0.1 * (spike ? most : loss);
	return spike;
}

int
peft_train_step(struct peft_trainer *t, struct peft_stepinfo *info,
    struct peft_err *err)
{
	size_t i = t->step % t->per_epoch * t->opt.batch, n;
	const struct peft_param *bad;
	struct peft_cpu *cpu = peft_net_cpu(t->net);
	double t0 = peft_now(), work = peft_cpu_counted(cpu), clip;

	make_order(t, t->step / t->per_epoch);
	n = t->data->n - i < t->opt.batch ? t->data->n - i : t->opt.batch;
	*info = (struct peft_stepinfo){ .step = t->step + 1,
	    .total = t->total, .eval_loss = NAN, .planned = t->plan.total };
	info->lr = t->opt.lr * peft_train_factor(t);
	if (forward_backward(t, t->order + i, n, info, err) == -1)
		return -1;
	if ((bad = gradient_norm(t, &info->grad_norm)) != NULL)
		return blame(t, bad, t->order + i, n, err);
	info->skipped = is_spike(t, info->loss);
	if (!info->skipped)
		peft_train_update(t, info->lr, info->grad_norm);
	t->step++;
	clip = t->opt.clip > 0 ? t->opt.clip / (info->grad_norm + 1e-6) : 1;
	if (!info->skipped)
		peft_adapter_stepped(t->adapter, t->step, clip < 1 ? clip : 1);
	info->seconds = peft_now() - t0;
	info->work = peft_cpu_counted(cpu) - work;
	return 0;
}

/* The token-weighted loss over a set. */
static int
eval_set(struct peft_trainer *t, struct peft_evalset *set,
    struct peft_err *err)
{
	size_t i, j, k, n = set->records.n;
	double nll = 0;
	size_t which[256];

	set->tokens = 0;
	for (i = 0; i < n; i += k) {
		for (j = 0; j < 256 && i + j < n; j++)
			which[j] = i + j;
		if (micro_batch(t, &set->records, which, j, 0, &k, err) == -1)
			return -1;
		for (j = 0; j < k; j++) {
			nll += t->loss[j].nll;
			set->tokens += t->loss[j].tokens;
		}
	}
	set->loss = nll / (double)set->tokens;
	return 0;
}

int
peft_train_eval(struct peft_trainer *t, struct peft_stepinfo *info,
    struct peft_err *err)
{
	size_t i;

	for (i = 0; i < t->nevals; i++)
		if (eval_set(t, &t->evals[i], err) == -1)
			return -1;
	info->evals = t->evals;
	info->nevals = t->nevals;
	info->eval_loss = t->evals[0].loss;
	return 0;
}
