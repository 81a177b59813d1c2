/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_EVAL_SAMPLE_H
#define PEFT_EVAL_SAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/rng.h"

/*
 * Choosing the next token.  temperature 0: the most likely one.  Otherwise,
 * in transformers' order: logits / temperature, the top_k most likely (0:
 * all), then the fewest whose probabilities reach top_p (1: all; nucleus
 * sampling, Holtzman et al. 2020).
 */
struct peft_sampling {
	double		 temperature, top_p;
	size_t		 top_k;
	struct peft_rng	 rng;		/* keyed by the user's seed */
};

/* The token for step `step' of request `request': the random number depends
 * on seed, request and step only.  order: scratch of n indices.  logits are
 * overwritten. */
int32_t	peft_sample(const struct peft_sampling *, float *logits, size_t n,
	    uint64_t request, uint64_t step, uint32_t *order);

#endif
