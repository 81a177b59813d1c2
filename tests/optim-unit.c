/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers and schedules against other software's (tests/parity/optim.py).
 * optim-unit GOLDEN */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"
#include "tensor/source.h"
#include "train/optimiser.h"
#include "train/schedule.h"

enum { STEPS = 4, TOTAL = 24, WARMUP = 5 };

static struct peft_weight
load(struct peft_source *s, const char *name)
{
	struct peft_err err = { 0 };
	struct peft_weight w;
	size_t i = peft_source_find(s, name);

	if (i == SIZE_MAX)
		peft_seterr(&err, "no %s in the golden file", name);
	need(i != SIZE_MAX && peft_source_load(s, i, &w, &err) == 0, &err);
	return w;
}

/* A tensor that is moved as the golden one was; returns the largest
 * difference at the end, in parts of the way it went. */
static double
move(struct peft_source *s, const struct peft_optimiser *o, const char *which)
{
	char name[64];
	struct peft_weight w, want, g;
	struct peft_param p = { .name = "x" };
	struct peft_optstep step = { .vec = peft_vec_best(), .lr = 1e-2,
	    .beta1 = o->beta1, .beta2 = o->beta2, .eps = o->eps,
	    .decay = 0.1, .gscale = 1 };
	float *state[PEFT_OPTPARTS] = { 0 };
	double far = 0, way = 0;
	size_t i;
	int k;

	snprintf(name, sizeof(name), "value.%s", which);
	w = load(s, name);
	p.ndim = w.ndim;
	memcpy(p.shape, w.shape, sizeof(p.shape));
	p.n = w.nelem;
	p.value = malloc(w.nbytes);
	p.grad = malloc(w.nbytes);
	memcpy(p.value, w.data, w.nbytes);
	for (k = 0; k < PEFT_OPTPARTS; k++)
		if (peft_optimiser_floats(o, &p, k) > 0)
			state[k] = calloc(peft_optimiser_floats(o, &p, k),
			    sizeof(float));
	if (o->start != NULL)
		o->start(&p, state);
	for (step.t = 1; step.t <= STEPS; step.t++) {
		snprintf(name, sizeof(name), "grad.%s.%zu", which, step.t - 1);
		g = load(s, name);
		memcpy(p.grad, g.data, g.nbytes);
		step.mix = 1 / (double)step.t;	/* a constant rate */
		o->step(&step, &p, state);
	}
	snprintf(name, sizeof(name), "%s.%s", o->name, which);
	want = load(s, name);
	for (i = 0; i < p.n; i++) {
		double to = (double)((const float *)want.data)[i];
		double got = (double)(o->shown >= 0 ? state[o->shown][i] :
		    p.value[i]);

		far = tap_worst(far, fabs(got - to));
		way = fmax(way, fabs(to - (double)((const float *)
		    w.data)[i]));
	}
	for (k = 0; k < PEFT_OPTPARTS; k++)
		free(state[k]);
	free(p.value);
	free(p.grad);
	return far / way;
}

/* Values of up to 4 are rounded twice in each of four steps, by 2^-24 of them,
 * while the way is some 0.04. */
static const double LIMIT = 5e-5;

static void
optimisers(struct peft_source *s)
{
	size_t i;

	for (i = 0; peft_optimiser_names[i] != NULL; i++) {
		const char *name = peft_optimiser_names[i];
		const struct peft_optimiser *o = peft_optimiser_find(name);
		double matrix, vector, stack;

		ok(o != NULL && strcmp(o->name, name) == 0, "%s is there",
		    name);
		if (o == NULL)
			continue;
		matrix = move(s, o, "matrix");
		vector = move(s, o, "vector");
		stack = move(s, o, "stack");
		ok(matrix <= LIMIT && vector <= LIMIT && stack <= LIMIT, "%s: "
		    "a matrix is off by %.1e of its way, a vector by %.1e, a "
		    "stack of matrices by %.1e", name, matrix, vector, stack);
	}
}

static void
schedules(struct peft_source *s)
{
	int kind;
	size_t i;

	for (kind = 0; kind < PEFT_LR_N; kind++) {
		struct peft_schedule_opt o = { .kind = (enum peft_schedule)kind,
		    .warmup = WARMUP, .total = TOTAL, .power = 2, .decay = 8,
		    .cycles = kind == PEFT_LR_RESTARTS ? 3 : 0,
		    .min_ratio = 0.1 };
		double far = 0;
		struct peft_weight w;
		char name[64];

		if (kind == PEFT_LR_PLATEAU)
			continue;
		snprintf(name, sizeof(name), "schedule.%s",
		    peft_schedule_names[kind]);
		w = load(s, name);
		for (i = 0; i <= TOTAL; i++) {
			double want = ((const double *)w.data)[i];
			double got = peft_schedule_factor(&o, i);

			far = tap_worst(far, fabs(want - got));
		}
		ok(far <= 1e-12, "%s: off by %.1e", name, far);
	}
}

static void
plateau(struct peft_source *s)
{
	struct peft_schedule_opt o = { .kind = PEFT_LR_PLATEAU, .plateau = 2,
	    .plateau_factor = 0.3, .min_ratio = 0.02 };
	struct peft_plateau p = { .best = INFINITY, .factor = 1 };
	struct peft_weight losses = load(s, "plateau.losses");
	struct peft_weight rates = load(s, "plateau.rates");
	double far = 0;
	size_t i;

	for (i = 0; i < losses.nelem; i++) {
		peft_plateau_see(&p, &o, 1, ((const double *)losses.data)[i]);
		far = tap_worst(far, fabs(p.factor -
		    ((const double *)rates.data)[i]));
	}
	ok(far <= 1e-12 && p.factor < 1, "reduce-on-plateau: off by %.1e",
	    far);
}

int
main(int argc, char **argv)
{
	struct peft_err err = { 0 };
	struct peft_source *s;

	if (argc != 2)
		return 1;
	need((s = peft_source_open(argv[1], &err)) != NULL, &err);
	optimisers(s);
	schedules(s);
	plateau(s);
	peft_source_close(s);
	return tap_end();
}
