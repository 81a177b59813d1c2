/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adapters of low rank beside the weight they adapt: h = x A^T is computed in
 * the same product as x W^T, so that x is walked through (and rounded) once,
 * and what is due to dx by dh A in the same as dy W.  So they are as exact,
 * and take the same way, as the frozen weight's product; with int8, which is
 * for frozen weights alone, they stay apart.
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
	    r->n != run->T || r->adapter != h->adapter ||
	    peft_cpu_computes(run->net->cpu) !=
	    peft_cpu_computes_dense(run->net->cpu))
		return false;
	call = peft_hook_at(run, r, run->ident, x, ldx, saved);
	return h->ops->thin(h->self, &call, w);
}

/* The product of A [r, in] behind those that are there. */
static void
append(struct peft_beside *b, const struct peft_thin *w, float *y)
{
	struct peft_weight *a = &b->a[b->n - b->linears];

	*a = (struct peft_weight){ .dtype = PEFT_F32, .ndim = 2, .rows = w->r,
	    .cols = w->in, .nelem = w->r * w->in, .data = w->a };
	b->p[b->n++] = (struct peft_product){ a, y, w->r };
}

static void
begin(struct peft_beside *b, const struct peft_product *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		b->p[i] = p[i];
		b->hidden[i] = NULL;
	}
	b->n = b->linears = n;
}

void
peft_beside_forward(struct peft_run *run, struct peft_beside *b,
    const struct peft_linear *lin, float *const *saved, const float *x,
    size_t ldx, const struct peft_product *p, size_t n)
{
	struct peft_thin w;
	size_t i;

	begin(b, p, n);
	for (i = 0; i < n; i++)
		if (is_beside(run, lin[i].site, x, ldx, saved[i], &w))
			append(b, &w, b->hidden[i] = saved[i]);
}

/* dh = s dy B */
static void
hidden_back(struct peft_run *run, const struct peft_thin *w,
    const struct peft_product *dy, float *dh)
{
	const struct peft_dense d = { w->b, w->out, w->r, w->r };
	struct peft_lap lap = peft_lap_begin(run->net->cpu);

	peft_dense_backward(run->net->cpu, dh, w->r, run->T, &d, false, dy->y,
	    dy->ldy, run->product);
	run->vec->scale(dh, w->scale, run->T * w->r);
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ADAPTER_BACK, 0, 0);
}

void
peft_beside_backward(struct peft_run *run, struct peft_beside *b,
    const struct peft_linear *lin, float *const *saved, const float *x,
    size_t ldx, const struct peft_product *dy, size_t n)
{
	struct peft_thin w;
	float *dh = run->dhidden;
	size_t i;

	begin(b, dy, n);
	for (i = 0; i < n; i++) {
		if (!is_beside(run, lin[i].site, x, ldx, saved[i], &w))
			continue;
		hidden_back(run, &w, &dy[i], dh);
		append(b, &w, b->hidden[i] = dh);
		dh += run->T * w.r;
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
