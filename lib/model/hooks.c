/* SPDX-License-Identifier: Apache-2.0 */
/* Calling what adapters have put on a site, for the rows that use them. */

#include <string.h>

#include "model/hooks-impl.h"
#include "model/net-impl.h"

/* What a hook keeps or needs in passing; most have nothing of one kind. */
static size_t
floats_of(const struct peft_hook *h, size_t (*ask)(const void *, size_t),
    size_t T)
{
	return ask == NULL ? 0 : ask(h->self, T);
}

size_t
peft_hooks_saved(const struct peft_site *site, size_t T)
{
	const struct peft_hook *h;
	size_t n = 0;

	for (h = site->hooks; h != NULL; h = h->next)
		n += floats_of(h, h->ops->saved, T);
	return n;
}

/* Hooks run one after the other, so they share their scratch. */
size_t
peft_hooks_scratch(const struct peft_site *site, size_t T)
{
	const struct peft_hook *h;
	size_t n, most = 0;

	for (h = site->hooks; h != NULL; h = h->next)
		if ((n = floats_of(h, h->ops->scratch, T)) > most)
			most = n;
	return most;
}

struct peft_hook_call
peft_hook_at(struct peft_run *run, const struct peft_range *r,
    const uint64_t *ident, const float *x, size_t ldx, float *saved)
{
	return (struct peft_hook_call){ .cpu = run->net->cpu, .T = r->n,
	    .task = r->task, .first = r->first, .scouting = run->scouting,
	    .ident = ident + r->first,
	    .x = x == NULL ? NULL : x + r->first * ldx, .ldx = ldx,
	    .ids = run->ids + r->first, .saved = saved,
	    .scratch = run->hook, .product = run->product,
	    .hidden = run->hidden, .halves = run->halves,
	    .train = run->train, .step = run->step };
}

void
peft_hooks_forward(struct peft_run *run, const struct peft_site *site,
    const struct peft_range *ranges, size_t nranges, const uint64_t *ident,
    const float *x, size_t ldx, float *y, size_t ldy, float *saved)
{
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	struct peft_hook *h;
	size_t i;

	for (h = site->hooks; h != NULL; h = h->next) {
		for (i = 0; h->ops->forward != NULL && i < nranges; i++) {
			const struct peft_range *r = &ranges[i];
			struct peft_hook_call call = peft_hook_at(run, r, ident,
			    x, ldx, saved + floats_of(h, h->ops->saved,
			    r->first));

			if (r->adapter == h->adapter)
				h->ops->forward(h->self, &call,
				    y + r->first * ldy, ldy);
		}
		saved += floats_of(h, h->ops->saved, run->caps.tokens);
	}
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ADAPTER, 0, 0);
}

void
peft_hooks_undo(struct peft_run *run, const struct peft_site *site,
    const float *x, size_t ldx, float *y, size_t ldy)
{
	struct peft_hook *h;
	size_t i;

	for (h = site->hooks; h != NULL; h = h->next)
		for (i = 0; h->ops->undo != NULL && i < run->nranges; i++) {
			const struct peft_range *r = &run->ranges[i];
			struct peft_hook_call call = peft_hook_at(run, r,
			    run->ident, x, ldx, NULL);

			if (r->adapter == h->adapter)
				h->ops->undo(h->self, &call,
				    y + r->first * ldy, ldy);
		}
}

void
peft_hooks_hear(struct peft_run *run, const struct peft_site *site,
    const struct peft_range *r, const float *x, size_t ldx)
{
	struct peft_hook_call call = { .cpu = run->net->cpu, .T = r->n,
	    .x = x + r->first * ldx, .ldx = ldx, .scouting = run->scouting };
	struct peft_hook *h;

	for (h = site->hooks; r->n > 0 && h != NULL; h = h->next)
		if (h->ops->forward != NULL && r->adapter == h->adapter)
			h->ops->forward(h->self, &call, NULL, 0);
}

void
peft_hooks_backward(struct peft_run *run, const struct peft_site *site,
    const struct peft_range *ranges, size_t nranges, const uint64_t *ident,
    const float *x, size_t ldx, const float *dy, size_t lddy, float *dx,
    size_t lddx, float *saved)
{
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	struct peft_hook *h;
	size_t i;

	for (h = site->hooks; h != NULL; h = h->next) {
		for (i = 0; h->ops->backward != NULL && i < nranges; i++) {
			const struct peft_range *r = &ranges[i];
			struct peft_hook_call call = peft_hook_at(run, r, ident,
			    x, ldx, saved + floats_of(h, h->ops->saved,
			    r->first));

			call.dbranch = site->kind == PEFT_JOIN ?
			    (float *)(uintptr_t)dy + r->first * lddy : NULL;
			if (r->adapter == h->adapter)
				h->ops->backward(h->self, &call,
				    dy + r->first * lddy, lddy,
				    dx == NULL ? NULL : dx + r->first * lddx,
				    lddx);
		}
		saved += floats_of(h, h->ops->saved, run->caps.tokens);
	}
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ADAPTER_BACK, 0, 0);
}

bool
peft_hooks_have(const struct peft_site *site, enum peft_op_kind what)
{
	const struct peft_hook *h;

	for (h = site->hooks; h != NULL; h = h->next)
		if (what == PEFT_HAS_INPUT ? h->ops->input != NULL :
		    what == PEFT_HAS_OUTPUT ? h->ops->output_back != NULL :
		    h->ops->vector != NULL)
			return true;
	return false;
}

/* The n-th hook, from 1 on, or NULL; *at: where what it saved begins. */
static struct peft_hook *
hook_at(const struct peft_site *site, size_t T, size_t n, size_t *at)
{
	struct peft_hook *h = n == 0 ? NULL : site->hooks;

	for (*at = 0; h != NULL && --n > 0; h = h->next)
		*at += floats_of(h, h->ops->saved, T);
	return h;
}

void
peft_hooks_output_back(struct peft_run *run, const struct peft_site *site,
    const struct peft_range *ranges, size_t nranges, const uint64_t *ident,
    const float *x, size_t ldx, float *dy, size_t lddy, float *saved)
{
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	struct peft_hook *h;
	size_t i, n, at;

	/* the last of them found what those before it had made */
	for (n = 0, h = site->hooks; h != NULL; h = h->next)
		n++;
	for (; (h = hook_at(site, run->caps.tokens, n, &at)) != NULL; n--)
		for (i = 0; h->ops->output_back != NULL && i < nranges; i++) {
			const struct peft_range *r = &ranges[i];
			struct peft_hook_call call = peft_hook_at(run, r, ident,
			    x, ldx, saved + at + floats_of(h, h->ops->saved,
			    r->first));

			if (r->adapter == h->adapter)
				h->ops->output_back(h->self, &call,
				    dy + r->first * lddy, lddy);
		}
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ADAPTER_BACK, 0, 0);
}

/* The hook of an adapter that changes a site's input, or a norm's vectors:
 * there is at most one. */
static struct peft_hook *
hook_of(const struct peft_site *site, int adapter, enum peft_op_kind what)
{
	struct peft_hook *h;

	for (h = site->hooks; h != NULL; h = h->next)
		if (h->adapter == adapter && (what == PEFT_HAS_INPUT ?
		    h->ops->input != NULL : h->ops->vector != NULL))
			return h;
	return NULL;
}

static void
copy_rows(float *y, size_t ldy, const float *x, size_t ldx, size_t T,
    size_t n, const struct peft_vec *add)
{
	for (; T > 0; T--, y += ldy, x += ldx)
		if (add != NULL)
			add->add(y, x, n);
		else
			memcpy(y, x, n * sizeof(*y));
}

const float *
peft_hooks_input(struct peft_run *run, const struct peft_site *site,
    const struct peft_range *ranges, size_t nranges, const uint64_t *ident,
    const float *x, size_t *ldx)
{
	size_t i, in = site->in;
	float *y = run->input;
	struct peft_lap lap;

	if (!peft_hooks_have(site, PEFT_HAS_INPUT))
		return x;
	lap = peft_lap_begin(run->net->cpu);
	for (i = 0; i < nranges; i++) {
		const struct peft_range *r = &ranges[i];
		struct peft_hook *h = hook_of(site, r->adapter,
		    PEFT_HAS_INPUT);
		struct peft_hook_call call = peft_hook_at(run, r, ident, x,
		    *ldx, NULL);

		if (h != NULL)
			h->ops->input(h->self, &call, y + r->first * in, in);
		else
			copy_rows(y + r->first * in, in, call.x, *ldx, r->n,
			    in, NULL);
	}
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ADAPTER, 0, 0);
	*ldx = in;
	return y;
}

void
peft_hooks_input_back(struct peft_run *run, const struct peft_site *site,
    const struct peft_range *ranges, size_t nranges, const uint64_t *ident,
    const float *x, size_t ldx, const float *dy, float *dx, size_t lddx)
{
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	size_t i, in = site->in;

	for (i = 0; i < nranges; i++) {
		const struct peft_range *r = &ranges[i];
		struct peft_hook *h = hook_of(site, r->adapter,
		    PEFT_HAS_INPUT);
		struct peft_hook_call call = peft_hook_at(run, r, ident, x, ldx,
		    NULL);
		float *to = dx == NULL ? NULL : dx + r->first * lddx;

		if (h != NULL)
			h->ops->input_back(h->self, &call,
			    dy + r->first * in, in, to, lddx);
		else if (to != NULL)
			copy_rows(to, lddx, dy + r->first * in, in, r->n, in,
			    run->vec);
	}
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_ADAPTER_BACK, 0, 0);
}

struct peft_vectors
peft_hooks_vectors(const struct peft_normal *norm, int adapter)
{
	struct peft_hook *h = hook_of(norm->site, adapter, PEFT_HAS_VECTOR);
	struct peft_vectors v = { .w = norm->w, .b = norm->b };

	if (h != NULL) {
		v.w = h->ops->vector(h->self, false, &v.dw);
		if (norm->b != NULL)
			v.b = h->ops->vector(h->self, true, &v.db);
	}
	return v;
}

/* Floats a row where hooks make an input, or the gradients of outputs, of
 * their own: those of a layer that share an input come together. */
size_t
peft_hooks_width(const struct peft_run *run, enum peft_op_kind what)
{
	size_t i, n = 0, most = 0;
	int layer = -1;

	for (i = 0; i < run->net->sites.n; i++) {
		const struct peft_site *s = &run->net->sites.at[i];

		if (s->kind == PEFT_HEAD || !peft_hooks_have(s, what))
			continue;
		n = what == PEFT_HAS_INPUT ? s->in : s->out +
		    (s->layer == layer ? n : 0);
		layer = s->layer;
		most = n > most ? n : most;
	}
	return most;
}
