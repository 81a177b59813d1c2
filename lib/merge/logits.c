/* SPDX-License-Identifier: Apache-2.0 */
/* What logits say of the next token. */

#include <math.h>

#include "merge/logits.h"

double
peft_logsum(const float *x, size_t n)
{
	double max = (double)x[0], sum = 0;
	size_t i;

	for (i = 1; i < n; i++)
		max = (double)x[i] > max ? (double)x[i] : max;
	for (i = 0; i < n; i++)
		sum += exp((double)x[i] - max);
	/* cppcheck-suppress invalidFunctionArg -- at least exp(0) is in it */
	return max + log(sum);
}

double
peft_divergence(const float *p, const float *q, size_t n)
{
	double lp = peft_logsum(p, n), lq = peft_logsum(q, n), sum = 0, a;
	size_t i;

	for (i = 0; i < n; i++) {
		a = (double)p[i] - lp;
		sum += exp(a) * (a - ((double)q[i] - lq));
	}
	/* rounding may take it below; NaN must not look like 0 */
	return sum < 0 ? 0 : sum;
}
