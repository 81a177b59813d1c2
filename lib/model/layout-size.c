/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that a layout asks for. */

#include "model/beside-impl.h"
#include "model/hooks-impl.h"
#include "model/net-impl.h"
#include "quant/few.h"

/* Bytes of logits at a time, with what is made of them: the head's weight is
 * expanded for each tile, forward and backward.  At least so many rows that
 * tiles of the same size are not few tokens, whose sums are in another order,
 * where all of them together are not. */
enum { TILE_BYTES = 84 << 20, TILE_MIN = 2 * (PEFT_FEW_TOKENS + 1),
	TILE_MAX = 512 };

/* Bytes that a product makes of each gradient of a logit. */
static size_t
logit_copy(const struct peft_run *run)
{
	return peft_product_copy(run->net->cpu, peft_run_logits_over(run));
}

/* Tiles of the same size, as few as there can be. */
size_t
peft_run_tile(const struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	size_t rows = peft_kept_rows(run), most, n;
	size_t copy = run->caps.train ? logit_copy(run) : 0;

	if (run->caps.train && c->t.final_cap > 0)
		copy += sizeof(float);
	most = (run->caps.tight ? TILE_BYTES / 2 : TILE_BYTES) /
	    (c->outputs * (sizeof(float) + copy));
	most = most < TILE_MIN ? TILE_MIN : most > TILE_MAX ? TILE_MAX : most;
	n = (rows + most - 1) / most;
	return (rows + n - 1) / n;
}

/* What the hooks of a slot keep, at most, in layers l .. end. */
size_t
peft_run_hook_saved(const struct peft_run *run, int slot, size_t l, size_t end)
{
	const struct peft_layer *layers = run->net->layers;
	const struct peft_site *site;
	size_t n, most = 0;

	for (; l < end; l++) {
		site = layers[l].lin[slot].site != NULL ?
		    layers[l].lin[slot].site : layers[l].norm[slot].site;
		n = site == NULL ? 0 : peft_hooks_saved(site,
		    run->caps.tokens);
		most = n > most ? n : most;
	}
	return most;
}

/* Do two linears have the same input, so that they are multiplied at once? */
static bool
share(const struct peft_site *a, const struct peft_site *b)
{
	return a->layer == b->layer && a->kind == b->kind && a->in == b->in &&
	    (a->kind == PEFT_EXPERT || (a->slot == PEFT_Q &&
	    (b->slot == PEFT_K || b->slot == PEFT_V)) ||
	    (a->slot == PEFT_GATE && b->slot == PEFT_UP));
}

/* Rows of a linear's weight, and of those that are multiplied with it. */
static size_t
rows_at_once(const struct peft_sites *s, size_t i)
{
	size_t rows = s->at[i].out, k;

	for (k = i + 1; k < s->n && k < i + PEFT_SHARING; k++)
		if (share(&s->at[i], &s->at[k]))
			rows += s->at[k].out;
	return rows;
}

/* A weight stored [in, out] is multiplied the other way round: room for
 * either. */
size_t
peft_run_product_scratch(const struct peft_run *run)
{
	const struct peft_sites *s = &run->net->sites;
	size_t i, n, rows, T, most = 0, beside = peft_beside_width(run);
	size_t own = peft_hooks_rows(s);

	for (i = 0; i < s->n; i++) {
		const struct peft_site *site = &s->at[i];
		bool turned = peft_site_is_turned(site);

		if (site->kind == PEFT_NORM || (site->kind ==
		    PEFT_EMBEDDING && site->hooks == NULL) ||
		    site->kind == PEFT_POSITION)
			continue;
		T = site->kind == PEFT_HEAD ? peft_run_tile(run) :
		    run->caps.tokens;
		T = T > own ? T : own;
		rows = turned ? site->in : rows_at_once(s, i);
		if (site->kind == PEFT_HEAD && logit_copy(run) == 0)
			rows = 0;
		n = peft_product_scratch(run->net->cpu, rows,
		    turned ? site->out : site->in, beside, T);
		most = n > most ? n : most;
	}
	return most;
}

size_t
peft_run_hook_scratch(const struct peft_run *run)
{
	size_t i, n, most = 0;

	for (i = 0; i < run->net->sites.n; i++) {
		n = peft_hooks_scratch(&run->net->sites.at[i],
		    run->caps.tokens);
		most = n > most ? n : most;
	}
	return most;
}
