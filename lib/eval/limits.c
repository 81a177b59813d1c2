/* SPDX-License-Identifier: Apache-2.0 */
/* Limits that a metric must keep. */

#include <string.h>

#include "base/opt.h"
#include "eval/limits.h"

void
peft_limits_add(struct peft_limits *l, char *arg, int sign,
    peft_metric *metric, const void *none)
{
	const char *opt = sign < 0 ? "--fail-below" : "--fail-above";
	char *eq = strchr(arg, '=');
	double value;

	if (eq == NULL)
		peft_die(PEFT_USAGE, "%s: '%s' is not METRIC=VALUE", opt, arg);
	if (l->n == PEFT_MAXLIMIT)
		peft_die(PEFT_USAGE, "%s: more than %d limits", opt,
		    PEFT_MAXLIMIT);
	*eq = '\0';
	if (metric(none, arg, &value) == -1)
		peft_die(PEFT_USAGE, "%s: no metric is called '%s'", opt, arg);
	l->at[l->n++] = (struct peft_limit){ arg, peft_optreal(opt, eq + 1,
	    -1e300, 1e300), sign };
}

int
peft_limits_check(const struct peft_limits *l, peft_metric *metric,
    const void *ctx, const char *how, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < l->n; i++) {
		const struct peft_limit *k = &l->at[i];
		double v;

		if (metric(ctx, k->metric, &v) != 1)
			return peft_setfail(err, PEFT_CHECK, "%s was not "
			    "measured (%s)", k->metric, how);
		if (!(k->sign < 0 ? v >= k->value : v <= k->value))
			return peft_setfail(err, PEFT_CHECK, "%s is %g, %s %g",
			    k->metric, v, k->sign < 0 ? "below" : "above",
			    k->value);
	}
	return 0;
}
