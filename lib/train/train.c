/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: steps, evaluations, checkpoints. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "math/vec.h"
#include "train/trainer.h"

struct peft_trainopt
peft_trainopt_default(void)
{
	return (struct peft_trainopt){ .lr = 2e-4, .clip = 1, .beta1 = NAN,
	    .beta2 = NAN, .eps = NAN, .optimiser = &peft_adamw,
	    .schedule = { .kind = PEFT_LR_LINEAR, .power = 1,
	    .plateau = 10, .plateau_factor = 0.1 },
	    .warmup = 0.03, .batch = 8, .micro_tokens = 2048,
	    .shuffle = true, .keep = 1, .base = "" };
}

static int
prepare(struct peft_trainer *t, struct peft_err *err)
{
	size_t i;

	if (peft_adapter_attach(t->adapter, peft_net_sites(t->net), 0, 1, true,
	    err) == -1)
		return -1;
	peft_adapter_seed(t->adapter, t->opt.seed);
	t->extra = peft_sites_virtual(peft_net_sites(t->net), 0);
	t->prompted = peft_sites_prompted(peft_net_sites(t->net), 0);
	t->params = peft_adapter_params(t->adapter, &t->nparams);
	for (i = 0; i < t->nparams; i++)
		t->nvalues += t->params[i].n;
	if (peft_train_settings(t, err) == -1)
		return -1;
	t->order = peft_calloc(t->data->n, sizeof(*t->order), err);
	t->seqs = peft_calloc(t->caps.seqs, sizeof(*t->seqs), err);
	t->loss = peft_calloc(t->caps.seqs, sizeof(*t->loss), err);
	if (t->order == NULL || t->seqs == NULL || t->loss == NULL)
		return -1;
	return peft_train_state(t, err);
}

/* What was not asked for is the optimiser's own. */
static void
fill_in(struct peft_trainopt *o)
{
	o->beta1 = isnan(o->beta1) ? o->optimiser->beta1 : o->beta1;
	o->beta2 = isnan(o->beta2) ? o->optimiser->beta2 : o->beta2;
	o->eps = isnan(o->eps) ? o->optimiser->eps : o->eps;
}

struct peft_trainer *
peft_trainer_open(struct peft_net *net, struct peft_adapter *adapter,
    const struct peft_records *data, struct peft_evalset *evals,
    size_t nevals, const struct peft_trainopt *opt, struct peft_err *err)
{
	struct peft_trainer *t = peft_calloc(1, sizeof(*t), err);

	if (t == NULL)
		return NULL;
	t->net = net;
	t->adapter = adapter;
	t->data = data;
	t->evals = evals;
	t->nevals = nevals;
	t->opt = *opt;
	fill_in(&t->opt);
	t->vec = peft_vec_best();
	t->order_epoch = SIZE_MAX;
	t->best_loss = INFINITY;
	t->plateau = (struct peft_plateau){ .best = INFINITY, .factor = 1 };
	if (prepare(t, err) == -1) {
		peft_trainer_close(t);
		return NULL;
	}
	return t;
}

void
peft_trainer_close(struct peft_trainer *t)
{
	if (t == NULL)
		return;
	peft_run_close(t->run);
	peft_train_state_free(t);
	free(t->order);
	free(t->seqs);
	free(t->loss);
	free(t->settings);
	free(t);
}

size_t
peft_trainer_total(const struct peft_trainer *t)
{
	return t->total;
}

const char *
peft_trainer_settings(const struct peft_trainer *t)
{
	return t->settings;
}

size_t
peft_trainer_step(const struct peft_trainer *t)
{
	return t->best != NULL ? t->best_step : t->step;
}

/* Every so many steps, and after the last. */
static bool
is_due(const struct peft_trainer *t, size_t every)
{
	return t->step == t->total || (every > 0 && t->step % every == 0);
}

static int
evaluate(struct peft_trainer *t, struct peft_stepinfo *info,
    struct peft_err *err)
{
	int r;

	if (t->nevals == 0 || !is_due(t, t->opt.eval_every))
		return 0;
	peft_train_swap(t);
	r = peft_train_eval(t, info, err);
	info->best = r == 0 && info->eval_loss < t->best_loss;
	if (info->best) {
		t->best_loss = info->eval_loss;
		t->best_step = t->step;
		memcpy(t->best, t->params[0].value, t->nvalues *
		    sizeof(float));
	}
	peft_train_swap(t);
	if (r == 0 && t->opt.schedule.kind == PEFT_LR_PLATEAU)
		peft_plateau_see(&t->plateau, &t->opt.schedule, t->opt.lr,
		    info->eval_loss);
	return r;
}

/* Has it been long enough since the best evaluation? */
static bool
is_stuck(const struct peft_trainer *t)
{
	return t->opt.patience > 0 && t->opt.eval_every > 0 &&
	    t->step - t->best_step >= t->opt.patience * t->opt.eval_every;
}

/* Is there to be a checkpoint now? */
static bool
saves(const struct peft_trainer *t, enum peft_order order)
{
	bool due = t->opt.save_every > 0 && t->step < t->total &&
	    t->step % t->opt.save_every == 0;

	return t->opt.checkpoint != NULL && (due || order != PEFT_GO_ON);
}

static int
loop(struct peft_trainer *t, const struct peft_watch *w, struct peft_err *err)
{
	struct peft_stepinfo info;
	enum peft_order order = PEFT_GO_ON;

	while (t->step < t->total && order != PEFT_STOP && !is_stuck(t)) {
		if (peft_train_step(t, &info, err) == -1 ||
		    evaluate(t, &info, err) == -1)
			return -1;
		if (w->order != NULL)
			order = w->order(w->ctx);
		/* told first: who goes on from the checkpoint drops what was
		 * told of steps behind it, and could not know one before */
		if (w->step(w->ctx, &info, err) == -1 ||
		    (saves(t, order) && peft_train_save(t, err) == -1))
			return -1;
	}
	return order == PEFT_STOP && t->step < t->total;
}

int
peft_trainer_run(struct peft_trainer *t, const struct peft_watch *w,
    struct peft_err *err)
{
	int r;

	if (t->run == NULL && (t->run = peft_run_open(t->net, &t->caps,
	    err)) == NULL)
		return -1;
	r = loop(t, w, err);
	if (r == 0 && t->best != NULL)
		memcpy(t->params[0].value, t->best, t->nvalues *
		    sizeof(float));
	else if (r == 0)
		peft_train_swap(t);
	return r;
}
