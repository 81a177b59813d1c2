/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention through a cache.  One query at a time against the pages of its
 * sequence: the sums are the same however many tokens come at once and
 * whosever the pages are, so that a text does not depend on what else is in
 * work.
 */

#include <math.h>
#include <string.h>

#include "model/net-impl.h"

static struct peft_kv *
cache_of(const struct peft_run *run, const struct peft_node *node)
{
	return run->seqs[run->tree.order[node->lo]].kv;
}

void
peft_attention_fill(struct peft_run *run, const struct peft_node *node,
    size_t layer, const float *qkv)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	struct peft_kv *kv = cache_of(run, node);
	const float *row = qkv + node->first * at->ld, *from;
	size_t t, h, d, page, slot;
	float *k;

	for (t = 0; kv != NULL && t < node->n; t++, row += at->ld)
		for (h = 0; h < c->kv_heads; h++) {
			page = (kv->len + t) / PEFT_PAGE;
			slot = (kv->len + t) % PEFT_PAGE;
			k = peft_page_keys(run, kv, page, layer, h);
			from = row + at->k + h * at->kstep;
			for (d = 0; d < c->head_dim; d++)
				k[d * PEFT_PAGE + slot] = from[d];
			memcpy(peft_page_values(run, kv, page, layer, h) +
			    slot * c->v_dim, row + at->v + h * at->vstep,
			    c->v_dim * sizeof(*k));
		}
}

/* One query of a head, which sees keys lo .. end of its sequence. */
struct look {
	const struct peft_kv	*kv;
	size_t			 layer, head, group;
	size_t			 lo, end;
};

/* What a sink leaves of the weights: exp(lse) / (exp(lse) + exp(sink)). */
static float
share_left(float lse, float sink)
{
	return 1 / (1 + expf(sink - lse));
}

static float
attend(const struct peft_run *run, const struct look *l, const float *q,
    float *out, float *s)
{
	const struct peft_config *c = &run->net->config;
	const float *sinks = run->net->layers[l->layer].sinks;
	size_t first = l->lo / PEFT_PAGE, i, from, n;
	float lse, less;

	for (i = first; i * PEFT_PAGE < l->end; i++)
		run->vec->page_scores(s + i * PEFT_PAGE, q,
		    peft_page_keys(run, l->kv, i, l->layer, l->group),
		    c->head_dim, (float)c->t.attn_scale);
	peft_scores(run, l->head, s + l->lo, l->end - l->lo,
	    l->end - l->lo - 1);
	lse = run->vec->softmax(s + l->lo, l->end - l->lo);
	memset(out, 0, c->v_dim * sizeof(*out));
	for (i = first; i * PEFT_PAGE < l->end; i++) {
		from = i == first ? l->lo % PEFT_PAGE : 0;
		n = l->end - i * PEFT_PAGE;
		n = (n < PEFT_PAGE ? n : PEFT_PAGE) - from;
		run->vec->page_values(out, s + i * PEFT_PAGE + from,
		    peft_page_values(run, l->kv, i, l->layer, l->group) +
		    from * c->v_dim, c->v_dim, n);
	}
	if (sinks == NULL)
		return lse;
	less = share_left(lse, sinks[l->head]);
	run->vec->scale(out, less, c->v_dim);
	return lse - logf(less);
}

void
peft_attention_kv(const struct peft_run *run, const struct peft_node *node,
    size_t layer, size_t head, const struct peft_asked *ask,
    const float *qkv, float *out, float *lse, float *scores)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	size_t rep = c->heads / c->kv_heads, i, at_node, row;
	size_t window = peft_config_window(c, layer);
	struct look l = { .kv = cache_of(run, node), .layer = layer,
	    .head = head, .group = head / rep };

	for (i = 0; i < ask->n; i++) {
		at_node = peft_asked_at(ask, node->first, i);
		row = ask->first + i;
		l.end = l.kv->len + at_node + 1;
		l.lo = l.end > window ? l.end - window : 0;
		lse[row * c->heads + head] = attend(run, &l, qkv +
		    (node->first + at_node) * at->ld + l.group * at->group +
		    head % rep * at->q, out + (row * c->heads + head) *
		    c->v_dim, scores);
	}
}
