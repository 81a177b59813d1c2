/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_ROPE_H
#define PEFT_MODEL_ROPE_H

#include <stddef.h>

#include "model/config.h"

/* cos and sin of position * inverse frequency: [n, head_dim / 2] each, for
 * positions 0 .. n-1 (Su et al. 2021; half-split as in transformers). */
void	peft_rope_table(const struct peft_config *, size_t n, float *cosv,
	    float *sinv);

#endif
