/* SPDX-License-Identifier: Apache-2.0 */
/* Where everything of a run lies in its arena; counted before it is there. */

#include "model/beside-impl.h"
#include "model/experts.h"
#include "model/hooks-impl.h"
#include "model/rope.h"

static float *
floats(struct peft_arena *a, size_t rows, size_t cols)
{
	return peft_arena_get(a, rows, cols * sizeof(float));
}

static bool
has(const struct peft_run *run, uint32_t slots)
{
	return run->net->config.t.has & slots;
}

/* Rows of a matrix of the last layer, which others may use.  (It itself needs
 * only those that are kept, behind its keys and values.) */
static size_t
shared_rows(const struct peft_run *run, int saved)
{
	size_t l, n = run->net->config.layers;

	for (l = 0; l + 1 < n; l++)
		if (peft_waits(run, l, saved) != PEFT_WAIT_WHOLE)
			return run->caps.tokens;
	return saved < PEFT_SAVED_ATTN ? run->caps.tokens : run->rowcap;
}

/* Of a matrix of the last layer, the same: it may have none itself. */
static size_t
shared_width(const struct peft_run *run, int saved)
{
	size_t l, last = run->net->config.layers - 1, w;
	size_t most = peft_saved_width(run, last, saved);

	for (l = 0; l < last; l++) {
		w = peft_saved_width(run, l, saved);
		if (w > most && peft_waits(run, l, saved) != PEFT_WAIT_WHOLE)
			most = w;
	}
	return most;
}

static void
layout_matrices(struct peft_run *run, struct peft_saved *s, size_t l)
{
	struct peft_arena *a = &run->arena;
	bool last = l + 1 == run->net->config.layers;
	size_t T = run->caps.tokens, width;
	int k;

	for (k = 0; k < PEFT_NSAVED; k++) {
		enum peft_wait wait = peft_waits(run, l, k);

		width = last ? shared_width(run, k) :
		    peft_saved_width(run, l, k);
		if (width == 0)
			continue;
		if (last)
			s->at[k] = floats(a, shared_rows(run, k), width);
		else if (wait == PEFT_WAIT_WHOLE)
			s->at[k] = floats(a, T, width);
		else if (wait == PEFT_WAIT_ROUNDED)
			s->stash[k] = peft_arena_get(a, T * width + PEFT_KSTEP,
			    sizeof(*s->stash[k]));
	}
}

/* What else there is of a part, for layers l .. end in turn. */
static void
layout_part(struct peft_run *run, struct peft_saved *s, enum peft_layerpart p,
    size_t l, size_t end)
{
	const struct peft_config *c = &run->net->config;
	size_t rows = l + 1 == c->layers ? run->rowcap : run->caps.tokens;
	int slot;

	if (p == PEFT_PART_ATTENTION)
		s->lse = floats(&run->arena, rows, c->heads);
	if (p == PEFT_PART_INNER && peft_have_mlp(run, l, end, true))
		peft_experts_saved(run, s, l, end);
	for (slot = 0; slot < PEFT_NSLOT; slot++)
		if (peft_part_of(slot) == p)
			s->hook[slot] = floats(&run->arena, 1,
			    peft_run_hook_saved(run, slot, l, end));
	if (p == PEFT_PART_STREAM)
		peft_run_join_saved(run, s, PEFT_JOIN_ATTN, l, end);
	if (p == PEFT_PART_DOWN)
		peft_run_join_saved(run, s, PEFT_JOIN_MLP, l, end);
}

/* From where on layers have a part in common with the last. */
static size_t
shared_from(const struct peft_run *run, enum peft_layerpart p)
{
	size_t l = 0;

	while (l + 1 < run->net->config.layers && peft_part_waits(run, l, p))
		l++;
	return l;
}

/* The last layer first: what has not to wait all others have of it. */
static void
layout_layers(struct peft_run *run)
{
	size_t n = run->net->config.layers, l;
	struct peft_saved *last = &run->saved[n - 1];
	int p;

	layout_matrices(run, last, n - 1);
	for (p = 0; p < PEFT_NPART; p++)
		layout_part(run, last, (enum peft_layerpart)p,
		    shared_from(run, (enum peft_layerpart)p), n);
	for (l = 0; l + 1 < n; l++) {
		struct peft_saved *s = &run->saved[l];

		*s = *last;
		layout_matrices(run, s, l);
		for (p = 0; p < PEFT_NPART; p++)
			if (peft_part_waits(run, l, (enum peft_layerpart)p))
				layout_part(run, s, (enum peft_layerpart)p, l,
				    l + 1);
	}
}

/* Angles by position; behind them, where they vary with the length of the
 * sequence, room for those of the micro-batch's tokens. */
static void
layout_angles(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	size_t n = run->caps.seq, half = c->rope_dim / 2;
	int i;

	if (c->t.norope)
		return;
	if (peft_rope_varies(c, n))
		n += run->caps.tokens;
	for (i = 0; i < (c->window > 0 ? 2 : 1); i++) {
		run->angles[i].cos = floats(&run->arena, n, half);
		run->angles[i].sin = floats(&run->arena, n, half);
	}
	run->angle = peft_arena_get(&run->arena, run->caps.tokens,
	    sizeof(size_t));
}

static void
layout_back(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens, D = c->hidden;

	run->dx = floats(a, T, D);
	run->dnormed = floats(a, T, D);
	if (c->t.residual_scale != 1 || has(run, PEFT_BIT(PEFT_ATTN_POST)))
		run->dbranch = floats(a, T, D);
	if (peft_joins_hooked(run))
		run->djoin = floats(a, T, D);
	if (c->t.parallel)
		run->dparallel = floats(a, T, D);
	run->ones = floats(a, 1, peft_norm_widest(c));
	run->unit = floats(a, 1, peft_norm_widest(c));
}

static void
layout_attention(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens;

	run->attention_stride = peft_attention_scratch(run);
	run->attention = floats(a, (size_t)peft_cpu_threads(run->net->cpu),
	    run->attention_stride);
	if (!run->caps.train)
		return;
	run->dqkv = floats(a, T, run->net->at.ld);
	if (peft_saved_width(run, 0, PEFT_SAVED_RAW) > 0)
		run->draw = floats(a, T, run->net->at.ld);
	if (c->kv_rank > 0) {
		run->dlatent = floats(a, T, c->kv_rank);
		run->dkva = floats(a, T, c->kv_rank + c->rope_dim);
	}
	run->dattn = floats(a, T, c->heads * c->v_dim);
	run->dkv = floats(a, T, c->heads * (c->head_dim + c->v_dim));
}

/* What is of use within a layer only: what attention needs and what the MLP
 * needs lie over each other, since the one rests while the other works. */
static void
layout_passing(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens, mark, end;

	run->tmp = floats(a, T, c->hidden);
	mark = peft_arena_mark(a);
	layout_attention(run);
	end = a->used;
	peft_arena_release(a, mark);
	if (peft_have_mlp(run, 0, c->layers, false)) {
		run->act = floats(a, T, c->inter);
		if (run->caps.train)
			run->dact = floats(a, T, c->inter);
	}
	if (a->used < end)
		a->used = end;
}

static void
layout_work(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens;

	run->out = floats(a, run->rowcap, c->hidden);
	peft_kept_layout(run);
	run->normed = floats(a, T, c->hidden);
	if (c->kv_rank > 0) {
		run->latent = floats(a, T, c->kv_rank);
		run->kvb = floats(a, T, c->kv_heads * (c->head_dim -
		    c->rope_dim + c->v_dim));
	}
	layout_angles(run);
	run->input = floats(a, T, peft_hooks_width(run, PEFT_HAS_INPUT));
	run->dout = floats(a, T, peft_hooks_width(run, PEFT_HAS_OUTPUT));
	run->dhidden = floats(a, T, peft_beside_width(run));
	run->whole = peft_arena_get(a, run->caps.seqs, sizeof(*run->whole));
	run->ids = peft_arena_get(a, T, sizeof(*run->ids));
	run->labels = peft_arena_get(a, T, sizeof(*run->labels));
	run->product = floats(a, 1, peft_run_product_scratch(run));
	run->hook = floats(a, 1, peft_run_hook_scratch(run));
	peft_scout_layout(run);
	run->embedhook = floats(a, 1, peft_hooks_saved(run->net->embed.site,
	    T));
	run->tree.order = peft_arena_get(a, run->caps.seqs, sizeof(size_t));
	run->tree.common = peft_arena_get(a, run->caps.seqs, sizeof(size_t));
	run->tree.nodes = peft_arena_get(a, 2 * run->caps.seqs,
	    sizeof(struct peft_node));
	run->pos = peft_arena_get(a, T, sizeof(size_t));
	run->rows = peft_arena_get(a, T, sizeof(size_t));
	run->targets = peft_arena_get(a, T, sizeof(int32_t));
	run->rownode = peft_arena_get(a, T, sizeof(size_t));
	run->rowscale = floats(a, T, 1);
	if (c->experts > 0)
		peft_experts_work(run);
	if (run->caps.train)
		layout_back(run);
}

static void
layout_logits(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;

	run->tile = peft_run_tile(run);
	run->logits = floats(a, run->tile, c->outputs);
	if (c->t.final_cap > 0 && run->caps.train)
		run->capped = floats(a, run->tile, c->outputs);
	run->hx = floats(a, run->tile, c->hidden);
	run->dhx = floats(a, run->tile, c->hidden);
	run->rownll = peft_arena_get(a, run->tile, sizeof(double));
	run->rowtop = peft_arena_get(a, run->tile, 1);
	run->tileident = peft_arena_get(a, run->tile, sizeof(uint64_t));
	run->headhook = floats(a, 1,
	    peft_hooks_saved(run->net->head.site, run->caps.tokens));
}

static void
plan_parts(struct peft_run *run)
{
	struct peft_plan *plan = &run->plan;
	size_t l;
	int p;

	for (plan->between = 0, l = (size_t)run->lowest; peft_is_between(run,
	    l); l++, plan->between++)
		for (p = 0; p < PEFT_NPART; p++)
			plan->parts[p] |= peft_part_is_there(run, l,
			    (enum peft_layerpart)p);
}

/* Run twice: over an arena that counts, then over one of that size. */
void
peft_run_layout(struct peft_run *run)
{
	size_t at = run->arena.used, mark;

	run->rowcap = peft_kept_rows(run);
	layout_layers(run);
	run->plan.layer = run->net->config.layers < 2 ? 0 :
	    (run->arena.used - at) / run->net->config.layers;
	plan_parts(run);
	run->plan.activations = run->arena.used - at;
	at = run->arena.used;
	layout_work(run);
	mark = peft_arena_mark(&run->arena);
	layout_passing(run);
	run->plan.workspace = run->arena.used - at;
	/* layers rest while there are logits: these lie over what they left */
	at = run->arena.used;
	peft_arena_release(&run->arena, mark);
	layout_logits(run);
	run->plan.logits = run->arena.used > at ? run->arena.used - at : 0;
	run->plan.hooks = peft_hooks_memory(&run->net->sites);
	run->plan.total = run->arena.peak + run->plan.hooks;
}
