/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks where attention, and where the MLP, is added to the stream. */

#include "model/hooks-impl.h"
#include "model/net-impl.h"

static struct peft_site *
site_of(const struct peft_run *run, size_t layer, int join)
{
	return &run->net->joins[layer * PEFT_NJOIN + (size_t)join];
}

bool
peft_join_hooked(const struct peft_run *run, size_t layer, int join)
{
	return site_of(run, layer, join)->hooks != NULL;
}

void
peft_join(struct peft_run *run, size_t layer, int join, struct peft_saved *s,
    const float *x, float *b)
{
	struct peft_site *site = site_of(run, layer, join);
	size_t D = run->net->config.hidden;

	if (site->hooks == NULL)
		return;
	peft_hooks_forward(run, site, run->ranges, run->nranges, run->ident,
	    x, D, b, D, s->join[join]);
	peft_check_finite(run, site->path, b, D, D);
}

void
peft_join_back(struct peft_run *run, size_t layer, int join,
    struct peft_saved *s, const float *x, float *db, float *dx)
{
	size_t D = run->net->config.hidden;

	peft_hooks_backward(run, site_of(run, layer, join), run->ranges,
	    run->nranges, run->ident, x, D, db, D, dx, D, s->join[join]);
}
