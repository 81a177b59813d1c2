/* SPDX-License-Identifier: Apache-2.0 */
/* Learning rate schedules. */

#include <math.h>

#include "train/schedule.h"

const char *const peft_schedule_names[] = {
	[PEFT_LR_CONSTANT] = "constant", [PEFT_LR_LINEAR] = "linear",
	[PEFT_LR_COSINE] = "cosine", NULL
};

double
peft_schedule_factor(enum peft_schedule kind, size_t s, size_t warmup,
    size_t total)
{
	double rest = total > warmup ? (double)(total - warmup) : 1;
	double done;

	if (s < warmup)
		return (double)s / (double)warmup;
	done = (double)(s - warmup) / rest;
	done = done > 1 ? 1 : done;
	switch (kind) {
	case PEFT_LR_LINEAR:
		return 1 - done;
	case PEFT_LR_COSINE:
		return fmax(0, 0.5 * (1 + cos(M_PI * done)));
	default:
		return 1;
	}
}
