/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass: gradients of the adapters, and of what they need. */

#include <string.h>

#include "model/net-impl.h"

/* Hooks make of the output's gradient another, in a copy of it. */
static void
output_back(struct peft_run *run, const struct peft_site *site, float *saved,
    const float *x, size_t ldx, struct peft_product *dy, size_t *at)
{
	float *copy = run->dout + run->T * *at;
	size_t t;

	for (t = 0; t < run->T; t++)
		memcpy(copy + t * site->out, dy->y + t * dy->ldy,
		    site->out * sizeof(*copy));
	peft_hooks_output_back(run, site, run->ranges, run->nranges,
	    run->ident, x, ldx, copy, site->out, saved);
	dy->y = copy;
	dy->ldy = site->out;
	*at += site->out;
}

/* Each on its own, as some have an input that is not x. */
static void
inputs_back(struct peft_run *run, const struct peft_linear *lin,
    const float *x, size_t ldx, float *dx, const struct peft_product *dy,
    size_t n)
{
	size_t i, in = lin->site->in, t;

	for (t = 0; dx != NULL && t < run->T; t++)
		memset(dx + t * ldx, 0, in * sizeof(*dx));
	for (i = 0; i < n; i++)
		if (peft_hooks_have(lin[i].site, PEFT_HAS_INPUT)) {
			peft_product_backward(run->net->cpu, run->input, in,
			    run->T, &dy[i], 1, false, run->product);
			peft_hooks_input_back(run, lin[i].site, run->ranges,
			    run->nranges, run->ident, x, ldx, run->input, dx,
			    ldx);
		} else if (dx != NULL)
			peft_product_backward(run->net->cpu, dx, ldx, run->T,
			    &dy[i], 1, true, run->product);
}

/*
 * The reverse of linears() in forward.c: given the gradients of n outputs,
 * adapters' gradients, and dx = the gradient of the input they share (NULL:
 * nothing below is trained).
 */
static void
linears_back(struct peft_run *run, const struct peft_linear *lin,
    float *const *saved, const float *x, size_t ldx, float *dx,
    struct peft_product *dy, size_t n)
{
	size_t i, at = 0;
	bool apart = false;

	for (i = 0; i < n; i++) {
		apart |= peft_hooks_have(lin[i].site, PEFT_HAS_INPUT);
		if (peft_hooks_have(lin[i].site, PEFT_HAS_OUTPUT))
			output_back(run, lin[i].site, saved[i], x, ldx,
			    &dy[i], &at);
	}
	if (apart)
		inputs_back(run, lin, x, ldx, dx, dy, n);
	else if (dx != NULL)
		peft_product_backward(run->net->cpu, dx, ldx, run->T, dy, n,
		    false, run->product);
	for (i = 0; i < n; i++)
		peft_hooks_backward(run, lin[i].site, run->ranges,
		    run->nranges, run->ident, x, ldx, dy[i].y, dy[i].ldy, dx,
		    ldx, saved[i]);
}

/* run->dx: the gradient of the layer's output; afterwards that of mid. */
static void
mlp_back(struct peft_run *run, size_t layer, struct peft_saved *s)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	struct peft_product out = { &l->lin[PEFT_DOWN].w, run->dx, c->hidden };
	struct peft_product in[] = {
		{ &l->lin[PEFT_GATE].w, s->gate, c->inter },
		{ &l->lin[PEFT_UP].w, s->up, c->inter },
	};

	peft_op_swiglu(run, run->act, s->gate, s->up);
	linears_back(run, &l->lin[PEFT_DOWN], &s->hook[PEFT_DOWN], run->act,
	    c->inter, run->dact, &out, 1);
	peft_op_swiglu_back(run, s->gate, s->up, run->dact);
	peft_norm(run, l->lin[PEFT_GATE].site - 1, run->normed, s->mid);
	linears_back(run, &l->lin[PEFT_GATE], &s->hook[PEFT_GATE], run->normed,
	    c->hidden, run->dnormed, in, 2);
	peft_norm_back(run, l->lin[PEFT_GATE].site - 1, run->dx, run->dnormed,
	    s->mid);
}

/* run->dx: the gradient of mid; afterwards that of the layer's input. */
static void
attention_back(struct peft_run *run, size_t layer, struct peft_saved *s,
    bool below)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_layer *l = &run->net->layers[layer];
	size_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
	size_t ld = q + 2 * kv;
	struct peft_product out = { &l->lin[PEFT_O].w, run->dx, c->hidden };
	struct peft_product in[] = {
		{ &l->lin[PEFT_Q].w, run->dqkv, ld },
		{ &l->lin[PEFT_K].w, run->dqkv + q, ld },
		{ &l->lin[PEFT_V].w, run->dqkv + q + kv, ld },
	};

	linears_back(run, &l->lin[PEFT_O], &s->hook[PEFT_O], s->attn, q,
	    run->dattn, &out, 1);
	peft_attention_back(run, s, run->dattn, run->dqkv);
	peft_hooks_backward(run, &run->net->attention[layer], run->ranges,
	    run->nranges, run->ident, s->qkv, ld, run->dattn, q, run->dqkv,
	    ld, NULL);
	peft_virtual_keys_back(run, layer, run->dqkv);
	peft_op_rope(run, run->dqkv, -1);
	peft_norm(run, l->lin[PEFT_Q].site - 1, run->normed, s->x);
	linears_back(run, &l->lin[PEFT_Q], &s->hook[PEFT_Q], run->normed,
	    c->hidden, below ? run->dnormed : NULL, in, 3);
	if (below)
		peft_norm_back(run, l->lin[PEFT_Q].site - 1, run->dx,
		    run->dnormed, s->x);
}

void
peft_backward(struct peft_run *run)
{
	int l, last = (int)run->net->config.layers - 1;

	for (l = last; l >= run->lowest; l--) {
		if (run->caps.recompute && l < last)
			peft_forward_again(run, (size_t)l);
		mlp_back(run, (size_t)l, &run->saved[l]);
		attention_back(run, (size_t)l, &run->saved[l],
		    l > run->lowest || run->deep);
	}
	if (run->lowest == 0 && run->deep) {
		peft_virtual_embed_back(run, run->dx);
		peft_hooks_backward(run, &run->net->sites.at[0], run->ranges,
		    run->nranges, run->ident, NULL, 0, run->dx,
		    run->net->config.hidden, NULL, 0, NULL);
	}
	peft_hooks_end(run);
}
