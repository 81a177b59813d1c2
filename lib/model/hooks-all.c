/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of all that adapters have put on a model at once. */

#include "model/hooks-impl.h"
#include "model/net-impl.h"

/* On all sites, and for virtual tokens. */
static void
each(struct peft_run *run, bool end)
{
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	struct peft_sites *s = &run->net->sites;
	struct peft_virtual *v;
	struct peft_scout *c;
	struct peft_hook *h;
	size_t i;

	for (i = 0; i < s->n; i++)
		for (h = s->at[i].hooks; h != NULL; h = h->next)
			if (!end && h->ops->begin != NULL)
				h->ops->begin(h->self, run->net->cpu,
				    run->product);
			else if (end && h->ops->end != NULL)
				h->ops->end(h->self, run->net->cpu);
	for (v = s->virtuals; v != NULL; v = v->next)
		if (!end && v->ops->begin != NULL)
			v->ops->begin(v->self, run->net->cpu, run->product);
		else if (end && v->ops->end != NULL)
			v->ops->end(v->self, run->net->cpu);
	for (c = s->scouts; c != NULL; c = c->next)
		if (!end && c->ops->begin != NULL)
			c->ops->begin(c->self, run->net->cpu, run->product);
		else if (end && c->ops->end != NULL)
			c->ops->end(c->self, run->net->cpu);
	peft_lap_end(run->net->cpu, &lap, end ? PEFT_WORK_ADAPTER_BACK :
	    PEFT_WORK_ADAPTER, 0, 0);
}

void
peft_hooks_begin(struct peft_run *run)
{
	each(run, false);
}

void
peft_hooks_end(struct peft_run *run)
{
	each(run, true);
}

bool
peft_hook_always(const void *self)
{
	(void)self;
	return true;
}

bool
peft_hooks_read(const struct peft_site *site)
{
	const struct peft_hook *h;

	for (h = site->hooks; h != NULL; h = h->next)
		if (h->ops->reads != NULL && h->ops->reads(h->self))
			return true;
	return false;
}

size_t
peft_hooks_rows(const struct peft_sites *s)
{
	const struct peft_hook *h;
	size_t i, n, most = 0;

	for (i = 0; i < s->n; i++)
		for (h = s->at[i].hooks; h != NULL; h = h->next) {
			n = h->ops->rows == NULL ? 0 : h->ops->rows(h->self);
			most = n > most ? n : most;
		}
	return most;
}

size_t
peft_hooks_memory(const struct peft_sites *s)
{
	const struct peft_virtual *v;
	const struct peft_scout *c;
	const struct peft_hook *h;
	size_t i, n = 0;

	for (i = 0; i < s->n; i++)
		for (h = s->at[i].hooks; h != NULL; h = h->next)
			if (h->ops->memory != NULL)
				n += h->ops->memory(h->self);
	for (v = s->virtuals; v != NULL; v = v->next)
		if (v->ops->memory != NULL)
			n += v->ops->memory(v->self);
	for (c = s->scouts; c != NULL; c = c->next)
		if (c->ops->memory != NULL)
			n += c->ops->memory(c->self);
	return n;
}
