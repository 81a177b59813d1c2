/* SPDX-License-Identifier: Apache-2.0 */
/* The backward pass: gradients of the adapters, and of what they need. */

#include "model/net-impl.h"

/*
 * The reverse of linears() in forward.c: given the gradients of n outputs,
 * adapters' gradients, and dx = the gradient of the input they share (NULL:
 * nothing below is trained).
 */
static void
linears_back(struct peft_run *run, const struct peft_linear *lin,
    float *const *saved, const float *x, size_t ldx, float *dx,
    const struct peft_product *dy, size_t n)
{
	size_t i;

	if (dx != NULL)
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
	peft_op_norm(run, run->normed, s->mid, l->mlp_norm, run->T);
	linears_back(run, &l->lin[PEFT_GATE], &s->hook[PEFT_GATE], run->normed,
	    c->hidden, run->dnormed, in, 2);
	peft_op_norm_back(run, run->dx, run->dnormed, s->mid, l->mlp_norm,
	    run->T);
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
	peft_op_rope(run, run->dqkv, -1);
	peft_op_norm(run, run->normed, s->x, l->attn_norm, run->T);
	linears_back(run, &l->lin[PEFT_Q], &s->hook[PEFT_Q], run->normed,
	    c->hidden, below ? run->dnormed : NULL, in, 3);
	if (below)
		peft_op_norm_back(run, run->dx, run->dnormed, s->x,
		    l->attn_norm, run->T);
}

void
peft_backward(struct peft_run *run)
{
	int l, last = (int)run->net->config.layers - 1;

	for (l = last; l >= run->lowest; l--) {
		if (run->caps.recompute && l < last)
			peft_forward_again(run, (size_t)l);
		peft_unstash(run, &run->saved[l]);
		mlp_back(run, (size_t)l, &run->saved[l]);
		attention_back(run, (size_t)l, &run->saved[l],
		    l > run->lowest);
	}
}
