/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_FORECAST_H
#define PEFT_TRAIN_FORECAST_H

#include "train/train.h"

/* How long a step will take, from what a few products of the model and the
 * machine's peaks were measured to be. */
struct peft_forecast {
	double	tokens;		/* of a step, in the mean */
	double	computed;	/* those that records share counted once */
	double	worth;		/* all work, in operations of products; */
	double	again;		/* of it what is made again */
	double	seconds;
};

int	peft_trainer_forecast(struct peft_trainer *,
	    struct peft_forecast *, struct peft_err *) PEFT_MUSTCHECK;

/* The plan in a line, of a warning (base/err.h). */
void	peft_trainer_say(const struct peft_trainer *);
/* The plan, and if f is not NULL the forecast, on standard output. */
void	peft_trainer_print(const struct peft_trainer *,
	    const struct peft_forecast *f);

#endif
