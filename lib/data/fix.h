/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_DATA_FIX_H
#define PEFT_DATA_FIX_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/* What can be mended in a chat without understanding it. */
enum {
	PEFT_FIX_JOINED = 1,	/* neighbouring turns of one role are one */
	PEFT_FIX_HEAD = 2,	/* answers before any question are gone */
	PEFT_FIX_TAIL = 4	/* what has no answer at the end is gone */
};

/* *own is a new record {"messages",...}, and *what says what was done; NULL
 * and 0 if there was nothing to mend, as in all that is no chat. */
int	peft_fix_record(const cJSON *, cJSON **own, unsigned *what,
	    struct peft_err *) PEFT_MUSTCHECK;
/* What was done, as a list of words. */
void	peft_fix_describe(struct peft_buf *, unsigned what);

#endif
