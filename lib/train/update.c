/* SPDX-License-Identifier: Apache-2.0 */
/* The optimiser's step over all tensors. */

#include <math.h>
#include <string.h>

#include "math/profile.h"
#include "train/trainer.h"

struct job {
	struct peft_trainer	*t;
	struct peft_optstep	 step;
};

/* The LoRA of an embedding, of which both halves learn at one rate? */
static bool
is_embedding(const struct peft_param *p)
{
	return strstr(p->name, ".lora_embedding_") != NULL;
}

bool
peft_train_is_b(const struct peft_param *p)
{
	return strstr(p->name, "lora_B") != NULL || is_embedding(p);
}

/* LoRA+ (Hayou et al. 2024), grouped as PEFT does: B and vectors learn
 * faster, the LoRA of an embedding at a rate of its own. */
static double
rate(const struct peft_trainer *t, const struct peft_param *p, double lr)
{
	const double embedding = 1e-6;

	if (!(t->opt.loraplus > 0))
		return lr;
	if (is_embedding(p))
		return t->opt.lr > 0 ? lr / t->opt.lr * embedding : 0;
	return peft_train_is_b(p) || p->ndim < 2 ?
	    lr * t->opt.loraplus : lr;
}

static void
average(float *ema, const float *value, size_t n, double decay)
{
	float new = (float)(1 - decay);
	size_t i;

	for (i = 0; i < n; i++)
		ema[i] += new * (value[i] - ema[i]);
}

/* Tensors are independent of each other, so who takes which does not show. */
static void
param_task(void *ctx, size_t i, int thread)
{
	const struct job *job = ctx;
	struct peft_trainer *t = job->t;
	struct peft_param *p = &t->params[i];
	struct peft_optstep step = job->step;
	float *state[PEFT_OPTPARTS];
	size_t k, at;
	int part;

	(void)thread;
	for (part = 0; part < PEFT_OPTPARTS; part++) {
		for (k = 0, at = 0; k < i; k++)
			at += peft_optimiser_floats(t->opt.optimiser,
			    &t->params[k], part);
		state[part] = peft_optimiser_floats(t->opt.optimiser, p,
		    part) == 0 ? NULL : t->state[part] + at;
	}
	step.lr = rate(t, p, step.lr);
	step.decay = p->decay ? t->opt.weight_decay : 0;
	t->opt.optimiser->step(&step, p, state);
	if (t->ema != NULL)
		average(t->ema + (p->value - t->params[0].value), p->value,
		    p->n, t->opt.ema);
}

double
peft_train_factor(const struct peft_trainer *t)
{
	return peft_schedule_factor(&t->opt.schedule, t->step) *
	    t->plateau.factor;
}

/* The newest step's share in schedule-free's average: a step's weight is the
 * square of the largest rate so far. */
static double
newest_share(struct peft_trainer *t)
{
	double weight;

	t->rate_most = fmax(t->rate_most, peft_train_factor(t));
	weight = t->rate_most * t->rate_most;
	t->rate_sum += weight;
	return t->rate_sum > 0 ? weight / t->rate_sum : 0;
}

void
peft_train_update(struct peft_trainer *t, double lr, double norm)
{
	const struct peft_trainopt *o = &t->opt;
	struct peft_lap lap;
	double scale = o->clip > 0 ? o->clip / (norm + 1e-6) : 1;
	struct job job = { t, { .vec = t->vec, .t = ++t->updates, .lr = lr,
	    .beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps,
	    .gscale = (float)(scale < 1 ? scale : 1) } };

	lap = peft_lap_begin(peft_net_cpu(t->net));
	if (o->optimiser->shown >= 0)
		job.step.mix = newest_share(t);
	peft_cpu_run(peft_net_cpu(t->net), t->nparams, param_task, &job);
	/* values, gradients, two moments: read, and all but one written */
	peft_lap_end(peft_net_cpu(t->net), &lap, PEFT_WORK_OPTIMISER, 0,
	    (double)(t->nvalues * 7 * sizeof(float)));
}
