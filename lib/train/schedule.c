/* SPDX-License-Identifier: Apache-2.0 */
/* Learning rate schedules. */

#include <math.h>

#include "train/schedule.h"

const char *const peft_schedule_names[] = {
	[PEFT_LR_CONSTANT] = "constant", [PEFT_LR_LINEAR] = "linear",
	[PEFT_LR_COSINE] = "cosine",
	[PEFT_LR_RESTARTS] = "cosine-with-restarts",
	[PEFT_LR_POLYNOMIAL] = "polynomial",
	[PEFT_LR_INVERSE_SQRT] = "inverse-sqrt",
	[PEFT_LR_WSD] = "warmup-stable-decay",
	[PEFT_LR_PLATEAU] = "reduce-on-plateau", NULL
};

/* From 1 at done = 0 down to min_ratio, in half waves. */
static double
cosine(const struct peft_schedule_opt *o, double done)
{
	double cycles = o->cycles > 0 ? o->cycles : 0.5;
	double f = 0.5 * (1 + cos(2 * M_PI * cycles * done));

	return fmax(0, f * (1 - o->min_ratio) + o->min_ratio);
}

static double
restarts(const struct peft_schedule_opt *o, double done)
{
	double cycles = o->cycles > 0 ? o->cycles : 1;

	return done >= 1 ? 0 : fmax(0, 0.5 * (1 + cos(M_PI *
	    fmod(cycles * done, 1))));
}

static double
inverse_sqrt(const struct peft_schedule_opt *o, size_t s)
{
	double scale = o->warmup > 0 ? (double)o->warmup : 10000;

	return 1 / sqrt(((double)s + scale - (double)o->warmup) / scale);
}

/* Level until the last `decay' steps, of which s is this many in. */
static double
stable_decay(const struct peft_schedule_opt *o, size_t s)
{
	size_t decay = o->decay < o->total ? o->decay : o->total;
	size_t from = o->total - decay;

	if (s < from)
		return 1;
	return s >= o->total ? o->min_ratio :
	    cosine(o, (double)(s - from) / (double)decay);
}

double
peft_schedule_factor(const struct peft_schedule_opt *o, size_t s)
{
	double rest = o->total > o->warmup ? (double)(o->total - o->warmup) :
	    1;
	double done;

	if (s < o->warmup) {
		done = (double)s / (double)o->warmup;
		return o->kind == PEFT_LR_WSD ? done * (1 - o->min_ratio) +
		    o->min_ratio : done;
	}
	done = (double)(s - o->warmup) / rest;
	done = done > 1 ? 1 : done;
	switch (o->kind) {
	case PEFT_LR_LINEAR:
		return 1 - done;
	case PEFT_LR_COSINE:
		return cosine(o, done);
	case PEFT_LR_RESTARTS:
		return restarts(o, done);
	case PEFT_LR_POLYNOMIAL:
		return (1 - o->min_ratio) * pow(1 - done, o->power) +
		    o->min_ratio;
	case PEFT_LR_INVERSE_SQRT:
		return inverse_sqrt(o, s);
	case PEFT_LR_WSD:
		return stable_decay(o, s);
	default:
		return 1;
	}
}

void
peft_plateau_see(struct peft_plateau *p, const struct peft_schedule_opt *o,
    double lr, double loss)
{
	const double better = 1e-4, least = 1e-8;
	double lower;

	if (loss < p->best * (1 - better)) {
		p->best = loss;
		p->bad = 0;
	} else
		p->bad++;
	if (p->bad <= o->plateau)
		return;
	p->bad = 0;
	lower = fmax(p->factor * o->plateau_factor, o->min_ratio);
	if ((p->factor - lower) * lr > least)
		p->factor = lower;
}
