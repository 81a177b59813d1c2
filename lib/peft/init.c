/* SPDX-License-Identifier: Apache-2.0 */
/* Shapes of tensors; and first values, as torch has them in distribution. */

#include "peft/method.h"

struct peft_shape
peft_shape1(const char *suffix, size_t n)
{
	return (struct peft_shape){ .suffix = suffix, .ndim = 1,
	    .shape = { n }, .decay = true };
}

struct peft_shape
peft_shape2(const char *suffix, size_t n, size_t m)
{
	return (struct peft_shape){ .suffix = suffix, .ndim = 2,
	    .shape = { n, m }, .decay = true };
}

struct peft_shape
peft_shape3(const char *suffix, size_t n, size_t m, size_t k)
{
	return (struct peft_shape){ .suffix = suffix, .ndim = 3,
	    .shape = { n, m, k }, .decay = true };
}

void
peft_init_const(float *value, size_t n, float c)
{
	size_t i;

	for (i = 0; i < n; i++)
		value[i] = c;
}

void
peft_init_normal(struct peft_rng rng, float *value, size_t n, double std)
{
	size_t i;

	for (i = 0; i < n; i++)
		value[i] = (float)(peft_rng_normal(rng, 0, i) * std);
}

/* In [-bound, bound).  kaiming_uniform(a = sqrt 5) is a bound of
 * 1 / sqrt(fan in). */
void
peft_init_uniform(struct peft_rng rng, float *value, size_t n, double bound)
{
	size_t i;

	for (i = 0; i < n; i++)
		value[i] = (float)((2 * peft_rng_uniform(rng, 0, i) - 1) *
		    bound);
}
