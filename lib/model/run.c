/* SPDX-License-Identifier: Apache-2.0 */
/* The workspace of micro-batches: its plan, its layout, its calls. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "data/tokens.h"
#include "model/net-impl.h"
#include "model/rope.h"

enum { TILE_BYTES = 48 << 20, TILE_MIN = 8, TILE_MAX = 256 };

static size_t
tile_of(const struct peft_net *net, const struct peft_caps *caps)
{
	size_t n = TILE_BYTES / (net->config.vocab * sizeof(float));

	n = n < TILE_MIN ? TILE_MIN : n > TILE_MAX ? TILE_MAX : n;
	return n < caps->tokens ? n : caps->tokens;
}

static float *
floats(struct peft_arena *a, size_t rows, size_t cols)
{
	return peft_arena_get(a, rows, cols * sizeof(float));
}

/* What the hooks of a slot keep, at most, in layers l .. end. */
static size_t
hook_saved(const struct peft_run *run, int slot, size_t l, size_t end)
{
	size_t n, most = 0;

	for (; l < end; l++) {
		n = peft_hooks_saved(&run->net->sites.at[1 + l * PEFT_NSLOT +
		    (size_t)slot], run->caps.tokens);
		most = n > most ? n : most;
	}
	return most;
}

/* Everything of one layer that lives from forward to backward; or of each of
 * layers l .. end in turn. */
static void
layout_saved(struct peft_run *run, struct peft_saved *s, size_t l, size_t end)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens, q = c->heads * c->head_dim;
	size_t kv = c->kv_heads * c->head_dim, at;
	int slot;

	s->x = floats(a, T, c->hidden);
	at = a->used;
	s->qkv = floats(a, T, q + 2 * kv);
	s->attn = floats(a, T, q);
	s->mid = floats(a, T, c->hidden);
	s->gate = floats(a, T, c->inter);
	s->up = floats(a, T, c->inter);
	s->work = s->qkv;
	s->nwork = (a->used - at) / sizeof(float);
	s->lse = floats(a, T, c->heads);
	for (slot = 0; slot < PEFT_NSLOT; slot++)
		s->hook[slot] = floats(a, 1, hook_saved(run, slot, l, end));
}

/* Layers that put away what they keep, as bf16: two x in turn, since a layer
 * writes the next one's. */
static void
layout_stashed(struct peft_run *run, size_t n)
{
	size_t l, x = run->caps.tokens * run->net->config.hidden;
	struct peft_arena *a = &run->arena;
	float *other = floats(a, x, 1);
	int slot;

	layout_saved(run, &run->saved[0], 0, 1);
	for (l = 0; l < n; l++) {
		struct peft_saved *s = &run->saved[l];

		if (l > 0) {
			*s = run->saved[0];
			s->x = l % 2 == 0 ? run->saved[0].x : other;
			s->lse = floats(a, run->caps.tokens,
			    run->net->config.heads);
			for (slot = 0; slot < PEFT_NSLOT; slot++)
				s->hook[slot] = floats(a, 1, hook_saved(run,
				    slot, l, l + 1));
		}
		if (l + 1 == n)		/* its backward follows at once */
			break;
		s->stash_x = peft_arena_get(a, x + PEFT_KSTEP,
		    sizeof(*s->stash_x));
		s->stash = peft_arena_get(a, s->nwork + PEFT_KSTEP,
		    sizeof(*s->stash));
	}
}

static void
layout_layers(struct peft_run *run)
{
	size_t l, n = run->net->config.layers;

	if (run->caps.train && !run->caps.recompute &&
	    peft_cpu_computes(run->net->cpu) == PEFT_COMPUTE_BF16) {
		layout_stashed(run, n);
		return;
	}
	if (run->caps.train && !run->caps.recompute) {
		for (l = 0; l < n; l++)
			layout_saved(run, &run->saved[l], l, l + 1);
		return;
	}
	layout_saved(run, &run->saved[0], 0, n);
	for (l = 1; l < n; l++) {
		run->saved[l] = run->saved[0];
		if (run->caps.train)
			run->saved[l].x = floats(&run->arena, run->caps.tokens,
			    run->net->config.hidden);
	}
}

static size_t
product_scratch(const struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	size_t q = c->heads * c->head_dim, i, n, most = 0;
	size_t kv = c->kv_heads * c->head_dim, T = run->caps.tokens;
	size_t shapes[][3] = { { q + 2 * kv, c->hidden, T },
	    { c->hidden, q, T }, { 2 * c->inter, c->hidden, T },
	    { c->vocab, c->hidden, tile_of(run->net, &run->caps) } };

	for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		n = peft_product_scratch(run->net->cpu, shapes[i][0],
		    shapes[i][1], shapes[i][2]);
		most = n > most ? n : most;
	}
	return most;
}

static size_t
hook_scratch(const struct peft_run *run)
{
	size_t i, n, most = 0;

	for (i = 0; i < run->net->sites.n; i++) {
		n = peft_hooks_scratch(&run->net->sites.at[i],
		    run->caps.tokens);
		most = n > most ? n : most;
	}
	return most;
}

static void
layout_work(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens;

	run->out = floats(a, T, c->hidden);
	run->normed = floats(a, T, c->hidden);
	run->cos = floats(a, run->caps.seq, c->head_dim / 2);
	run->sin = floats(a, run->caps.seq, c->head_dim / 2);
	run->product = floats(a, 1, product_scratch(run));
	run->hook = floats(a, 1, hook_scratch(run));
	run->tree.order = peft_arena_get(a, run->caps.seqs, sizeof(size_t));
	run->tree.common = peft_arena_get(a, run->caps.seqs, sizeof(size_t));
	run->tree.nodes = peft_arena_get(a, 2 * run->caps.seqs,
	    sizeof(struct peft_node));
	run->pos = peft_arena_get(a, T, sizeof(size_t));
	run->ident = peft_arena_get(a, T, sizeof(uint64_t));
	run->ranges = peft_arena_get(a, run->caps.seqs * 2,
	    sizeof(struct peft_range));
	run->rows = peft_arena_get(a, T, sizeof(size_t));
	run->targets = peft_arena_get(a, T, sizeof(int32_t));
	run->rownode = peft_arena_get(a, T, sizeof(size_t));
	run->rowscale = floats(a, T, 1);
	if (!run->caps.train)
		return;
	run->dx = floats(a, T, c->hidden);
	run->dnormed = floats(a, T, c->hidden);
}

/* What is of use within a layer only. */
static void
layout_passing(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;
	size_t T = run->caps.tokens, q = c->heads * c->head_dim;
	size_t kv = c->kv_heads * c->head_dim;

	run->tmp = floats(a, T, c->hidden);
	run->act = floats(a, T, c->inter);
	run->attention_stride = peft_attention_scratch(run);
	run->attention = floats(a, (size_t)peft_cpu_threads(run->net->cpu),
	    run->attention_stride);
	if (!run->caps.train)
		return;
	run->dqkv = floats(a, T, q + 2 * kv);
	run->dattn = floats(a, T, q);
	run->dkv = floats(a, T, 2 * q);
	run->dact = floats(a, T, c->inter);
}

static void
layout_logits(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	struct peft_arena *a = &run->arena;

	run->tile = tile_of(run->net, &run->caps);
	run->logits = floats(a, run->tile, c->vocab);
	run->hx = floats(a, run->tile, c->hidden);
	run->dhx = floats(a, run->tile, c->hidden);
	run->rownll = peft_arena_get(a, run->tile, sizeof(double));
	run->rowtop = peft_arena_get(a, run->tile, 1);
	run->tileident = peft_arena_get(a, run->tile, sizeof(uint64_t));
	run->headhook = floats(a, 1,
	    peft_hooks_saved(run->net->head.site, run->caps.tokens));
}

/* Run twice: over an arena that counts, then over one of that size. */
void
peft_run_layout(struct peft_run *run)
{
	size_t at = run->arena.used, mark;

	layout_layers(run);
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
	run->plan.total = run->arena.peak;
}

static void
start(struct peft_run *run, struct peft_net *net, const struct peft_caps *caps,
    struct peft_saved *saved)
{
	size_t i;

	*run = (struct peft_run){ .net = net, .caps = *caps,
	    .vec = peft_cpu_vec(net->cpu), .saved = saved,
	    .lowest = (int)net->config.layers };
	for (i = 0; i < net->sites.n; i++)
		if (net->sites.at[i].hooks != NULL &&
		    net->sites.at[i].layer >= 0 &&
		    net->sites.at[i].layer < run->lowest)
			run->lowest = net->sites.at[i].layer;
}

int
peft_run_plan(struct peft_net *net, const struct peft_caps *caps,
    struct peft_plan *plan, struct peft_err *err)
{
	struct peft_saved *saved;
	struct peft_run run;

	saved = peft_calloc(net->config.layers, sizeof(*saved), err);
	if (saved == NULL)
		return -1;
	start(&run, net, caps, saved);
	peft_run_layout(&run);
	*plan = run.plan;
	free(saved);
	return 0;
}

struct peft_run *
peft_run_open(struct peft_net *net, const struct peft_caps *caps,
    struct peft_err *err)
{
	struct peft_saved *saved;
	struct peft_run *run;

	saved = peft_calloc(net->config.layers, sizeof(*saved), err);
	run = peft_calloc(1, sizeof(*run), err);
	if (saved == NULL || run == NULL) {
		free(saved);
		free(run);
		return NULL;
	}
	start(run, net, caps, saved);
	peft_run_layout(run);
	if (peft_arena_reserve(&run->arena, err) == -1) {
		peft_run_close(run);
		return NULL;
	}
	peft_run_layout(run);
	peft_rope_table(&net->config, caps->seq, run->cos, run->sin);
	return run;
}

void
peft_run_close(struct peft_run *run)
{
	if (run == NULL)
		return;
	peft_arena_free(&run->arena);
	free(run->saved);
	free(run);
}
