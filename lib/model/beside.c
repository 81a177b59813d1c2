/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters of low rank beside the weight they adapt: what they add is summed
 * in the same product as x W^T and dy W, so that x, dy and y are walked
 * through (and rounded) once.  So they are as exact, and take the same way, as
 * the frozen weight's product; but with int8, which is for frozen weights
 * alone, as what is dense.
 */

#include "model/beside-impl.h"
#include "model/hooks-impl.h"

/* Its hook is one for all rows of the batch, and of low rank. */
static bool
is_beside(struct peft_run *run, const struct peft_site *site, const float *x,
    size_t ldx, float *saved, struct peft_thin *w)
{
	const struct peft_hook *h = site->hooks;
	const struct peft_range *r = run->ranges;
	struct peft_hook_call call;

	if (h == NULL || h->next != NULL || h->ops->thin == NULL ||
	    site->transposed || run->nranges != 1 || r->first != 0 ||
	    r->n != run->T || r->adapter != h->adapter)
		return false;
	call = peft_hook_at(run, r, run->ident, x, ldx, saved);
	return h->ops->thin(h->self, &call, w);
}

bool
peft_is_alone(struct peft_run *run, const struct peft_site *site)
{
	struct peft_thin w;

	return site->hooks == NULL || (is_beside(run, site, NULL, 0, NULL,
	    &w) && w.alone);
}

void
peft_beside(struct peft_run *run, struct peft_low *low,
    const struct peft_linear *lin, float *const *saved, const float *x,
    size_t ldx, size_t n, bool back)
{
	float *own = run->dhidden;
	struct peft_thin w;
	size_t i;

	for (i = 0; i < n; i++) {
		low[i] = (struct peft_low){ 0 };
		if (!is_beside(run, lin[i].site, x, ldx, saved[i], &w))
			continue;
		low[i] = (struct peft_low){ w.r, w.a, w.b, w.scale,
		    back ? own : saved[i], own };
		own += run->T * w.r;
	}
}

size_t
peft_beside_width(const struct peft_run *run)
{
	const struct peft_sites *s = &run->net->sites;
	const struct peft_hook *h;
	struct peft_thin w;
	size_t i, most = 0;

	for (i = 0; i < s->n; i++)
		for (h = s->at[i].hooks; h != NULL; h = h->next)
			if (h->ops->thin != NULL && h->ops->thin(h->self,
			    NULL, &w) && w.r > most)
				most = w.r;
	return PEFT_SHARING * most;
}
