/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_TRAIN_LOG_H
#define PEFT_TRAIN_LOG_H

#include <stdbool.h>
#include <stdio.h>

#include "train/train.h"

/* The log of a run: JSON lines, one a step, flushed as they come.  A run
 * that goes on at a step keeps the lines up to it.  path may be "-", standard
 * output, or a pipe or a terminal, which keep nothing. */
int	peft_log_open(FILE **, const char *path, bool force, bool resume,
	    size_t step, struct peft_err *) PEFT_MUSTCHECK;
int	peft_log_step(FILE *, const char *path, const struct peft_stepinfo *,
	    struct peft_err *) PEFT_MUSTCHECK;
/* First line: what computes. */
int	peft_log_start(FILE *, const char *path, const char *cpu,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
