/* SPDX-License-Identifier: Apache-2.0 */
/* The modules of a model, and the check that its weights are all there. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/site-impl.h"

/* What is being filled in. */
struct fill {
	struct peft_sites		*sites;
	const struct peft_config	*c;
	const struct peft_source	*src;
	bool				*used;
};

/* path.suffix in the source; or, where a model was saved without its head,
 * the same without the path's first part. */
static size_t
find(const struct peft_source *src, const struct peft_site *site,
    const char *suffix, const char **stem)
{
	const char *rest = strchr(site->path, '.');
	char name[512];
	size_t i;

	*stem = site->path;
	snprintf(name, sizeof(name), "%s.%s", site->path, suffix);
	if ((i = peft_source_find(src, name)) != SIZE_MAX || rest == NULL)
		return i;
	snprintf(name, sizeof(name), "%s.%s", rest + 1, suffix);
	if ((i = peft_source_find(src, name)) != SIZE_MAX)
		*stem = rest + 1;
	return i;
}

/* Does the source (a GGUF) have this weight [out, in], where the family has
 * [in, out]? */
static bool
is_turned(const struct fill *f, const struct peft_site *site)
{
	const char *stem;
	size_t i = find(f->src, site, "weight", &stem);

	return i != SIZE_MAX && peft_source_at(f->src, i)->turned;
}

/* Find path.suffix in the source and check its shape [rows, cols], or
 * [cols] where rows is 0; mark it as used. */
static int
claim(const struct fill *f, struct peft_site *site, const char *suffix,
    size_t rows, size_t cols, size_t *index, struct peft_err *err)
{
	const struct peft_weight *w;

	*index = find(f->src, site, suffix, &site->stem);
	if (*index == SIZE_MAX)
		return peft_seterr(err, "weight %s.%s is missing", site->path,
		    suffix);
	w = peft_source_at(f->src, *index);
	if (rows == 0 ? w->ndim != 1 || w->shape[0] != cols :
	    w->ndim != 2 || w->shape[0] != rows || w->shape[1] != cols)
		return peft_seterr(err, "weight %s has shape [%zu, %zu], the "
		    "config calls for [%zu, %zu]", w->name, w->rows, w->cols,
		    rows == 0 ? 1 : rows, cols);
	f->used[*index] = true;
	return 0;
}

/* A site without its weights. */
static struct peft_site *
new_site(const struct fill *f, enum peft_site_kind kind, int layer, int slot,
    const char *path, struct peft_form shape, struct peft_err *err)
{
	struct peft_site *site = &f->sites->at[f->sites->n];

	*site = (struct peft_site){ .kind = kind, .layer = layer,
	    .slot = slot, .in = shape.in, .out = shape.out,
	    .weight = SIZE_MAX, .bias = SIZE_MAX, .sinks = SIZE_MAX,
	    .fresh = kind == PEFT_HEAD && f->c->headless };
	if ((site->path = site->stem = peft_strdup(path, err)) == NULL)
		return NULL;
	f->sites->n++;
	return site;
}

static int
add_site(const struct fill *f, int layer, int slot, const char *path,
    struct peft_err *err)
{
	const struct peft_traits *t = &f->c->t;
	struct peft_form s = peft_slot_of(f->c, slot);
	enum peft_site_kind kind = peft_slot_kind(slot);
	struct peft_site *site = new_site(f, kind, layer, slot, path, s, err);
	bool table = kind == PEFT_EMBEDDING || kind == PEFT_POSITION;

	if (site == NULL)
		return -1;
	site->transposed = t->transposed & PEFT_BIT(slot) &&
	    !is_turned(f, site);
	table |= site->transposed;
	site->heads = s.heads;
	if (claim(f, site, "weight", kind == PEFT_NORM ? s.heads :
	    table ? s.in : s.out, table ? s.out : s.in, &site->weight,
	    err) == -1)
		return -1;
	if (t->bias & PEFT_BIT(slot) && kind != PEFT_EMBEDDING &&
	    kind != PEFT_POSITION)
		return claim(f, site, "bias", 0, s.out, &site->bias, err);
	return 0;
}

/* "layers.N." and a name in which # stands for the number of the expert. */
static void
expert_path(char *path, size_t size, const char *layers, size_t layer,
    const char *name, size_t e)
{
	const char *hash = strchr(name, '#');
	int n = (int)(hash == NULL ? strlen(name) : (size_t)(hash - name));
	int at = snprintf(path, size, "%s.%zu.%.*s", layers, layer, n, name);

	if (hash != NULL && at > 0 && (size_t)at < size)
		snprintf(path + at, size - (size_t)at, "%zu%s", e, hash + 1);
}

/* Gate, up and down of expert e; or of the one that all tokens pass, which
 * stands in their slots. */
static int
add_expert(const struct fill *f, size_t layer, const char *const *names,
    size_t e, size_t inter, bool shared, struct peft_err *err)
{
	static const int slots[] = { PEFT_GATE, PEFT_UP, PEFT_DOWN };
	size_t D = f->c->hidden;
	struct peft_form shape[] = { { D, inter, 0 }, { D, inter, 0 },
	    { inter, D, 0 } };
	struct peft_site *site;
	char path[256];
	int i;

	for (i = 0; i < 3; i++) {
		expert_path(path, sizeof(path), f->c->family->layers, layer,
		    names[i], e);
		site = new_site(f, shared ? PEFT_LINEAR : PEFT_EXPERT,
		    (int)layer, shared ? slots[i] : PEFT_NMODULE, path,
		    shape[i], err);
		if (site == NULL || claim(f, site, "weight", site->out,
		    site->in, &site->weight, err) == -1 ||
		    (f->c->t.expert_bias && !shared && claim(f, site, "bias",
		    0, site->out, &site->bias, err) == -1))
			return -1;
	}
	return 0;
}

static int
add_layer(const struct fill *f, size_t layer, struct peft_err *err)
{
	const struct peft_config *c = f->c;
	const struct peft_family *family = c->family;
	char path[256];
	size_t e;
	int slot;

	for (slot = 0; slot < PEFT_NSLOT; slot++) {
		if (!peft_config_has(c, layer, slot) ||
		    c->t.bare & PEFT_BIT(slot))
			continue;
		snprintf(path, sizeof(path), "%s.%zu.%s", family->layers,
		    layer, family->slot[slot]);
		if (add_site(f, (int)layer, slot, path, err) == -1)
			return -1;
	}
	if (!(c->layer[layer] & PEFT_LAYER_EXPERTS))
		return 0;
	for (e = 0; e < c->experts; e++)
		if (add_expert(f, layer, family->expert, e, c->expert_inter,
		    false, err) == -1)
			return -1;
	return c->shared_inter == 0 ? 0 : add_expert(f, layer, family->shared,
	    0, c->shared_inter, true, err);
}

/* transformers has given a module another name, and the weight not. */
static int
rename_head(const struct fill *f, struct peft_err *err)
{
	const struct peft_family *family = f->c->family;
	struct peft_site *site = &f->sites->at[f->sites->n - 1];
	char *path;

	if (family->module == NULL || strcmp(site->path, family->head) != 0)
		return 0;
	if ((path = peft_strdup(family->module, err)) == NULL)
		return -1;
	free((char *)(uintptr_t)site->path);
	site->path = path;
	site->stem = family->head;
	return 0;
}

/* A tied head has no weight of its own; a copy of the embedding's that some
 * files hold all the same is allowed, and is then the head's weight. */
static int
add_head(const struct fill *f, struct peft_err *err)
{
	const char *head = f->c->head;
	char name[256];

	snprintf(name, sizeof(name), "%s.weight", head);
	if (!f->c->t.tied || peft_source_find(f->src, name) != SIZE_MAX)
		return add_site(f, -1, PEFT_AT_HEAD, head, err) == -1 ? -1 :
		    rename_head(f, err);
	return new_site(f, PEFT_HEAD, -1, PEFT_AT_HEAD, head,
	    peft_slot_of(f->c, PEFT_AT_HEAD), err) == NULL ? -1 : 0;
}

/* Behind all others, what has no weights: modules that hold the projections;
 * and where branches join the stream, by the adapters library's names. */
static int
add_places(const struct fill *f, struct peft_err *err)
{
	const struct peft_config *c = f->c;
	const char *o = c->family->slot[PEFT_O], *dot = strrchr(o, '.');
	const struct peft_form D = { c->hidden, c->hidden, 0 };
	const struct peft_form q = { c->heads * c->head_dim, c->heads *
	    c->v_dim, 0 };
	size_t i, n = c->layers;
	struct peft_site *site;
	char path[256];

	for (i = 0; i < 3 * n; i++) {
		bool join = i >= n;
		size_t layer = join ? (i - n) / 2 : i;

		snprintf(path, sizeof(path), "%s.%zu.%.*s", c->family->layers,
		    layer, join ? 64 : dot == NULL ? 0 : (int)(dot - o),
		    !join ? o : (i - n) % 2 == 0 ? "attention_adapters" :
		    "output_adapters");
		site = new_site(f, join ? PEFT_JOIN : PEFT_ATTENTION,
		    (int)layer, PEFT_NMODULE, path, join ? D : q, err);
		if (site == NULL || (!join && c->t.sinks && claim(f, site,
		    "sinks", 0, c->heads, &site->sinks, err) == -1))
			return -1;
	}
	return 0;
}

/* Behind these: the experts of each layer that has some, and their router, as
 * transformers' modules hold them. */
static int
add_stacks(const struct fill *f, size_t layer, struct peft_err *err)
{
	static const char *const names[PEFT_NSTACK] = {
		[PEFT_STACK_IN] = "mlp.experts.gate_up_proj",
		[PEFT_STACK_OUT] = "mlp.experts.down_proj",
		[PEFT_STACK_ROUTER] = ".weight",
	};
	const struct peft_config *c = f->c;
	const char *router = c->family->router;
	size_t D = c->hidden, I = c->expert_inter;
	struct peft_form shape[PEFT_NSTACK] = { { D, 2 * I, 0 }, { I, D, 0 },
	    { D, c->experts, 0 } };
	const struct peft_site *s = f->sites->at;
	struct peft_site *site;
	char path[256];
	int k;

	while (s->layer != (int)layer || s->slot != PEFT_ROUTER)
		s++;
	for (k = 0; k < PEFT_NSTACK; k++) {
		snprintf(path, sizeof(path), "%s.%zu.%s%s", c->family->layers,
		    layer, k != PEFT_STACK_ROUTER ? "" : router == NULL ?
		    "mlp.gate" : router, names[k]);
		site = new_site(f, PEFT_STACK, (int)layer, k, path, shape[k],
		    err);
		if (site == NULL)
			return -1;
		site->experts = k == PEFT_STACK_ROUTER ? 1 : c->experts;
		site->turns = k == PEFT_STACK_IN && c->t.expert_turns;
		site->part = k == PEFT_STACK_ROUTER ? s :
		    s + 1 + (k == PEFT_STACK_OUT ? 2 : 0);
	}
	return 0;
}

static int
add_outer(const struct fill *f, int slot, const char *path,
    struct peft_err *err)
{
	if (!(f->c->t.has & PEFT_BIT(slot)) || f->c->t.bare & PEFT_BIT(slot))
		return 0;
	return add_site(f, -1, slot, path, err);
}

static int
fill(const struct fill *f, struct peft_err *err)
{
	const struct peft_family *family = f->c->family;
	size_t i;

	if (add_outer(f, PEFT_AT_EMBED, family->embed, err) == -1 ||
	    add_outer(f, PEFT_AT_POSITION, family->position, err) == -1 ||
	    add_outer(f, PEFT_AT_EMBED_NORM, family->embed_norm, err) == -1)
		return -1;
	for (i = 0; i < f->c->layers; i++)
		if (add_layer(f, i, err) == -1)
			return -1;
	if (add_outer(f, PEFT_AT_NORM, family->norm, err) == -1 ||
	    add_head(f, err) == -1 || add_places(f, err) == -1)
		return -1;
	for (i = 0; i < f->c->layers; i++)
		if (f->c->layer[i] & PEFT_LAYER_EXPERTS &&
		    add_stacks(f, i, err) == -1)
			return -1;
	return peft_sites_all_used(f->c, f->src, f->used, err);
}

int
peft_sites_open(struct peft_sites *s, const struct peft_config *c,
    const struct peft_source *src, struct peft_err *err)
{
	struct fill f = { .sites = s, .c = c, .src = src };
	size_t most = c->layers * (PEFT_NSLOT + 3 * (c->experts + 1) + 3 +
	    PEFT_NSTACK) + PEFT_NMODULE - PEFT_NSLOT;
	size_t beside = c->layers * (3 + PEFT_NSTACK) + 2;
	int r = -1;

	/* each has a weight of its own, but for a tied head, one that is
	 * found to be missing, and the attention, joins and stacks of each
	 * layer */
	*s = (struct peft_sites){ .config = c };
	if (most > peft_source_count(src) + beside)
		most = peft_source_count(src) + beside;
	s->at = peft_calloc(most, sizeof(*s->at), err);
	f.used = peft_calloc(peft_source_count(src) + 1, sizeof(*f.used),
	    err);
	if (s->at != NULL && f.used != NULL)
		r = fill(&f, err);
	free(f.used);
	if (r == -1) {
		peft_sites_close(s);
		return peft_errprefix(err, "%s", peft_source_label(src));
	}
	return 0;
}
