/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_LIMITS_H
#define PEFT_EVAL_LIMITS_H

#include <stddef.h>

#include "base/err.h"

/*
 * --fail-below and --fail-above: limits of metrics by name, checked when
 * those were measured.
 */
enum { PEFT_MAXLIMIT = 16 };

struct peft_limit {
	const char	*metric;	/* points into argv */
	double		 value;
	int		 sign;		/* -1: fails below, 1: fails above */
};

struct peft_limits {
	struct peft_limit	 at[PEFT_MAXLIMIT];
	size_t			 n;
};

/* The value of a metric: 1, 0 not measured, -1 there is none of that name. */
typedef int	peft_metric(const void *ctx, const char *name, double *value);

/* For commands: "METRIC=VALUE" (cut at the '='), or die with PEFT_USAGE.  The
 * name is asked of `metric' with `none', where nothing is measured. */
void	peft_limits_add(struct peft_limits *, char *arg, int sign,
	    peft_metric *, const void *none);
/* PEFT_CHECK for the first that fails; `how' says how the others would be
 * measured. */
int	peft_limits_check(const struct peft_limits *, peft_metric *,
	    const void *ctx, const char *how, struct peft_err *)
	    PEFT_MUSTCHECK;

#endif
