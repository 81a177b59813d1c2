/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_SCHEDULE_H
#define PEFT_TRAIN_SCHEDULE_H

#include <stddef.h>

/* Learning rate schedules, by transformers' formulas (optimization.py). */
enum peft_schedule {
	PEFT_LR_CONSTANT, PEFT_LR_LINEAR, PEFT_LR_COSINE, PEFT_LR_RESTARTS,
	PEFT_LR_POLYNOMIAL, PEFT_LR_INVERSE_SQRT, PEFT_LR_WSD,
	PEFT_LR_PLATEAU, PEFT_LR_N
};

extern const char *const peft_schedule_names[];	/* ends with NULL */

struct peft_schedule_opt {
	enum peft_schedule	kind;
	size_t	warmup, total;		/* steps */
	double	cycles;		/* of cosine, in halves; of restarts; 0: the
				 * usual, 0.5 and 1 */
	double	min_ratio;	/* of lr at the end: cosine, polynomial, wsd */
	double	power;		/* of polynomial */
	size_t	decay;		/* last steps, in which wsd decays */
	size_t	plateau;	/* evaluations without a better one, after
				 * which the next of them lowers the rate ... */
	double	plateau_factor;	/* ... to so much of it (at least min_ratio) */
};

/* Where a run on a plateau is; begins as { INFINITY, 1, 0 }. */
struct peft_plateau {
	double	best;		/* loss */
	double	factor;		/* of the learning rate by now */
	size_t	bad;		/* evaluations since the best */
};

/* An evaluation's loss, as torch's ReduceLROnPlateau takes it (less by one in
 * 10^4 is better; lr: the rate that factors are of). */
void	peft_plateau_see(struct peft_plateau *,
	    const struct peft_schedule_opt *, double lr, double loss);

/* The factor of the learning rate at step s (the first is 0), after a warm-up
 * that rises from 0 (wsd's: from min_ratio): with it the first step's factor
 * is 0. */
double	peft_schedule_factor(const struct peft_schedule_opt *, size_t s);

#endif
