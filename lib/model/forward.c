/* SPDX-License-Identifier: Apache-2.0 */
/* The forward pass: embedding and layers, keeping what backward needs. */

#include <string.h>

#include "base/rng.h"
#include "model/bare-impl.h"
#include "model/branch-impl.h"
#include "model/experts.h"
#include "model/hooks-impl.h"
#include "model/latent-impl.h"
#include "model/mlp-impl.h"
#include "model/net-impl.h"
#include "quant/quant.h"

/* Keys and values of all rows, in[1] and in[2]; queries, in[0], of those that
 * are kept, by way of s->attn. */
static void
kept_queries(struct peft_run *run, const struct peft_layer *l,
    struct peft_saved *s, const float *x, const struct peft_product *in)
{
	size_t D = run->net->config.hidden, Q = run->net->at.k;
	struct peft_product q = { in[0].w, s->attn, Q };

	peft_linears(run, &l->lin[PEFT_K], &s->hook[PEFT_K], x, D, in + 1, 2);
	peft_kept_gather(run, run->tmp, x, D, D);
	peft_kept_view(run, true);
	peft_linears(run, &l->lin[PEFT_Q], &s->hook[PEFT_Q], run->tmp, D, &q,
	    1);
	peft_kept_view(run, false);
	peft_kept_scatter(run, in[0].y, in[0].ldy, s->attn, Q, false);
}

/* Queries, keys and values from x, in one product or three. */
static void
queries(struct peft_run *run, size_t layer, struct peft_saved *s,
    const float *x, const uint16_t *halves)
{
	const struct peft_layer *l = &run->net->layers[layer];
	const struct peft_heads_at *at = &run->net->at;
	float *y = s->raw != NULL ? s->raw : s->qkv;
	size_t D = run->net->config.hidden;
	struct peft_product one = { &l->lin[PEFT_QKV].w, y, at->ld };
	struct peft_product in[] = {
		{ &l->lin[PEFT_Q].w, y, at->ld },
		{ &l->lin[PEFT_K].w, y + at->k, at->ld },
		{ &l->lin[PEFT_V].w, y + at->v, at->ld },
	};
	struct peft_along along = { .halves = { halves } };
	bool whole = l->lin[PEFT_QKV].site != NULL;
	int first = whole ? PEFT_QKV : PEFT_Q;
	const struct peft_product *p = whole ? &one : in;
	size_t n = whole ? 1 : 3;

	if (halves != NULL)
		peft_linears_along(run, &l->lin[first], &s->hook[first], NULL,
		    0, &along, p, n);
	else if (l->lin[PEFT_KV_A].site != NULL)
		peft_latent(run, layer, s, x);
	else if (!whole && peft_is_kept(run, layer))
		kept_queries(run, l, s, x, in);
	else
		peft_linears(run, &l->lin[first], &s->hook[first], x, D, p,
		    n);
}

/* The parts of a layer (parts.h), in turn: from s->x to s->raw, or s->qkv, */
static void
make_queries(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_layer *l = &run->net->layers[layer];
	const uint16_t *halves = peft_queries_halves(run, layer, s->x);

	queries(run, layer, s, halves != NULL ? NULL : peft_normed(run,
	    &l->norm[PEFT_ATTN_NORM], s->x), halves);
}

/* to s->qkv as attention sees it, */
static void
make_turned(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_site *site = &run->net->attention[layer];

	peft_queries(run, layer, s);
	peft_virtual_keys(run, layer, s->qkv);
	if (peft_hooks_keys(run, site, NULL, NULL))
		(void)peft_hooks_keys(run, site, peft_normed(run,
		    &run->net->layers[layer].norm[PEFT_ATTN_NORM], s->x),
		    s->qkv);
	peft_stash_trim(run, s->qkv, run->T * run->net->at.ld);
}

/* from there to s->attn, */
static void
make_attention(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_config *c = &run->net->config;

	peft_attention(run, layer, s->qkv, s->attn, s->lse);
	peft_hooks_forward(run, &run->net->attention[layer], run->ranges,
	    run->nranges, run->ident, s->qkv, run->net->at.ld, s->attn,
	    c->heads * c->v_dim, NULL);
}

/* and to s->mid. */
static void
make_stream(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_config *c = &run->net->config;
	struct peft_branch_in out = { s->attn, c->heads * c->v_dim, NULL };

	peft_branch(run, layer, PEFT_JOIN_ATTN, s, &out, s->mid, s->x);
}

const struct peft_normal *
peft_mlp_norm(const struct peft_run *run, size_t layer)
{
	const struct peft_layer *l = &run->net->layers[layer];

	return &l->norm[run->net->config.t.parallel &&
	    l->norm[PEFT_MLP_NORM].n == 0 ? PEFT_ATTN_NORM : PEFT_MLP_NORM];
}

const float *
peft_mlp_stream(const struct peft_run *run, const struct peft_saved *s)
{
	return run->net->config.t.parallel ? s->x : s->mid;
}

/* What the MLP reads: the stream after attention, or before, normed. */
static const float *
mlp_x(struct peft_run *run, size_t layer, const struct peft_saved *s)
{
	return peft_normed(run, peft_mlp_norm(run, layer),
	    peft_mlp_stream(run, s));
}

/* To what goes into the activation, s->gu. */
static void
make_inner(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	const float *x = mlp_x(run, layer, s);
	size_t I = c->inter, D = c->hidden;
	struct peft_product one = { &l->lin[PEFT_GATE_UP].w, s->gu, 2 * I };
	struct peft_product in[] = {
		{ &l->lin[PEFT_GATE].w, s->gu, 2 * I },
		{ &l->lin[PEFT_UP].w, s->gu + I, 2 * I },
	}, up = { &l->lin[PEFT_UP].w, s->gu, I };

	if (l->lin[PEFT_GATE_UP].site != NULL)
		peft_linears(run, &l->lin[PEFT_GATE_UP],
		    &s->hook[PEFT_GATE_UP], x, D, &one, 1);
	else if (l->lin[PEFT_GATE].site != NULL)
		peft_linears(run, &l->lin[PEFT_GATE], &s->hook[PEFT_GATE], x,
		    D, in, 2);
	else
		peft_linears(run, &l->lin[PEFT_UP], &s->hook[PEFT_UP], x, D,
		    &up, 1);
}

/* The input of the last product, run->act. */
static void
activate(struct peft_run *run, struct peft_saved *s)
{
	peft_op_act(run, run->act, s->gu, peft_stash_of_act(run, s),
	    run->net->config.inter, run->T);
}

/* The two parts of the MLP, and y = s->mid + what it gives. */
static void
mlp(struct peft_run *run, size_t layer, struct peft_saved *s, float *y)
{
	struct peft_branch_in out = { run->act, run->net->config.inter, NULL };

	if (run->net->layers[layer].experts != NULL) {
		peft_experts(run, layer, s, mlp_x(run, layer, s),
		    peft_branch_end(run, layer, PEFT_JOIN_MLP, s));
		peft_branch_join(run, layer, PEFT_JOIN_MLP, s, y, s->mid);
		return;
	}
	if (peft_mlp_is_tiled(run, layer, s, false))
		out.halves = peft_mlp_tiled(run, layer, s);
	else {
		make_inner(run, layer, s);
		activate(run, s);
	}
	peft_branch(run, layer, PEFT_JOIN_MLP, s, &out, y, s->mid);
}

/* NEFTune's, of each record by its own length. */
static void
add_noise(const struct peft_run *run, float *x, size_t D)
{
	struct peft_rng rng = peft_rng_key(run->caps.seed, "neftune");
	size_t i, t, d;

	for (i = 0; i < run->tree.n; i++) {
		const struct peft_node *node = &run->tree.nodes[i];
		size_t n = run->seqs[run->tree.order[node->lo]].n;
		double a = (double)run->caps.neftune /
		    __builtin_sqrt((double)n * (double)D);

		for (t = node->first; t < node->first + node->n; t++)
			for (d = 0; d < D; d++)
				x[t * D + d] += (float)(a * (2 *
				    peft_rng_uniform(rng, run->ident[t],
				    run->step << 24 | d) - 1));
	}
}

/* What comes to the output of transformers' module: noise, virtual tokens. */
static void
add_to_module(struct peft_run *run, float *x, size_t D)
{
	if (run->train && run->caps.neftune > 0)
		add_noise(run, x, D);
	peft_virtual_embed(run, x);
}

/* Rows of the embedding, as adapters have them, scaled; those of positions
 * are added. */
void
peft_embed(struct peft_run *run, float *x)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_weight *w = &run->net->embed.w;
	const struct peft_weight *p = &run->net->position.w;
	size_t D = c->hidden, t;

	for (t = 0; t < run->T; t++)
		if (run->ids[t] >= 0) {
			peft_decode(w, (size_t)run->ids[t] * D, D, x + t * D);
			peft_net_row_read(run->net);
		} else
			memset(x + t * D, 0, D * sizeof(*x));
	peft_hooks_forward(run, run->net->embed.site, run->ranges,
	    run->nranges, run->ident, NULL, 0, x, D, run->embedhook);
	if (!c->t.embed_sqrt)		/* no part of the module */
		add_to_module(run, x, D);
	for (t = 0; c->t.embed_scale != 1 && t < run->T; t++)
		run->vec->scale(x + t * D, (float)c->t.embed_scale, D);
	if (c->t.embed_sqrt)
		add_to_module(run, x, D);
	for (t = 0; run->net->position.site != NULL && t < run->T; t++) {
		peft_decode(p, (run->pos[t] + c->t.position_offset) * D, D,
		    run->tmp);
		run->vec->add(x + t * D, run->tmp, D);
	}
}

static void
embed(struct peft_run *run, float *x)
{
	const struct peft_normal *norm = &run->net->embed_norm;
	struct peft_lap lap = peft_lap_begin(run->net->cpu);
	size_t D = run->net->config.hidden;

	peft_embed(run, x);
	if (norm->n > 0) {
		memcpy(run->tmp, x, run->T * D * sizeof(*x));
		peft_op_norm(run, norm, x, run->tmp, run->T);
	}
	peft_lap_end(run->net->cpu, &lap, PEFT_WORK_EMBED, 0, (double)(run->T *
	    D * sizeof(*x)));
	peft_check_finite(run, run->net->embed.site->path, x, D, D);
}

static void
pass(struct peft_run *run)
{
	size_t l, n = run->net->config.layers;

	embed(run, run->saved[0].x);
	peft_stash_input(run);
	for (l = 0; l < n; l++) {
		struct peft_saved s = run->saved[l];

		make_queries(run, l, &s);
		make_turned(run, l, &s);
		make_attention(run, l, &s);
		peft_kept_begin(run, l, &s);
		make_stream(run, l, &s);
		mlp(run, l, &s, l + 1 < n ? run->saved[l + 1].x : run->out);
		peft_stash(run, &run->saved[l]);
	}
}

void
peft_forward(struct peft_run *run)
{
	peft_hooks_begin(run);
	if (peft_scout_wanted(run)) {
		run->scouting = true;
		pass(run);
		run->scouting = false;
		peft_scout_see(run);
	}
	pass(run);
}

/* The layer's output is known, so its last product is left out, but not
 * what the hooks there keep; what they add goes nowhere.  A norm behind the
 * MLP, hooks there, and hooks that keep the product's output need it all the
 * same. */
static void
make_down(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	struct peft_branch_in out = { run->act, c->inter, NULL };

	activate(run, s);
	if (l->norm[PEFT_MLP_POST].n > 0 ||
	    peft_join_hooked(run, layer, PEFT_JOIN_MLP) ||
	    peft_hooks_have(l->lin[PEFT_DOWN].site, PEFT_HAS_OUTPUT))
		peft_branch(run, layer, PEFT_JOIN_MLP, s, &out, run->tmp,
		    s->mid);
	else
		peft_linear_again(run, &l->lin[PEFT_DOWN],
		    s->hook[PEFT_DOWN], run->act, c->inter, run->tmp,
		    c->hidden);
}

void
peft_forward_again(struct peft_run *run, size_t layer)
{
	static void (*const make[PEFT_NPART])(struct peft_run *, size_t,
	    struct peft_saved *) = {
		[PEFT_PART_QUERIES] = make_queries,
		[PEFT_PART_TURNED] = make_turned,
		[PEFT_PART_ATTENTION] = make_attention,
		[PEFT_PART_STREAM] = make_stream,
		[PEFT_PART_INNER] = make_inner,
		[PEFT_PART_DOWN] = make_down,
	};
	bool experts = run->net->layers[layer].experts != NULL;
	int p, end = experts ? PEFT_PART_INNER : PEFT_NPART;

	for (p = 0; p < end; p++)
		if (peft_part_again(run, layer, (enum peft_layerpart)p))
			make[p](run, layer, &run->saved[layer]);
	if (experts && peft_part_again(run, layer, PEFT_PART_INNER))
		mlp(run, layer, &run->saved[layer], run->tmp);
}
