/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass: gradients of the adapters, and of what they need. */

#include <string.h>

#include "model/bare-impl.h"
#include "model/experts.h"
#include "model/hooks-impl.h"
#include "model/latent-impl.h"
#include "model/mlp-impl.h"
#include "model/net-impl.h"

/* dx += the gradient through a norm (or none) of dy. */
static void
unnormed(struct peft_run *run, const struct peft_normal *norm, float *dx,
    const float *dy, const float *x)
{
	if (norm->n == 0)
		peft_op_add(run, dx, NULL, dx, dy, 1);
	else
		peft_op_norm_back(run, norm, dx, dy, x, run->T, false);
}

/* The gradient of what a branch adds to the stream, given that of the
 * stream: the same, but for a scale and a norm behind it. */
static float *
branch(struct peft_run *run, size_t layer, int join, struct peft_saved *s,
    const float *x, float *dy)
{
	bool attn = join == PEFT_JOIN_ATTN;
	const struct peft_normal *post = &run->net->layers[layer].norm[attn ?
	    PEFT_ATTN_POST : PEFT_MLP_POST];
	const float *before = attn ? s->o : s->down;
	float scale = (float)run->net->config.t.residual_scale, *dx = dy;

	if (scale != 1) {
		peft_op_scale(run, run->tmp, dy, scale);
		dy = run->tmp;
	}
	if (peft_join_hooked(run, layer, join)) {
		memcpy(run->djoin, dy, run->T * run->net->config.hidden *
		    sizeof(*dy));
		dy = run->djoin;
		peft_join_back(run, layer, join, s, x, dy, dx);
	}
	if (post->n > 0)
		peft_op_norm_back(run, post, run->dbranch, dy, before, run->T,
		    true);
	else if (dy == run->tmp)
		memcpy(run->dbranch, dy, run->T * run->net->config.hidden *
		    sizeof(*dy));
	else
		return dy;
	return run->dbranch;
}

/* The plain MLP: dnormed from dy, given its input x. */
static void
mlp_in_back(struct peft_run *run, size_t layer, struct peft_saved *s,
    const float *x, float *dy)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	size_t I = c->inter, D = c->hidden;
	struct peft_product out = { &l->lin[PEFT_DOWN].w, dy, D };
	struct peft_product one = { &l->lin[PEFT_GATE_UP].w, s->gu, 2 * I };
	struct peft_product in[] = {
		{ &l->lin[PEFT_GATE].w, s->gu, 2 * I },
		{ &l->lin[PEFT_UP].w, s->gu + I, 2 * I },
	}, up = { &l->lin[PEFT_UP].w, s->gu, I };
	const uint16_t *kept = peft_stash_of_act(run, s);

	peft_op_act_again(run, run->act, s->gu, kept, I, run->T);
	peft_linears_back(run, &l->lin[PEFT_DOWN], &s->hook[PEFT_DOWN],
	    run->act, I, run->dact, &out, 1);
	peft_op_act_back(run, s->gu, kept, run->dact, I, run->T);
	if (l->lin[PEFT_GATE_UP].site != NULL)
		peft_linears_back(run, &l->lin[PEFT_GATE_UP],
		    &s->hook[PEFT_GATE_UP], x, D, run->dnormed, &one, 1);
	else if (l->lin[PEFT_GATE].site != NULL)
		peft_linears_back(run, &l->lin[PEFT_GATE],
		    &s->hook[PEFT_GATE], x, D, run->dnormed, in, 2);
	else
		peft_linears_back(run, &l->lin[PEFT_UP], &s->hook[PEFT_UP], x,
		    D, run->dnormed, &up, 1);
}

/* run->dx: the gradient of the layer's output; afterwards that of mid, or
 * with parallel branches of the layer's input by all ways but attention. */
static void
mlp_back(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_layer *l = &run->net->layers[layer];
	const struct peft_normal *norm = peft_mlp_norm(run, layer);
	const float *stream = peft_mlp_stream(run, s);
	float *dy = branch(run, layer, PEFT_JOIN_MLP, s, s->mid, run->dx);

	if (l->experts != NULL)
		peft_experts_back(run, layer, s, peft_normed(run, norm,
		    stream), run->dnormed, dy);
	else if (peft_mlp_is_tiled(run, layer, s, true))
		peft_mlp_tiled_back(run, layer, s, dy);
	else
		mlp_in_back(run, layer, s, peft_mlp_rounded(run, layer,
		    peft_normed(run, norm, stream)), dy);
	unnormed(run, norm, run->dx, run->dnormed, stream);
}

/* As forward: queries of the kept alone, by way of run->dattn; kept.x holds
 * the gradient of their input. */
static void
kept_queries_back(struct peft_run *run, const struct peft_layer *l,
    struct peft_saved *s, const float *x, float *dx, struct peft_product *in)
{
	size_t D = run->net->config.hidden, Q = run->net->at.k;
	struct peft_product q = { in[0].w, run->dattn, Q };

	peft_linears_back(run, &l->lin[PEFT_K], &s->hook[PEFT_K], x, D, dx,
	    in + 1, 2);
	peft_kept_gather(run, run->tmp, x, D, D);
	peft_kept_gather(run, run->dattn, in[0].y, in[0].ldy, Q);
	peft_kept_view(run, true);
	peft_linears_back(run, &l->lin[PEFT_Q], &s->hook[PEFT_Q], run->tmp, D,
	    dx == NULL ? NULL : run->kept.x, &q, 1);
	peft_kept_view(run, false);
	if (dx != NULL)
		peft_kept_scatter(run, dx, D, run->kept.x, D, true);
}

/* From the gradient of queries, keys and values to that of their input. */
static void
queries_back(struct peft_run *run, size_t layer, struct peft_saved *s,
    const float *x, const uint16_t *halves, bool below)
{
	const struct peft_layer *l = &run->net->layers[layer];
	const struct peft_heads_at *at = &run->net->at;
	size_t D = run->net->config.hidden;
	float *dx = below ? run->dnormed : NULL;
	struct peft_product one = { &l->lin[PEFT_QKV].w, run->dqkv, at->ld };
	struct peft_product in[] = {
		{ &l->lin[PEFT_Q].w, run->dqkv, at->ld },
		{ &l->lin[PEFT_K].w, run->dqkv + at->k, at->ld },
		{ &l->lin[PEFT_V].w, run->dqkv + at->v, at->ld },
	};
	bool whole = l->lin[PEFT_QKV].site != NULL;
	int first = whole ? PEFT_QKV : PEFT_Q;
	const struct peft_along none = { 0 };
	struct peft_product *p = whole ? &one : in;
	size_t n = whole ? 1 : 3;

	peft_queries_back(run, layer, s, run->dqkv);
	if (halves != NULL)
		peft_linears_along_back(run, &l->lin[first], &s->hook[first],
		    NULL, halves, peft_halves_fit(run, D), dx, &none, p, n);
	else if (l->lin[PEFT_KV_A].site != NULL)
		peft_latent_back(run, layer, s, x, dx);
	else if (!whole && peft_is_kept(run, layer))
		kept_queries_back(run, l, s, x, dx, in);
	else
		peft_linears_back(run, &l->lin[first], &s->hook[first], x, D,
		    dx, p, n);
}

/* dmid: the gradient of mid; run->dx becomes that of the layer's input. */
static void
attention_back(struct peft_run *run, size_t layer, struct peft_saved *s,
    float *dmid, bool below)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	float *dy = branch(run, layer, PEFT_JOIN_ATTN, s, s->x, dmid);
	struct peft_product out = { &l->lin[PEFT_O].w, dy, c->hidden };
	const struct peft_normal *norm = &l->norm[PEFT_ATTN_NORM];
	const struct peft_site *site = &run->net->attention[layer];
	const uint16_t *halves;
	const float *x;
	bool gated;

	peft_linears_back(run, &l->lin[PEFT_O], &s->hook[PEFT_O], s->attn,
	    c->heads * c->v_dim, run->dattn, &out, 1);
	peft_kept_end(run, layer, s);
	peft_hooks_undo(run, site, s->qkv, run->net->at.ld, s->attn,
	    c->heads * c->v_dim);
	peft_attention_back(run, layer, s, run->dattn, run->dqkv);
	peft_hooks_backward(run, site, run->ranges,
	    run->nranges, run->ident, s->qkv, run->net->at.ld, run->dattn,
	    c->heads * c->v_dim, run->dqkv, run->net->at.ld, NULL);
	halves = below ? peft_queries_halves(run, layer, s->x) : NULL;
	x = halves != NULL ? NULL : peft_normed(run, norm, s->x);
	gated = peft_hooks_keys(run, site, x, NULL);
	if (gated) {
		memset(run->tmp, 0, run->T * c->hidden * sizeof(*run->tmp));
		peft_hooks_keys_back(run, site, x, s->qkv, run->dqkv,
		    run->tmp);
	}
	peft_virtual_keys_back(run, layer, run->dqkv);
	queries_back(run, layer, s, x, halves, below);
	if (below && gated)
		peft_op_add(run, run->dnormed, NULL, run->dnormed, run->tmp,
		    1);
	if (below)
		unnormed(run, norm, run->dx, run->dnormed, s->x);
}

/* run->dx: the gradient of the first layer's input. */
static void
embed_back(struct peft_run *run)
{
	const struct peft_net *net = run->net;
	const struct peft_traits *t = &net->config.t;
	size_t D = net->config.hidden;
	float *dx = run->dx;

	if (net->embed_norm.n > 0) {
		peft_embed(run, run->normed);
		peft_op_norm_back(run, &net->embed_norm, run->dnormed, dx,
		    run->normed, run->T, true);
		dx = run->dnormed;
	}
	if (t->embed_sqrt)		/* see peft_embed() */
		peft_virtual_embed_back(run, dx);
	if (t->embed_scale != 1)
		run->vec->scale(dx, (float)t->embed_scale, run->T * D);
	if (!t->embed_sqrt)
		peft_virtual_embed_back(run, dx);
	peft_hooks_backward(run, net->embed.site, run->ranges, run->nranges,
	    run->ident, NULL, 0, dx, D, NULL, 0, run->embedhook);
}

void
peft_backward(struct peft_run *run)
{
	const struct peft_config *c = &run->net->config;
	int l, last = (int)c->layers - 1;
	float *dmid = run->dx;

	for (l = last; l >= run->lowest; l--) {
		struct peft_saved s = run->saved[l];

		peft_unstash(run, &run->saved[l]);
		peft_forward_again(run, (size_t)l);
		peft_stash_even(run, (size_t)l);
		if (peft_is_kept(run, (size_t)l))
			s.x = run->kept.x;
		if (c->t.parallel) {
			/* both branches begin at the layer's input */
			dmid = run->dparallel;
			memcpy(dmid, run->dx, run->T * c->hidden *
			    sizeof(*dmid));
		}
		mlp_back(run, (size_t)l, &s);
		attention_back(run, (size_t)l, &s, dmid, l > run->lowest ||
		    run->deep);
	}
	if (run->lowest == 0 && run->deep)
		embed_back(run);
	peft_hooks_end(run);
}
