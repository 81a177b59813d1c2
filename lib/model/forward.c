/* SPDX-License-Identifier: Apache-2.0 */
/* The forward pass: embedding and layers, keeping what backward needs. */

#include "base/rng.h"
#include "model/net-impl.h"
#include "quant/quant.h"

/* Remember the first site whose output is not finite (see peft_run_where). */
static void
check(struct peft_run *run, const char *where, const float *y, size_t ld,
    size_t n)
{
	size_t t;

	if (!run->checking || run->bad != NULL)
		return;
	for (t = 0; t < run->T; t++)
		if (run->vec->nonfinite(y + t * ld, n)) {
			run->bad = where;
			return;
		}
}

/* y_i = x W_i^T + b_i + adapters, for n linears that share their input. */
static void
linears(struct peft_run *run, const struct peft_linear *lin,
    float *const *saved, const float *x, size_t ldx,
    const struct peft_product *p, size_t n)
{
	size_t i;

	peft_product_forward(run->net->cpu, x, ldx, run->T, p, n, run->product);
	for (i = 0; i < n; i++) {
		if (lin[i].bias != NULL)
			peft_op_bias(run, p[i].y, p[i].ldy, lin[i].bias,
			    lin[i].w.rows);
		peft_hooks_forward(run, lin[i].site, run->ranges, run->nranges,
		    run->ident, x, ldx, p[i].y, p[i].ldy, saved[i]);
		check(run, lin[i].site->path, p[i].y, p[i].ldy,
		    lin[i].w.rows);
	}
}

static void
attention(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	size_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
	size_t ld = q + 2 * kv;
	struct peft_product in[] = {
		{ &l->lin[PEFT_Q].w, s->qkv, ld },
		{ &l->lin[PEFT_K].w, s->qkv + q, ld },
		{ &l->lin[PEFT_V].w, s->qkv + q + kv, ld },
	}, out = { &l->lin[PEFT_O].w, run->tmp, c->hidden };

	peft_op_norm(run, run->normed, s->x, l->attn_norm, run->T);
	linears(run, &l->lin[PEFT_Q], &s->hook[PEFT_Q], run->normed, c->hidden,
	    in, 3);
	peft_op_rope(run, s->qkv, 1);
	peft_attention(run, layer, s->qkv, s->attn, s->lse);
	linears(run, &l->lin[PEFT_O], &s->hook[PEFT_O], s->attn, q, &out, 1);
	peft_op_sum(run, s->mid, s->x, run->tmp);
}

/* Up to the input of the last product, run->act. */
static void
mlp_in(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	struct peft_product in[] = {
		{ &l->lin[PEFT_GATE].w, s->gate, c->inter },
		{ &l->lin[PEFT_UP].w, s->up, c->inter },
	};

	peft_op_norm(run, run->normed, s->mid, l->mlp_norm, run->T);
	linears(run, &l->lin[PEFT_GATE], &s->hook[PEFT_GATE], run->normed,
	    c->hidden, in, 2);
	peft_op_swiglu(run, run->act, s->gate, s->up);
}

static void
mlp(struct peft_run *run, size_t layer, struct peft_saved *s, float *y)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	struct peft_product out = { &l->lin[PEFT_DOWN].w, run->tmp, c->hidden };

	mlp_in(run, layer, s);
	linears(run, &l->lin[PEFT_DOWN], &s->hook[PEFT_DOWN], run->act,
	    c->inter, &out, 1);
	peft_op_sum(run, y, s->mid, run->tmp);
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

static void
embed(struct peft_run *run, float *x)
{
	const struct peft_weight *w = &run->net->embed;
	size_t i, j;

	for (i = 0; i < run->tree.n; i++) {
		const struct peft_node *node = &run->tree.nodes[i];
		const int32_t *ids = run->seqs[run->tree.order[node->lo]].ids +
		    node->depth;

		for (j = 0; j < node->n; j++)
			peft_decode(w, (size_t)ids[j] * w->cols, w->cols,
			    x + (node->first + j) * w->cols);
	}
	if (run->train && run->caps.neftune > 0)
		add_noise(run, x, w->cols);
	check(run, run->net->sites.at[0].path, x, w->cols, w->cols);
}

void
peft_forward(struct peft_run *run)
{
	size_t l, n = run->net->config.layers;

	embed(run, run->saved[0].x);
	for (l = 0; l < n; l++) {
		attention(run, l, &run->saved[l]);
		mlp(run, l, &run->saved[l],
		    l + 1 < n ? run->saved[l + 1].x : run->out);
	}
}

/* The layer's output is known, so its last product is left out, but not
 * what the hooks there keep; what they add goes nowhere. */
void
peft_forward_again(struct peft_run *run, size_t layer)
{
	const struct peft_config *c = &run->net->config;
	struct peft_saved *s = &run->saved[layer];

	attention(run, layer, s);
	mlp_in(run, layer, s);
	peft_hooks_forward(run, run->net->layers[layer].lin[PEFT_DOWN].site,
	    run->ranges, run->nranges, run->ident, run->act, c->inter,
	    run->tmp, c->hidden, s->hook[PEFT_DOWN]);
}
