/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_ESTIMATE_H
#define PEFT_MODEL_ESTIMATE_H

#include <stddef.h>

#include "model/net.h"

/* What a token costs on its way through a net, to say how long steps will
 * take before there is one. */
struct peft_estimate {
	double	layers;		/* values of weights that it meets in them */
	double	head;		/* and in the head */
	double	passing;	/* floats that all other work of the layers
				 * passes over, forward alone */
	double	attention;	/* operations for each token it sees, in all
				 * layers, forward alone */
};

struct peft_estimate peft_net_estimate(const struct peft_net *);
/* Operations a second, forward and backward, that products of T tokens with
 * the largest weight of the first layer reach, measured: -1 on an error. */
double	peft_net_rate(struct peft_net *, size_t T, struct peft_err *);

#endif
