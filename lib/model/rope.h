/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_ROPE_H
#define PEFT_MODEL_ROPE_H

#include <stdbool.h>
#include <stddef.h>

#include "model/config.h"

/*
 * Rotary angles (Su et al. 2021): cos and sin of position * inverse
 * frequency, [n, rope_dim / 2] each, for positions first .. first+n-1, as
 * layers of kind `which' (0, or 1 with a window) have them, stretched as
 * config.json says.  Some ways of stretching depend on how long the sequence
 * is that a position is in (length); 0: as short as need be.
 */
void	peft_rope_table(const struct peft_config *, int which, size_t length,
	    size_t first, size_t n, float *cosv, float *sinv);
/* Does it depend on the length, for a sequence of that length? */
bool	peft_rope_varies(const struct peft_config *, size_t length);

#endif
