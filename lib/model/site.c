/* SPDX-License-Identifier: Apache-2.0 */
/* The modules of a model, and the check that its weights are all there. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/site.h"

/* What a slot is, for the loop below: sizes are sums of these. */
struct shape {
	size_t	in, out;
	bool	bias;
};

static struct shape
slot_shape(const struct peft_config *c, enum peft_slot slot)
{
	size_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
	struct shape shape[PEFT_NSLOT] = {
		[PEFT_ATTN_NORM] = { c->hidden, c->hidden, false },
		[PEFT_Q] = { c->hidden, q, c->attn_bias },
		[PEFT_K] = { c->hidden, kv, c->attn_bias },
		[PEFT_V] = { c->hidden, kv, c->attn_bias },
		[PEFT_O] = { q, c->hidden, c->attn_bias },
		[PEFT_MLP_NORM] = { c->hidden, c->hidden, false },
		[PEFT_GATE] = { c->hidden, c->inter, c->mlp_bias },
		[PEFT_UP] = { c->hidden, c->inter, c->mlp_bias },
		[PEFT_DOWN] = { c->inter, c->hidden, c->mlp_bias },
	};

	return shape[slot];
}

static enum peft_site_kind
slot_kind(enum peft_slot slot)
{
	return slot == PEFT_ATTN_NORM || slot == PEFT_MLP_NORM ? PEFT_NORM :
	    PEFT_LINEAR;
}

/* Find path.suffix in the source and check its shape [rows, cols], or
 * [cols] where rows is 0; mark it as used. */
static int
claim(const struct peft_source *src, const char *path, const char *suffix,
    size_t rows, size_t cols, bool *used, size_t *index, struct peft_err *err)
{
	char name[512];
	const struct peft_weight *w;

	snprintf(name, sizeof(name), "%s.%s", path, suffix);
	if ((*index = peft_source_find(src, name)) == SIZE_MAX)
		return peft_seterr(err, "weight %s is missing", name);
	w = peft_source_at(src, *index);
	if (rows == 0 ? w->ndim != 1 || w->shape[0] != cols :
	    w->ndim != 2 || w->shape[0] != rows || w->shape[1] != cols)
		return peft_seterr(err, "weight %s has shape [%zu, %zu], the "
		    "config calls for [%zu, %zu]", name, w->rows, w->cols,
		    rows == 0 ? 1 : rows, cols);
	used[*index] = true;
	return 0;
}

static int
add_site(struct peft_sites *s, const struct peft_source *src,
    enum peft_site_kind kind, int layer, const char *path, struct shape shape,
    bool *used, struct peft_err *err)
{
	struct peft_site *site = &s->at[s->n];
	size_t rows = kind == PEFT_NORM ? 0 :
	    kind == PEFT_EMBEDDING ? shape.in : shape.out;
	size_t cols = kind == PEFT_EMBEDDING ? shape.out : shape.in;

	*site = (struct peft_site){ .kind = kind, .layer = layer,
	    .in = shape.in, .out = shape.out, .weight = SIZE_MAX,
	    .bias = SIZE_MAX };
	if ((site->path = peft_strdup(path, err)) == NULL)
		return -1;
	s->n++;
	if (claim(src, path, "weight", rows, cols, used, &site->weight,
	    err) == -1)
		return -1;
	if (shape.bias)
		return claim(src, path, "bias", 0, shape.out, used,
		    &site->bias, err);
	return 0;
}

static int
add_layer(struct peft_sites *s, const struct peft_config *c,
    const struct peft_source *src, size_t layer, bool *used,
    struct peft_err *err)
{
	char path[256];
	int slot;

	for (slot = 0; slot < PEFT_NSLOT; slot++) {
		snprintf(path, sizeof(path), "%s.%zu.%s", c->family->layers,
		    layer, c->family->slot[slot]);
		if (add_site(s, src, slot_kind(slot), (int)layer, path,
		    slot_shape(c, slot), used, err) == -1)
			return -1;
	}
	return 0;
}

/* A tied head has no weight of its own; a copy of the embedding's that some
 * files hold all the same is allowed, and is then the head's weight. */
static int
add_head(struct peft_sites *s, const struct peft_config *c,
    const struct peft_source *src, bool *used, struct peft_err *err)
{
	struct shape shape = { c->hidden, c->vocab, false };
	struct peft_site *site;
	char name[256];

	snprintf(name, sizeof(name), "%s.weight", c->family->head);
	if (!c->tied || peft_source_find(src, name) != SIZE_MAX)
		return add_site(s, src, PEFT_HEAD, -1, c->family->head, shape,
		    used, err);
	site = &s->at[s->n];
	*site = (struct peft_site){ .kind = PEFT_HEAD, .layer = -1,
	    .in = c->hidden, .out = c->vocab, .weight = SIZE_MAX,
	    .bias = SIZE_MAX };
	if ((site->path = peft_strdup(c->family->head, err)) == NULL)
		return -1;
	s->n++;
	return 0;
}

/* Behind all others: the modules that hold the projections, which have no
 * weights of their own. */
static int
add_attentions(struct peft_sites *s, const struct peft_config *c,
    struct peft_err *err)
{
	size_t q = c->heads * c->head_dim, i;
	const char *o = c->family->slot[PEFT_O], *dot = strrchr(o, '.');
	char path[256];

	for (i = 0; i < c->layers; i++) {
		struct peft_site *site = &s->at[s->n];

		snprintf(path, sizeof(path), "%s.%zu.%.*s", c->family->layers,
		    i, dot == NULL ? 0 : (int)(dot - o), o);
		*site = (struct peft_site){ .kind = PEFT_ATTENTION,
		    .layer = (int)i, .in = q, .out = q, .weight = SIZE_MAX,
		    .bias = SIZE_MAX };
		if ((site->path = peft_strdup(path, err)) == NULL)
			return -1;
		s->n++;
	}
	return 0;
}

/* Buffers that old files carry and that are not weights. */
static bool
is_buffer(const char *name)
{
	static const char tail[] = "rotary_emb.inv_freq";
	size_t n = strlen(name);

	return n >= sizeof(tail) - 1 &&
	    strcmp(name + n - (sizeof(tail) - 1), tail) == 0;
}

static int
all_used(const struct peft_source *src, const bool *used, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < peft_source_count(src); i++)
		if (!used[i] && !is_buffer(peft_source_at(src, i)->name))
			return peft_seterr(err, "weight %s is not of this "
			    "model", peft_source_at(src, i)->name);
	return 0;
}

static int
fill(struct peft_sites *s, const struct peft_config *c,
    const struct peft_source *src, bool *used, struct peft_err *err)
{
	struct shape embed = { c->vocab, c->hidden, false };
	struct shape norm = { c->hidden, c->hidden, false };
	size_t i;

	if (add_site(s, src, PEFT_EMBEDDING, -1, c->family->embed, embed, used,
	    err) == -1)
		return -1;
	for (i = 0; i < c->layers; i++)
		if (add_layer(s, c, src, i, used, err) == -1)
			return -1;
	if (add_site(s, src, PEFT_NORM, -1, c->family->norm, norm, used,
	    err) == -1 || add_head(s, c, src, used, err) == -1 ||
	    add_attentions(s, c, err) == -1)
		return -1;
	return all_used(src, used, err);
}

int
peft_sites_open(struct peft_sites *s, const struct peft_config *c,
    const struct peft_source *src, struct peft_err *err)
{
	bool *used;
	int r = -1;

	s->n = 0;
	s->virtuals = NULL;
	s->config = c;
	s->at = peft_calloc(c->layers * (PEFT_NSLOT + 1) + 3, sizeof(*s->at),
	    err);
	used = peft_calloc(peft_source_count(src) + 1, sizeof(*used), err);
	if (s->at != NULL && used != NULL)
		r = fill(s, c, src, used, err);
	free(used);
	if (r == -1) {
		peft_sites_close(s);
		return peft_errprefix(err, "%s", peft_source_label(src));
	}
	return 0;
}

void
peft_sites_close(struct peft_sites *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free((char *)(uintptr_t)s->at[i].path);
	free(s->at);
	s->at = NULL;
	s->n = 0;
}

struct peft_site *
peft_sites_find(const struct peft_sites *s, const char *path)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		if (strcmp(s->at[i].path, path) == 0)
			return &s->at[i];
	return NULL;
}

size_t
peft_sites_virtual(const struct peft_sites *s, int adapter)
{
	const struct peft_virtual *v;
	size_t most = 0;

	for (v = s->virtuals; v != NULL; v = v->next)
		if ((adapter == -1 || v->adapter == adapter) && v->n > most)
			most = v->n;
	return most;
}
