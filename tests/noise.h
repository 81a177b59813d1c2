/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_NOISE_H
#define TESTS_NOISE_H

/* Memory, or the end of the test; and numbers between -1 and 1. */

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"

static inline void *
must(void *p)
{
	if (p == NULL) {
		puts("Bail out! no memory");
		exit(1);
	}
	return p;
}

static inline float *
noise(size_t n, size_t seed)
{
	struct peft_rng key = peft_rng_key(seed, "noise");
	float *x = must(malloc((n + 1) * sizeof(*x)));
	size_t i;

	for (i = 0; i < n; i++)
		x[i] = (float)(2 * peft_rng_uniform(key, 0, i) - 1);
	return x;
}

#endif
