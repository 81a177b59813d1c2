/* SPDX-License-Identifier: Apache-2.0 */
/* Attention by tiles: which keys a block of queries meets, and packing. */

#include <math.h>
#include <string.h>

#include "model/attention-impl.h"

size_t
peft_asked_at(const struct peft_asked *a, size_t node, size_t i)
{
	return a->token == NULL ? i : a->token[i] - node;
}

/* Where row i of the block is in its sequence. */
static size_t
place(const struct peft_bunch *q, size_t i)
{
	return q->past + peft_asked_at(q->asked, q->node, q->i0 + i);
}

/* The first key that row i sees. */
static size_t
first_seen(const struct peft_bunch *q, size_t i)
{
	size_t end = place(q, i) + 1;

	return end > q->window ? end - q->window : 0;
}

/* Add rows first .. first+m, if they see a key of the tile. */
static void
add_half(const struct peft_bunch *q, struct peft_tile_of_keys *t,
    size_t first, size_t m)
{
	size_t end = peft_least(place(q, first + m - 1) + 1, t->k1), n;

	if (end <= t->k0)
		return;
	n = peft_pack_up(end - t->k0);
	if (t->halves > 0 && t->half[t->halves - 1].n == n)
		t->half[t->halves - 1].m += m;
	else
		t->half[t->halves++] = (struct peft_half){ first, m, n };
}

bool
peft_tile_next(const struct peft_bunch *q, struct peft_tile_of_keys *t)
{
	size_t last = place(q, q->m - 1) + 1, i;

	t->begins = t->k1 == 0;
	t->k0 = t->begins ? first_seen(q, 0) / PEFT_PANEL * PEFT_PANEL :
	    t->k1;
	if (t->k0 >= last)
		return false;
	t->k1 = peft_least(last, (t->k0 / PEFT_KEYS + 1) * PEFT_KEYS);
	t->halves = 0;
	for (i = 0; i < q->m; i += PEFT_HALF)
		add_half(q, t, i, peft_least(PEFT_HALF, q->m - i));
	return true;
}

bool
peft_tile_seen(const struct peft_bunch *q,
    const struct peft_tile_of_keys *t, size_t i, struct peft_seen *s)
{
	size_t from = first_seen(q, i), end = place(q, i) + 1;

	if (end <= t->k0 || from >= t->k1)
		return false;
	s->from = from > t->k0 ? from - t->k0 : 0;
	s->end = peft_least(end, t->k1) - t->k0;
	s->first = t->k0 + s->from;
	s->ahead = end - 1 - s->first;
	return true;
}

float
peft_tile_mask(const struct peft_run *run, size_t head, float *s, size_t n,
    const struct peft_seen *seen)
{
	const struct peft_traits *t = &run->net->config.t;
	float scale = (float)t->attn_scale;
	size_t j;

	if (t->attn_cap > 0 || run->net->slopes != NULL || !(scale >= 0)) {
		run->vec->scale(s + seen->from, scale, seen->end - seen->from);
		peft_scores(run, head, s + seen->from, seen->end - seen->from,
		    seen->first, seen->ahead);
		scale = 1;
	}
	for (j = 0; j < seen->from; j++)
		s[j] = -INFINITY;
	for (j = seen->end; j < n; j++)
		s[j] = -INFINITY;
	return scale;
}

const float *
peft_bunch_rows(const struct peft_bunch *q, const float *src, size_t *ld,
    float *copy, size_t n)
{
	size_t i;

	if (q->asked->token == NULL)
		return src + q->i0 * *ld;
	for (i = 0; i < q->m; i++)
		memcpy(copy + i * n, src + peft_asked_at(q->asked, q->node,
		    q->i0 + i) * *ld, n * sizeof(*copy));
	*ld = n;
	return copy;
}

/* m tokens from `at' on of the sequence that ends with the node: where they
 * are, or copied. */
static const float *
tokens_of(const struct peft_run *run, size_t node,
    const struct peft_packing *p, size_t at, size_t m, size_t *ld)
{
	const struct peft_node *n;
	size_t i;

	for (; node != SIZE_MAX; node = n->parent) {
		n = &run->tree.nodes[node];
		if (at >= n->depth && at + m <= n->depth + n->n) {
			*ld = p->lds;
			return p->src + (n->first + at - n->depth) * p->lds;
		}
		for (i = 0; i < m; i++)
			if (at + i >= n->depth && at + i < n->depth + n->n)
				memcpy(p->copy + i * p->n, p->src + (n->first +
				    at + i - n->depth) * p->lds, p->n *
				    sizeof(*p->copy));
	}
	*ld = p->n;
	return p->copy;
}

void
peft_attention_pack(const struct peft_run *run, size_t node,
    const struct peft_packer *e, const struct peft_packing *p)
{
	const struct peft_node *n = &run->tree.nodes[node];
	size_t all = n->depth + n->n, deep = peft_pack_up(p->n), at, m, ld;

	for (at = p->from / PEFT_PANEL * PEFT_PANEL; at < all;
	    at += PEFT_PANEL) {
		const float *src;

		m = peft_least(PEFT_PANEL, all - at);
		src = tokens_of(run, node, p, at, m, &ld);
		if (p->rows != NULL)
			peft_pack_rows(e, src, ld, m, p->n, peft_pack_at(e,
			    p->rows, at * deep), 0);
		if (p->cols != NULL)
			peft_pack_cols(e, src, ld, m, p->n, peft_pack_at(e,
			    p->cols, at * PEFT_PANEL), p->ldc);
	}
}

/* If that is work for all threads. */
size_t
peft_heads_together(const struct peft_run *run, size_t stretches)
{
	enum { SHARES = 8 };		/* tasks for each thread more */
	const struct peft_config *c = &run->net->config;

	return stretches * c->kv_heads < SHARES *
	    (size_t)(peft_cpu_threads(run->net->cpu) - 1) ? 1 :
	    c->heads / c->kv_heads;
}

/* Queries by the keys they see, twice: scores, and sums of values. */
double
peft_attention_work(const struct peft_run *run, size_t layer)
{
	const struct peft_config *c = &run->net->config;
	size_t window = peft_config_window(c, layer), node, i, seen;
	double pairs = 0;

	if (!peft_profile_on(run->net->cpu))
		return 0;
	for (node = 0; node < run->tree.n; node++) {
		const struct peft_node *n = &run->tree.nodes[node];
		const struct peft_kv *kv = run->seqs[run->tree.order[n->lo]].kv;
		struct peft_asked ask = peft_asked(run, layer, node);

		for (i = 0; i < ask.n; i++) {
			seen = peft_asked_at(&ask, n->first, i) + 1 +
			    n->depth + (kv == NULL ? 0 : kv->len);
			pairs += (double)(seen < window ? seen : window);
		}
	}
	return 2 * pairs * (double)(c->heads * (c->head_dim + c->v_dim));
}
