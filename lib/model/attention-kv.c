/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attention through a cache: queries against the pages of their sequence.
 * Some that follow each other meet a page together, or those of one token that
 * have the same keys, with the sums that each has alone: they are the same
 * however many tokens come at once and whosever the pages are, so that a text
 * does not depend on what else is in work.
 */

#include <math.h>
#include <string.h>

#include "math/pack.h"
#include "model/attention-impl.h"

static struct peft_kv *
cache_of(const struct peft_run *run, const struct peft_node *node)
{
	return run->seqs[run->tree.order[node->lo]].kv;
}

static bool
is_rounded(const struct peft_kv *kv)
{
	return kv->pool->each == sizeof(uint16_t);
}

/* A token's key is a column of its page, its value a row. */
static void
put_key(const struct peft_run *run, const struct peft_kv *kv, void *page,
    size_t slot, const float *from, void *room)
{
	size_t n = run->net->config.head_dim, d;
	uint16_t *rounded = room;

	if (!is_rounded(kv)) {
		for (d = 0; d < n; d++)
			((float *)page)[d * PEFT_PAGE + slot] = from[d];
		return;
	}
	peft_stash_round(run, rounded, from, n);
	for (d = 0; d < n; d++)
		((uint16_t *)page)[d * PEFT_PAGE + slot] = rounded[d];
}

static void
put_value(const struct peft_run *run, const struct peft_kv *kv, void *page,
    size_t slot, const float *from)
{
	size_t n = run->net->config.v_dim;

	if (is_rounded(kv))
		peft_stash_keep(run, (uint16_t *)page + slot * n, from, n);
	else
		memcpy((float *)page + slot * n, from, n * sizeof(*from));
}

void
peft_attention_fill(struct peft_run *run, const struct peft_node *node,
    size_t layer, const float *qkv, float *scratch)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	struct peft_kv *kv = cache_of(run, node);
	const float *row = qkv + node->first * at->ld;
	size_t t, h, page, slot;

	for (t = 0; kv != NULL && t < node->n; t++, row += at->ld)
		for (h = 0; h < c->kv_heads; h++) {
			page = (kv->len + t) / PEFT_PAGE;
			slot = (kv->len + t) % PEFT_PAGE;
			put_key(run, kv, peft_page_keys(run, kv, page, layer,
			    h), slot, row + at->k + h * at->kstep, scratch);
			put_value(run, kv, peft_page_values(run, kv, page,
			    layer, h), slot, row + at->v + h * at->vstep);
		}
}

/*
 * m queries: of a head and tokens one after the other, the first of which sees
 * keys .. end of its sequence; or of one token, and as many heads from one on
 * that have the same keys.
 */
struct look {
	const struct peft_kv	*kv;
	size_t			 layer, head, group;
	size_t			 window, end, m;
	bool			 heads;
	size_t			 lds;		/* of a query's scores */
	size_t			 ldq, ldo, ldl;	/* queries, sums, lse */
};

static size_t
head_of(const struct look *l, size_t i)
{
	return l->heads ? l->head + i : l->head;
}

/* Query i sees keys from .. from+n. */
static size_t
seen(const struct look *l, size_t i, size_t *from)
{
	size_t end = l->heads ? l->end : l->end + i;

	*from = end > l->window ? end - l->window : 0;
	return end - *from;
}

/* The first page that any sees, and the one behind the last. */
static size_t
pages(const struct look *l, size_t *end)
{
	size_t from, n = seen(l, l->m - 1, &from);

	*end = (from + n + PEFT_PAGE - 1) / PEFT_PAGE;
	(void)seen(l, 0, &from);
	return from / PEFT_PAGE;
}

static const void *
keys(const struct peft_run *run, const struct look *l, size_t page,
    size_t group)
{
	return peft_page_keys(run, l->kv, page, l->layer, group);
}

static const void *
values(const struct peft_run *run, const struct look *l, size_t page)
{
	return peft_page_values(run, l->kv, page, l->layer, l->group);
}

/* Behind the last keys come the first values. */
static void
weigh(const struct peft_run *run, const struct look *l, const float *q,
    float *s, float *lse)
{
	const struct peft_config *c = &run->net->config;
	size_t first, end, from, n, i;
	struct peft_page k;

	first = pages(l, &end);
	k = (struct peft_page){ .next = keys(run, l, first, l->group),
	    .bf16 = is_rounded(l->kv) };
	for (i = first; i < end; i++) {
		k.at = k.next;
		k.next = i + 1 < end ? keys(run, l, i + 1, l->group) :
		    values(run, l, first);
		run->vec->page_scores(s + i * PEFT_PAGE, l->lds, q, l->ldq,
		    l->m, &k, c->head_dim, (float)c->t.attn_scale);
	}
	for (i = 0; i < l->m; i++, s += l->lds) {
		n = seen(l, i, &from);
		peft_scores(run, head_of(l, i), s + from, n, from, n - 1);
		lse[i * l->ldl] = run->vec->softmax(s + from, n);
	}
}

/* The sum of a page's values for each query, of what it sees of them. */
static void
add_page(const struct peft_run *run, const struct look *l,
    const struct peft_page *v, size_t page, const float *s, float *out)
{
	size_t n = run->net->config.v_dim, each = l->kv->pool->each;
	size_t first = page * PEFT_PAGE, i, from, end;
	struct peft_page part = *v;

	(void)seen(l, l->m - 1, &from);
	if (from <= first && first + PEFT_PAGE <= l->end) {
		run->vec->page_values(out, l->ldo, s + first, l->lds, l->m, v,
		    n, PEFT_PAGE);
		return;
	}
	for (i = 0; i < l->m; i++, s += l->lds, out += l->ldo) {
		end = seen(l, i, &from) + from;
		from = from > first ? from : first;
		end = end < first + PEFT_PAGE ? end : first + PEFT_PAGE;
		part.at = (const char *)v->at + (from - first) * n * each;
		if (from < end)
			run->vec->page_values(out, 0, s + from, 0, 1, &part, n,
			    end - from);
	}
}

/* Behind the last values come the first keys of the next heads. */
static void
add_values(const struct peft_run *run, const struct look *l, const float *s,
    float *out)
{
	size_t first, end, i;
	struct peft_page v;

	first = pages(l, &end);
	v = (struct peft_page){ .next = values(run, l, first),
	    .bf16 = is_rounded(l->kv) };
	for (i = first; i < end; i++) {
		v.at = v.next;
		if (i + 1 < end)
			v.next = values(run, l, i + 1);
		else if (l->group + 1 < run->net->config.kv_heads)
			v.next = keys(run, l, first, l->group + 1);
		add_page(run, l, &v, i, s, out);
	}
}

/* What a sink leaves of the weights: exp(lse) / (exp(lse) + exp(sink)). */
static float
share_left(float lse, float sink)
{
	return 1 / (1 + expf(sink - lse));
}

static void
attend(const struct peft_run *run, const struct look *l, const float *q,
    float *out, float *lse, float *s)
{
	const struct peft_config *c = &run->net->config;
	const float *sinks = run->net->layers[l->layer].sinks;
	size_t i;
	float less;

	weigh(run, l, q, s, lse);
	for (i = 0; i < l->m; i++)
		memset(out + i * l->ldo, 0, c->v_dim * sizeof(*out));
	add_values(run, l, s, out);
	for (i = 0; sinks != NULL && i < l->m; i++) {
		less = share_left(lse[i * l->ldl], sinks[head_of(l, i)]);
		run->vec->scale(out + i * l->ldo, less, c->v_dim);
		lse[i * l->ldl] -= logf(less);
	}
}

size_t
peft_attention_kv_scratch(const struct peft_run *run)
{
	return PEFT_TOGETHER * peft_pack_up(run->caps.seq) +
	    peft_pack_up(run->net->config.head_dim);
}

/* How many that are asked for, from i on, follow each other. */
static size_t
together(const struct peft_asked *ask, size_t first, size_t i)
{
	size_t m = 1, at = peft_asked_at(ask, first, i);

	while (m < PEFT_TOGETHER && i + m < ask->n &&
	    peft_asked_at(ask, first, i + m) == at + m)
		m++;
	return m;
}

void
peft_attention_kv(const struct peft_run *run, const struct peft_node *node,
    size_t layer, size_t head, const struct peft_asked *ask,
    const float *qkv, float *out, float *lse, float *scratch)
{
	const struct peft_config *c = &run->net->config;
	const struct peft_heads_at *at = &run->net->at;
	size_t rep = c->heads / c->kv_heads, i, at_node, row;
	struct look l = { .kv = cache_of(run, node), .layer = layer,
	    .head = head, .group = head / rep, .heads = ask->n == 1,
	    .window = peft_config_window(c, layer),
	    .lds = peft_pack_up(run->caps.seq), .ldq = at->ld,
	    .ldo = c->heads * c->v_dim, .ldl = c->heads };

	if (l.heads) {
		if (head % rep % PEFT_QUERIES != 0)
			return;		/* it went with one before */
		l.ldq = at->q;
		l.ldo = c->v_dim;
		l.ldl = 1;
	}
	for (i = 0; i < ask->n; i += l.heads ? 1 : l.m) {
		at_node = peft_asked_at(ask, node->first, i);
		row = ask->first + i;
		l.m = !l.heads ? together(ask, node->first, i) :
		    rep - head % rep < PEFT_QUERIES ? rep - head % rep :
		    PEFT_QUERIES;
		l.end = l.kv->len + at_node + 1;
		attend(run, &l, qkv + (node->first + at_node) * at->ld +
		    l.group * at->group + head % rep * at->q, out +
		    (row * c->heads + head) * c->v_dim, lse + row * c->heads +
		    head, scratch);
	}
}
