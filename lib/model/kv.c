/* SPDX-License-Identifier: Apache-2.0 */
/* Caches of keys and values: pages out of a pool. */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/net-impl.h"

static size_t
pages_for(size_t tokens)
{
	return (tokens + PEFT_PAGE - 1) / PEFT_PAGE;
}

/* A pass before the pass has keys and values of its own. */
static size_t
layers_of(const struct peft_net *net)
{
	return net->config.layers * (net->sites.scouts != NULL ? 2 : 1);
}

static size_t
bytes_of_each(const struct peft_net *net)
{
	return peft_cpu_computes(net->cpu) == PEFT_COMPUTE_F32 ?
	    sizeof(float) : sizeof(uint16_t);
}

static size_t
page_bytes(const struct peft_net *net)
{
	const struct peft_config *c = &net->config;

	return layers_of(net) * PEFT_PAGE * c->kv_heads * (c->head_dim +
	    c->v_dim) * bytes_of_each(net);
}

size_t
peft_pages_bytes(const struct peft_net *net, size_t tokens)
{
	size_t bytes;

	if (__builtin_mul_overflow(pages_for(tokens), page_bytes(net),
	    &bytes))
		return SIZE_MAX;
	return bytes;
}

struct peft_pages *
peft_pages_open(const struct peft_net *net, size_t tokens,
    struct peft_err *err)
{
	const struct peft_config *c = &net->config;
	struct peft_pages *p = peft_calloc(1, sizeof(*p), err);
	size_t i;

	if (p == NULL)
		return NULL;
	*p = (struct peft_pages){ .layers = layers_of(net),
	    .kdim = c->kv_heads * c->head_dim, .vdim = c->kv_heads * c->v_dim,
	    .n = pages_for(tokens), .each = bytes_of_each(net),
	    .bytes = page_bytes(net) };
	(void)peft_arena_get(&p->arena, p->n, p->bytes);
	p->users = peft_calloc(p->n, sizeof(*p->users), err);
	p->free = peft_calloc(p->n, sizeof(*p->free), err);
	if (p->users == NULL || p->free == NULL ||
	    peft_arena_reserve(&p->arena, err) == -1) {
		peft_seterr(err, "no memory for a cache of %zu tokens",
		    tokens);
		peft_pages_close(p);
		return NULL;
	}
	p->data = peft_arena_get(&p->arena, p->n, p->bytes);
	for (i = p->n; i > 0; i--)		/* the first is taken first */
		p->free[p->nfree++] = (uint32_t)(i - 1);
	return p;
}

void
peft_pages_close(struct peft_pages *p)
{
	if (p == NULL)
		return;
	peft_arena_free(&p->arena);
	free(p->users);
	free(p->free);
	free(p);
}

size_t
peft_pages_left(const struct peft_pages *p)
{
	return p->nfree * PEFT_PAGE;
}

struct peft_kv *
peft_kv_new(struct peft_pages *pool, struct peft_err *err)
{
	struct peft_kv *kv = peft_calloc(1, sizeof(*kv), err);

	if (kv != NULL)
		kv->pool = pool;
	return kv;
}

struct peft_kv *
peft_kv_open(const struct peft_net *net, size_t n, struct peft_err *err)
{
	size_t all = n + peft_sites_virtual(&net->sites, -1);
	struct peft_pages *pool = peft_pages_open(net, all, err);
	struct peft_kv *kv = pool == NULL ? NULL : peft_kv_new(pool, err);

	if (kv == NULL) {
		peft_pages_close(pool);
		return NULL;
	}
	kv->own = true;
	if (!peft_kv_reserve(kv, all)) {
		peft_seterr(err, "no memory for a cache of %zu tokens", n);
		peft_kv_close(kv);
		return NULL;
	}
	return kv;
}

/* Give back all pages but the first n. */
static void
keep_pages(struct peft_kv *kv, size_t n)
{
	struct peft_pages *p = kv->pool;

	while (kv->npages > n) {
		uint32_t page = kv->page[--kv->npages];

		if (--p->users[page] == 0)
			p->free[p->nfree++] = page;
	}
}

void
peft_kv_close(struct peft_kv *kv)
{
	if (kv == NULL)
		return;
	keep_pages(kv, 0);
	if (kv->own)
		peft_pages_close(kv->pool);
	free(kv->page);
	free(kv);
}

static bool
make_room(struct peft_kv *kv, size_t n)
{
	uint32_t *grown;

	if (n <= kv->room)
		return true;
	if ((grown = reallocarray(kv->page, n, sizeof(*grown))) == NULL)
		return false;
	kv->page = grown;
	kv->room = n;
	return true;
}

bool
peft_kv_reserve(struct peft_kv *kv, size_t n)
{
	struct peft_pages *p = kv->pool;
	size_t want = pages_for(n);

	if (want <= kv->npages)
		return true;
	if (want - kv->npages > p->nfree || !make_room(kv, want))
		return false;
	while (kv->npages < want) {
		uint32_t page = p->free[--p->nfree];

		p->users[page] = 1;
		kv->page[kv->npages++] = page;
	}
	return true;
}

size_t
peft_kv_len(const struct peft_kv *kv)
{
	return kv->len - kv->virtuals;
}

/* A cache with a pool of its own keeps its pages: nobody else wants them. */
size_t
peft_kv_cut(struct peft_kv *kv, size_t len)
{
	size_t end = len == 0 ? 0 : len + kv->virtuals;

	if (end < kv->len)
		kv->len = end;
	if (kv->len % PEFT_PAGE != 0 &&
	    kv->pool->users[kv->page[kv->len / PEFT_PAGE]] > 1)
		kv->len -= kv->len % PEFT_PAGE;
	if (kv->len <= kv->virtuals)
		kv->len = kv->virtuals = 0;
	if (kv->invoked > kv->len)
		kv->invoked = 0;
	if (!kv->own)
		keep_pages(kv, pages_for(kv->len));
	return peft_kv_len(kv);
}

size_t
peft_kv_share(struct peft_kv *dst, const struct peft_kv *src, size_t n)
{
	struct peft_pages *p = dst->pool;
	size_t whole = (n < src->len ? n : src->len) / PEFT_PAGE, i;

	if (src->virtuals > 0 || src->pool != p || dst->len > 0 ||
	    !make_room(dst, whole))
		return 0;
	keep_pages(dst, 0);
	for (i = 0; i < whole; i++) {
		p->users[src->page[i]]++;
		dst->page[i] = src->page[i];
	}
	dst->npages = whole;
	dst->len = whole * PEFT_PAGE;
	dst->invoked = src->invoked > dst->len ? 0 : src->invoked;
	return dst->len;
}

/* What is i numbers of each token into a layer of a page. */
static void *
page_at(const struct peft_run *run, const struct peft_kv *kv, size_t page,
    size_t layer, size_t i)
{
	const struct peft_pages *p = kv->pool;

	layer += run->scouting ? p->layers / 2 : 0;
	return p->data + kv->page[page] * p->bytes + PEFT_PAGE * p->each *
	    (layer * (p->kdim + p->vdim) + i);
}

void *
peft_page_keys(const struct peft_run *run, const struct peft_kv *kv,
    size_t page, size_t layer, size_t head)
{
	return page_at(run, kv, page, layer, head *
	    run->net->config.head_dim);
}

void *
peft_page_values(const struct peft_run *run, const struct peft_kv *kv,
    size_t page, size_t layer, size_t head)
{
	return page_at(run, kv, page, layer, kv->pool->kdim + head *
	    run->net->config.v_dim);
}
