/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_INSPECT_H
#define PEFT_EVAL_INSPECT_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

/* What is in a file, told as a table (the same on a terminal and in a pipe)
 * or as one line of JSON. */
struct peft_inspectopt {
	bool	json, hash, scan;
	int	threads;
};

/* A model or an adapter in any container, or token records; "-" is standard
 * input.  PEFT_CHECK after --scan found NaN or Inf. */
int	peft_inspect(const char *path, const struct peft_inspectopt *,
	    struct peft_buf *out, struct peft_err *) PEFT_MUSTCHECK;
/* Two models or adapters, weight by weight.  PEFT_CHECK if they differ. */
int	peft_inspect_diff(const char *a, const char *b,
	    const struct peft_inspectopt *, struct peft_buf *out,
	    struct peft_err *) PEFT_MUSTCHECK;

#endif
