/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PEFT_MODEL_MLP_IMPL_H
#define PEFT_MODEL_MLP_IMPL_H

#include "model/net-impl.h"

/* forward.c: what the MLP of a layer norms, and by which. */
const struct peft_normal *peft_mlp_norm(const struct peft_run *,
	    size_t layer);
const float *peft_mlp_stream(const struct peft_run *,
	    const struct peft_saved *);

/* mlp-tiles.c: may the MLP of a layer be computed by tiles, forward or back;
 * the input of its last product; and backward run->dnormed from dy, without
 * run->normed, run->act, run->dact and s->gu having what they have else. */
bool	peft_mlp_is_tiled(struct peft_run *, size_t layer,
	    const struct peft_saved *, bool back);
const uint16_t *peft_mlp_tiled(struct peft_run *, size_t layer,
	    struct peft_saved *);
void	peft_mlp_tiled_back(struct peft_run *, size_t layer,
	    struct peft_saved *, float *dy);
/* What backward takes for run->normed, if it is not by tiles. */
const float *peft_mlp_rounded(struct peft_run *, size_t layer,
	    const float *x);

#endif
