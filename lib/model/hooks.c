/* SPDX-License-Identifier: Apache-2.0 */
/* Calling what adapters have put on a site, for the rows that use them. */

#include "model/net-impl.h"

size_t
peft_hooks_saved(const struct peft_site *site, size_t T)
{
	const struct peft_hook *h;
	size_t n = 0;

	for (h = site->hooks; h != NULL; h = h->next)
		n += h->ops->saved(h->self, T);
	return n;
}

/* Hooks run one after the other, so they share their scratch. */
size_t
peft_hooks_scratch(const struct peft_site *site, size_t T)
{
	const struct peft_hook *h;
	size_t n, most = 0;

	for (h = site->hooks; h != NULL; h = h->next)
		if ((n = h->ops->scratch(h->self, T)) > most)
			most = n;
	return most;
}

static struct peft_hook_call
call_of(struct peft_run *run, const struct peft_range *r,
    const uint64_t *ident, const float *x, size_t ldx, float *saved)
{
	return (struct peft_hook_call){ .cpu = run->net->cpu, .T = r->n,
	    .ident = ident + r->first, .x = x + r->first * ldx, .ldx = ldx,
	    .saved = saved, .scratch = run->hook, .product = run->product,
	    .train = run->train,
	    .step = run->step };
}

void
peft_hooks_forward(struct peft_run *run, const struct peft_site *site,
    const struct peft_range *ranges, size_t nranges, const uint64_t *ident,
    const float *x, size_t ldx, float *y, size_t ldy, float *saved)
{
	struct peft_hook *h;
	size_t i;

	for (h = site->hooks; h != NULL; h = h->next) {
		for (i = 0; i < nranges; i++) {
			const struct peft_range *r = &ranges[i];
			struct peft_hook_call call = call_of(run, r, ident,
			    x, ldx, saved + h->ops->saved(h->self, r->first));

			if (r->adapter == h->adapter)
				h->ops->forward(h->self, &call,
				    y + r->first * ldy, ldy);
		}
		saved += h->ops->saved(h->self, run->caps.tokens);
	}
}

void
peft_hooks_backward(struct peft_run *run, const struct peft_site *site,
    const struct peft_range *ranges, size_t nranges, const uint64_t *ident,
    const float *x, size_t ldx, const float *dy, size_t lddy, float *dx,
    size_t lddx, float *saved)
{
	struct peft_hook *h;
	size_t i;

	for (h = site->hooks; h != NULL; h = h->next) {
		for (i = 0; i < nranges; i++) {
			const struct peft_range *r = &ranges[i];
			struct peft_hook_call call = call_of(run, r, ident,
			    x, ldx, saved + h->ops->saved(h->self, r->first));

			if (r->adapter == h->adapter)
				h->ops->backward(h->self, &call,
				    dy + r->first * lddy, lddy,
				    dx == NULL ? NULL : dx + r->first * lddx,
				    lddx);
		}
		saved += h->ops->saved(h->self, run->caps.tokens);
	}
}
