/* SPDX-License-Identifier: Apache-2.0 */
/* Calling what adapters have put on the experts of a layer, for the visitors
 * that use them. */

#include "model/hooks-impl.h"
#include "model/net-impl.h"

/* Rows that pass a stack in a micro-batch, at most. */
static size_t
rows_of(const struct peft_run *run, enum peft_stack which)
{
	return run->caps.tokens * (which == PEFT_STACK_ROUTER ? 1 :
	    run->net->config.top_k);
}

size_t
peft_stack_saved(const struct peft_run *run, enum peft_stack which, size_t l,
    size_t end)
{
	const struct peft_layer *layers = run->net->layers;
	size_t n, most = 0;

	for (; l < end; l++) {
		n = layers[l].stack == NULL ? 0 : peft_hooks_saved(
		    &layers[l].stack[which], rows_of(run, which));
		most = n > most ? n : most;
	}
	return most;
}

/* The next of an expert's visits, from row `at' on, whose tokens use one
 * adapter; n 0: there are no more.  Visits are in the order of tokens. */
static struct peft_range
stretch(const struct peft_run *run, const struct peft_visits *v, size_t at,
    size_t end)
{
	struct peft_range s = { -1, -1, at, 0 };
	const struct peft_range *r = run->ranges;

	if (at == end)
		return s;
	while (r < run->ranges + run->nranges - 1 && (v->token[at] < r->first ||
	    v->token[at] >= r->first + r->n))
		r++;
	s.adapter = r->adapter;
	s.task = r->task;
	while (at + s.n < end && v->token[at + s.n] >= r->first &&
	    v->token[at + s.n] < r->first + r->n)
		s.n++;
	return s;
}

static struct peft_hook_call
call_of(struct peft_run *run, const struct peft_range *r, size_t expert,
    const float *x, size_t ldx, float *saved)
{
	return (struct peft_hook_call){ .cpu = run->net->cpu, .T = r->n,
	    .ident = run->vident + r->first, .x = x + r->first * ldx,
	    .ldx = ldx, .saved = saved, .scratch = run->hook,
	    .product = run->product, .train = run->train, .step = run->step,
	    .expert = expert, .task = r->task };
}

static size_t
saved_of(const struct peft_hook *h, size_t rows)
{
	return h->ops->saved == NULL ? 0 : h->ops->saved(h->self, rows);
}

/* One way: dy NULL is forward. */
struct pass {
	const float	*x, *dy;
	float		*y, *dx;
	size_t		 ldx, lddy, ldy, lddx;
};

/* Each hook on the rows of expert e whose tokens use its adapter. */
static void
each(struct peft_run *run, size_t layer, enum peft_stack which,
    const struct peft_visits *v, size_t e, const struct pass *p)
{
	struct peft_hook *h = run->net->layers[layer].stack[which].hooks;
	size_t end = v->first[e + 1];
	float *saved = v->hook[which];

	for (; h != NULL; h = h->next) {
		struct peft_range r = stretch(run, v, v->first[e], end);

		for (; r.n > 0; r = stretch(run, v, r.first + r.n, end)) {
			struct peft_hook_call call = call_of(run, &r, e, p->x,
			    p->ldx, saved + saved_of(h, r.first));

			if (r.adapter != h->adapter)
				continue;
			if (p->dy == NULL)
				h->ops->forward(h->self, &call,
				    p->y + r.first * p->ldy, p->ldy);
			else
				h->ops->backward(h->self, &call,
				    p->dy + r.first * p->lddy, p->lddy,
				    p->dx + r.first * p->lddx, p->lddx);
		}
		saved += saved_of(h, rows_of(run, which));
	}
}

void
peft_stack_forward(struct peft_run *run, size_t layer, enum peft_stack which,
    const struct peft_visits *v, size_t e, const float *x, size_t ldx,
    float *y, size_t ldy)
{
	each(run, layer, which, v, e, &(struct pass){ .x = x, .ldx = ldx,
	    .y = y, .ldy = ldy });
}

void
peft_stack_backward(struct peft_run *run, size_t layer,
    enum peft_stack which, const struct peft_visits *v, size_t e,
    const float *x, size_t ldx, const float *dy, size_t lddy, float *dx,
    size_t lddx)
{
	each(run, layer, which, v, e, &(struct pass){ .x = x, .ldx = ldx,
	    .dy = dy, .lddy = lddy, .dx = dx, .lddx = lddx });
}
