/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_PEFT_MULTITASK_H
#define PEFT_PEFT_MULTITASK_H

#include "peft/virtual.h"

/* What the two files of multitask prompt tuning share. */
enum { PEFT_TASK_COLS = PEFT_PROMPT + 1, PEFT_TASK_ROWS };	/* param[] */
/* Beginnings beyond a prompt's: as another adapter is, and its tasks. */
enum { PEFT_TASK_AVERAGE = PEFT_PROMPT_TEXT + 1, PEFT_TASK_EXACT,
	PEFT_TASK_SHARED };

struct peft_multitask {
	int64_t		 tasks, ranks;
	int		 start;
	int64_t		 task;		/* the source's, if it is one */
	const char	*path;		/* of the source; the config's */
};

/* multitask-start.c */
int	peft_multitask_start(struct peft_module *, struct peft_err *);

#endif
