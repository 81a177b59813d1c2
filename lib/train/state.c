/* SPDX-License-Identifier: Apache-2.0 */
/* What a trainer keeps of every tensor beside its value. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "train/trainer.h"

size_t
peft_train_floats(const struct peft_trainer *t, int part,
    const struct peft_param *p)
{
	return part < 0 ? p->n : peft_optimiser_floats(t->opt.optimiser, p,
	    part);
}

size_t
peft_train_arrays(const struct peft_trainer *t,
    struct peft_trainarray arrays[PEFT_TRAINARRAYS])
{
	const struct peft_optimiser *o = t->opt.optimiser;
	const char *name;
	float *kept;
	size_t n = 0;
	int i;

	/* values lie end to end */
	arrays[n++] = (struct peft_trainarray){ "value", t->params[0].value,
	    -1 };
	for (i = 0; i < PEFT_OPTPARTS; i++)
		if (o->part[i] != NULL)
			arrays[n++] = (struct peft_trainarray){ o->part[i],
			    t->state[i], i };
	for (i = 0; i < PEFT_KEPT && (kept = peft_adapter_kept(t->adapter, i,
	    &name)) != NULL; i++)
		arrays[n++] = (struct peft_trainarray){ name, kept, -1 };
	if (t->ema != NULL)
		arrays[n++] = (struct peft_trainarray){ "ema", t->ema, -1 };
	if (t->best != NULL)
		arrays[n++] = (struct peft_trainarray){ "best", t->best, -1 };
	return n;
}

static float *
copy_of_values(const struct peft_trainer *t, struct peft_err *err)
{
	float *v = peft_calloc(t->nvalues, sizeof(float), err);

	if (v != NULL)
		memcpy(v, t->params[0].value, t->nvalues * sizeof(float));
	return v;
}

static void
start(struct peft_trainer *t)
{
	const struct peft_optimiser *o = t->opt.optimiser;
	float *state[PEFT_OPTPARTS];
	size_t i;
	int k;

	memcpy(state, t->state, sizeof(state));
	for (i = 0; o->start != NULL && i < t->nparams; i++) {
		o->start(&t->params[i], state);
		for (k = 0; k < PEFT_OPTPARTS; k++)
			state[k] += peft_optimiser_floats(o, &t->params[i], k);
	}
}

int
peft_train_state(struct peft_trainer *t, struct peft_err *err)
{
	const struct peft_optimiser *o = t->opt.optimiser;
	size_t i, n;
	int k;

	for (k = 0; k < PEFT_OPTPARTS; k++) {
		for (i = 0, n = 1; i < t->nparams; i++)
			n += peft_optimiser_floats(o, &t->params[i], k);
		t->state[k] = peft_calloc(n, sizeof(float), err);
		if (t->state[k] == NULL)
			return -1;
	}
	start(t);
	if ((t->nevals > 0 && (t->best = copy_of_values(t, err)) == NULL) ||
	    (t->opt.ema > 0 && (t->ema = copy_of_values(t, err)) == NULL))
		return -1;
	t->shown = t->ema != NULL ? t->ema :
	    o->shown >= 0 ? t->state[o->shown] : NULL;
	return 0;
}

void
peft_train_swap(struct peft_trainer *t)
{
	float *v = t->params[0].value;
	size_t i;

	for (i = 0; t->shown != NULL && i < t->nvalues; i++) {
		float x = v[i];

		v[i] = t->shown[i];
		t->shown[i] = x;
	}
}

void
peft_train_state_free(struct peft_trainer *t)
{
	int k;

	for (k = 0; k < PEFT_OPTPARTS; k++)
		free(t->state[k]);
	free(t->ema);
	free(t->best);
}
