/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Behind the keys and values of the last layer only those tokens matter that
 * predict something: the others' queries, MLP and output are left out, in
 * backward too, where their gradients would be zeros.
 */

#include <string.h>

#include "model/hooks-impl.h"
#include "model/net-impl.h"

/* Products over no more rows than this sum in another order (and are slow for
 * what they do): fewer rows are filled up with zeros, so that a token's
 * result does not tell how many others are asked for. */
enum { PEFT_KEPT_LEAST = 33 };

/* Does the last layer run over all rows, whatever is asked for?  What changes
 * the attention of a layer wants all of its rows, and who looks ahead knows
 * rows by their place. */
static bool
keeps_all(const struct peft_run *run)
{
	const struct peft_net *net = run->net;

	return run->caps.whole || net->sites.whole ||
	    net->sites.scouts != NULL ||
	    net->attention[net->config.layers - 1].hooks != NULL;
}

size_t
peft_kept_rows(const struct peft_run *run)
{
	size_t T = run->caps.tokens, n = run->caps.rows;

	if (n == 0 || keeps_all(run))
		return T;
	n = n > PEFT_KEPT_LEAST ? n : PEFT_KEPT_LEAST;
	return n < T ? n : T;
}

void
peft_kept_layout(struct peft_run *run)
{
	struct peft_kept *k = &run->kept;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens;
	size_t ranges = 2 * run->caps.seqs;	/* see invocation.c */

	k->token = peft_arena_get(a, run->rowcap, sizeof(*k->token));
	k->slot = peft_arena_get(a, T, sizeof(*k->slot));
	/* behind the layers' output there is no use for their input, but for
	 * that of branches side by side, and where hooks join them */
	k->x = !run->net->config.t.parallel && !peft_joins_hooked(run) ?
	    run->out : peft_arena_get(a, run->rowcap,
	    run->net->config.hidden * sizeof(float));
	k->all.ident = peft_arena_get(a, T, sizeof(uint64_t));
	k->view.ident = peft_arena_get(a, run->rowcap, sizeof(uint64_t));
	k->all.ranges = peft_arena_get(a, ranges, sizeof(*run->ranges));
	k->view.ranges = peft_arena_get(a, ranges, sizeof(*run->ranges));
	run->tile_ranges = peft_arena_get(a, ranges, sizeof(*run->ranges));
}

/* The ranges of adapters among the kept; padding is in the last of them. */
static void
set_ranges(const struct peft_run *run, struct peft_kept *k)
{
	struct peft_view *v = &k->view;
	size_t i, r = 0;

	v->nranges = 0;
	for (i = 0; i < k->n; i++) {
		while (k->token[i] >= run->ranges[r].first + run->ranges[r].n)
			r++;
		if (v->nranges == 0 || !peft_range_is(&v->ranges[v->nranges -
		    1], run->ranges[r].adapter, run->ranges[r].task))
			v->ranges[v->nranges++] = (struct peft_range){
			    run->ranges[r].adapter, run->ranges[r].task, i,
			    0 };
		v->ranges[v->nranges - 1].n++;
	}
	if (v->nranges == 0)
		v->ranges[v->nranges++] = (struct peft_range){
		    run->ranges[0].adapter, run->ranges[0].task, 0, 0 };
	v->ranges[v->nranges - 1].n += k->padded - k->n;
}

void
peft_keep(struct peft_run *run, size_t n)
{
	struct peft_kept *k = &run->kept;
	size_t i;

	k->n = k->padded = 0;
	for (i = 0; i < n; i++) {
		if (k->n == 0 || k->token[k->n - 1] != run->rows[i])
			k->token[k->n++] = run->rows[i];
		k->slot[i] = keeps_all(run) ? run->rows[i] : k->n - 1;
	}
	if (k->n == run->T || keeps_all(run))
		return;
	k->padded = k->n > PEFT_KEPT_LEAST ? k->n : PEFT_KEPT_LEAST;
	k->padded = k->padded < run->T ? k->padded : run->T;
	for (i = 0; i < k->padded; i++)
		k->view.ident[i] = i < k->n ? run->ident[k->token[i]] : 0;
	k->view.T = k->padded;
	set_ranges(run, k);
}

bool
peft_is_kept(const struct peft_run *run, size_t layer)
{
	return run->kept.padded > 0 && layer + 1 == run->net->config.layers;
}

void
peft_kept_view(struct peft_run *run, bool kept)
{
	struct peft_view to = kept ? run->kept.view : run->kept.all;

	if (kept)
		run->kept.all = (struct peft_view){ run->T, run->ranges,
		    run->nranges, run->ident };
	run->T = to.T;
	run->ranges = to.ranges;
	run->nranges = to.nranges;
	run->ident = to.ident;
}

void
peft_kept_gather(struct peft_run *run, float *y, const float *x, size_t ldx,
    size_t n)
{
	const struct peft_kept *k = &run->kept;
	size_t i;

	for (i = 0; i < k->n; i++)
		memcpy(y + i * n, x + k->token[i] * ldx, n * sizeof(*y));
	memset(y + k->n * n, 0, (k->padded - k->n) * n * sizeof(*y));
}

void
peft_kept_scatter(struct peft_run *run, float *y, size_t ldy, const float *x,
    size_t n, bool add)
{
	const struct peft_kept *k = &run->kept;
	size_t i;

	for (i = 0; i < k->n; i++)
		if (add)
			run->vec->add(y + k->token[i] * ldy, x + i * n, n);
		else
			memcpy(y + k->token[i] * ldy, x + i * n,
			    n * sizeof(*y));
}

void
peft_kept_begin(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	size_t D = run->net->config.hidden;

	if (!peft_is_kept(run, layer))
		return;
	peft_kept_gather(run, run->kept.x, s->x, D, D);
	s->x = run->kept.x;
	peft_kept_view(run, true);
}

/* In place: a row's place among all is none before that among the kept. */
static void
spread(const struct peft_kept *k, float *x, size_t T, size_t n)
{
	size_t i = k->n, t;

	for (t = T; t-- > 0;) {
		float *to = x + t * n;

		if (i > 0 && k->token[i - 1] == t)
			memmove(to, x + --i * n, n * sizeof(*x));
		else
			memset(to, 0, n * sizeof(*x));
	}
}

void
peft_kept_end(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	if (!peft_is_kept(run, layer))
		return;
	peft_kept_view(run, false);
	s->x = run->saved[layer].x;
	spread(&run->kept, run->dx, run->T, run->net->config.hidden);
}

/* The first of the kept that is no less than a token. */
static size_t
first_of(const struct peft_kept *k, size_t token)
{
	size_t lo = 0, hi = k->n, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (k->token[mid] < token)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct peft_asked
peft_asked(const struct peft_run *run, size_t layer, size_t node)
{
	const struct peft_node *n = &run->tree.nodes[node];
	const struct peft_kept *k = &run->kept;
	size_t lo, hi;

	if (!peft_is_kept(run, layer))
		return (struct peft_asked){ n->first, n->n, NULL };
	lo = first_of(k, n->first);
	hi = first_of(k, n->first + n->n);
	return (struct peft_asked){ lo, hi - lo, k->token + lo };
}
