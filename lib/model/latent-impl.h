/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_LATENT_IMPL_H
#define PEFT_MODEL_LATENT_IMPL_H

#include "model/net-impl.h"

/* latent.c: queries, keys and values (not turned yet) where keys and values
 * come through a narrow product; x is the attention norm's output. */
void	peft_latent(struct peft_run *, size_t layer, struct peft_saved *,
	    const float *x);
void	peft_latent_back(struct peft_run *, size_t layer, struct peft_saved *,
	    const float *x, float *dx);

#endif
