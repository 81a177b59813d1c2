/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of training that are one number each. */

#include <math.h>
#include <string.h>

#include "base/opt.h"
#include "train/train.h"

/* --NAME's value, if it is one of them. */
static bool
real_number(struct peft_trainopt *o, const char *name, const char *option,
    const char *arg)
{
	const struct {
		const char *name;
		double	*at;
		double	 min, max;
	} all[] = {
		{ "lr", &o->lr, 0, 1e3 },
		{ "epochs", &o->epochs, 1e-6, 1e6 },
		{ "warmup", &o->warmup, 0, 1e9 },
		{ "weight-decay", &o->weight_decay, 0, 1e3 },
		{ "clip", &o->clip, 0, 1e9 },
		{ "beta1", &o->beta1, 0, 0.999999 },
		{ "beta2", &o->beta2, 0, 0.999999999 },
		{ "eps", &o->eps, 0, 1 },
		{ "cycles", &o->schedule.cycles, 0, 1e6 },
		{ "min-lr-ratio", &o->schedule.min_ratio, 0, 1 },
		{ "power", &o->schedule.power, 0, 100 },
		{ "plateau-factor", &o->schedule.plateau_factor, 0, 1 },
		{ "loraplus", &o->loraplus, 0, 1e6 },
		{ "label-smoothing", &o->smoothing, 0, 1 },
		{ "z-loss", &o->zloss, 0, 1 },
		{ "neftune", &o->neftune, 0, 1e3 },
		{ "ema", &o->ema, 0, 0.999999 },
		{ "skip-spikes", &o->spike, 1, 1e6 },
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0) {
			*all[i].at = peft_optreal(option, arg, all[i].min,
			    all[i].max);
			return true;
		}
	return false;
}

static bool
count(struct peft_trainopt *o, const char *name, const char *option,
    const char *arg)
{
	const struct {
		const char *name;
		size_t	*at;
	} all[] = {
		{ "steps", &o->steps },
		{ "batch", &o->batch },
		{ "micro-tokens", &o->micro_tokens },
		{ "eval-every", &o->eval_every },
		{ "save-every", &o->save_every },
		{ "patience", &o->patience },
		{ "keep-checkpoints", &o->keep },
		{ "decay-steps", &o->schedule.decay },
		{ "plateau", &o->schedule.plateau },
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].name, name) == 0) {
			*all[i].at = (size_t)peft_optint(option, arg, 1,
			    1 << 30);
			return true;
		}
	return false;
}

bool
peft_trainopt_number(struct peft_trainopt *o, const char *name,
    const char *arg)
{
	char option[64] = "--";

	strncat(option, name, sizeof(option) - 3);
	return real_number(o, name, option, arg) ||
	    count(o, name, option, arg);
}

/* Of all schedules those with these numbers. */
#define OF(kind)	(1u << PEFT_LR_##kind)

const char *
peft_trainopt_idle(const struct peft_trainopt *o, const struct peft_common *c)
{
	unsigned schedule = 1u << o->schedule.kind;
	const struct peft_optimiser *by = o->optimiser;
	const struct {
		const char *name;
		bool	 used;
	} all[] = {
		{ "cycles", schedule & (OF(COSINE) | OF(RESTARTS) |
		    OF(WSD)) },
		{ "min-lr-ratio", schedule & (OF(COSINE) | OF(POLYNOMIAL) |
		    OF(WSD) | OF(PLATEAU)) },
		{ "power", schedule & OF(POLYNOMIAL) },
		{ "decay-steps", schedule & OF(WSD) },
		{ "plateau", schedule & OF(PLATEAU) },
		{ "plateau-factor", schedule & OF(PLATEAU) },
		{ "beta1", by->beta1 > 0 },
		{ "beta2", by->beta2 > 0 },
		{ "eps", by->eps > 0 },
	};
	size_t i;

	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!all[i].used && peft_given(c, all[i].name))
			return all[i].name;
	return NULL;
}
