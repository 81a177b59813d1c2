/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_ESTIMATE_H
#define PEFT_MODEL_ESTIMATE_H

#include <stddef.h>

#include "model/net.h"
#include "model/parts.h"

/* What a token costs on its way through layers, forward alone. */
struct peft_passage {
	double	products;	/* values of weights that it meets in them */
	double	passing;	/* floats that all other work passes over */
	double	attention;	/* operations for each token it sees */
};

/* To say how long steps will take before there is one. */
struct peft_estimate {
	struct peft_passage layers;	/* all of them */
	struct peft_passage part[PEFT_NPART];	/* of one, made again */
	double	head;		/* values of its weight */
};

struct peft_estimate peft_net_estimate(const struct peft_net *);
/* Operations a second, forward and backward, that products of T tokens (fewer
 * if that would take seconds) with the largest weight of the first layer
 * reach, measured: -1 on an error. */
double	peft_net_rate(struct peft_net *, size_t T, struct peft_err *);

#endif
