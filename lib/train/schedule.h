/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_SCHEDULE_H
#define PEFT_TRAIN_SCHEDULE_H

#include <stddef.h>

/* Learning rate schedules, by transformers' formulas (optimization.py). */
enum peft_schedule {
	PEFT_LR_CONSTANT, PEFT_LR_LINEAR, PEFT_LR_COSINE, PEFT_LR_N
};

extern const char *const peft_schedule_names[];	/* ends with NULL */

/* The factor of the learning rate at step s of `total' (the first is 0),
 * after `warmup' steps that rise from 0: with a warm-up the first step's
 * factor is 0. */
double	peft_schedule_factor(enum peft_schedule, size_t s, size_t warmup,
	    size_t total);

#endif
