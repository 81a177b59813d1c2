/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_MLP_IMPL_H
#define PEFT_MODEL_MLP_IMPL_H

#include "model/net-impl.h"

/* mlp-tiles.c: may the MLP of a layer be computed by tiles; y = its output
 * from x, and backward run->dnormed from x and dy, without run->act, run->dact
 * and s->gu having what they have else. */
bool	peft_mlp_is_tiled(struct peft_run *, size_t layer,
	    const struct peft_saved *);
void	peft_mlp_tiled(struct peft_run *, size_t layer, struct peft_saved *,
	    const float *x, float *y);
void	peft_mlp_tiled_back(struct peft_run *, size_t layer,
	    struct peft_saved *, const float *x, float *dy);

#endif
