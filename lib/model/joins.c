/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks where attention, and where the MLP, is added to the stream; and on
 * the keys and values of virtual tokens. */

#include "model/hooks-impl.h"
#include "model/net-impl.h"

static struct peft_site *
site_of(const struct peft_run *run, size_t layer, int join)
{
	return &run->net->joins[layer * PEFT_NJOIN + (size_t)join];
}

void
peft_run_join_saved(struct peft_run *run, struct peft_saved *s, int join,
    size_t l, size_t end)
{
	size_t n, most = 0;

	for (; l < end; l++) {
		n = peft_hooks_saved(site_of(run, l, join), run->caps.tokens);
		most = n > most ? n : most;
	}
	s->join[join] = peft_arena_get(&run->arena, most, sizeof(float));
}

bool
peft_joins_hooked(const struct peft_run *run)
{
	size_t i;

	for (i = 0; i < run->net->config.layers * PEFT_NJOIN; i++)
		if (run->net->joins[i].hooks != NULL)
			return true;
	return false;
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

bool
peft_hooks_keys(struct peft_run *run, const struct peft_site *site,
    const float *x, float *y)
{
	size_t D = run->net->config.hidden, ld = run->net->at.ld, i;
	struct peft_hook *h;
	bool any = false;

	for (h = site->hooks; h != NULL; h = h->next)
		for (i = 0; h->ops->keys != NULL && i < run->nranges; i++) {
			const struct peft_range *r = &run->ranges[i];
			struct peft_hook_call call = peft_hook_at(run, r,
			    run->ident, x, D, NULL);

			any = true;
			if (r->adapter == h->adapter && y != NULL)
				h->ops->keys(h->self, &call, y + r->first *
				    ld, ld);
		}
	return any;
}

void
peft_hooks_keys_back(struct peft_run *run, const struct peft_site *site,
    const float *x, const float *y, float *dy, float *dx)
{
	size_t D = run->net->config.hidden, ld = run->net->at.ld, i;
	struct peft_hook *h;

	for (h = site->hooks; h != NULL; h = h->next)
		for (i = 0; h->ops->keys_back != NULL && i < run->nranges;
		    i++) {
			const struct peft_range *r = &run->ranges[i];
			struct peft_hook_call call = peft_hook_at(run, r,
			    run->ident, x, D, NULL);

			if (r->adapter == h->adapter)
				h->ops->keys_back(h->self, &call, y +
				    r->first * ld, dy + r->first * ld, ld,
				    dx + r->first * D, D);
		}
}
