/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder's weights, loaded at its sites. */

#include "base/buf.h"
#include "model/net-impl.h"
#include "quant/quant.h"

/* What stands beside the codes of a quantised weight. */
static size_t
scale_bytes(const struct peft_scales *s)
{
	size_t each = (s->absmax != NULL ? sizeof(*s->absmax) : 0) +
	    (s->zero != NULL ? sizeof(*s->zero) : 0) +
	    (s->qabsmax != NULL) + (s->exponents != NULL);

	return s->nabsmax * each + s->nnested * sizeof(*s->nested_absmax);
}

static int
load_weight(struct peft_net *net, size_t index, struct peft_weight *w,
    struct peft_err *err)
{
	if (peft_source_load(net->source, index, w, err) == -1)
		return -1;
	if (!peft_can_decode(w->dtype))
		return peft_seterr(err, "weight %s: values of type %s cannot "
		    "be computed with", w->name, peft_dtypes[w->dtype].name);
	net->weight_bytes += w->nbytes + scale_bytes(&w->scales);
	return 0;
}

/* A vector (norm, bias) in f32, owned by the net. */
static int
load_vector(struct peft_net *net, size_t index, float **out,
    struct peft_err *err)
{
	struct peft_weight w;

	if (index == SIZE_MAX)
		return 0;
	if (load_weight(net, index, &w, err) == -1)
		return -1;
	if ((*out = peft_calloc(w.nelem, sizeof(float), err)) == NULL)
		return -1;
	peft_decode(&w, 0, w.nelem, *out);
	return 0;
}

/* In f32, once: products go by rows, of which some are turned over. */
static int
widen(struct peft_linear *lin, struct peft_err *err)
{
	struct peft_weight *w = &lin->w;

	lin->wide = peft_calloc(w->nelem, sizeof(*lin->wide), err);
	if (lin->wide == NULL)
		return -1;
	peft_decode(w, 0, w->nelem, lin->wide);
	w->dtype = PEFT_F32;
	w->data = lin->wide;
	w->nbytes = w->nelem * sizeof(*lin->wide);
	return 0;
}

static int
load_linear(struct peft_net *net, struct peft_site *site,
    struct peft_linear *lin, struct peft_err *err)
{
	lin->site = site;
	if (load_weight(net, site->weight, &lin->w, err) == -1)
		return -1;
	if (lin->w.dtype == PEFT_KVB && widen(lin, err) == -1)
		return -1;
	site->w = &lin->w;
	if (load_vector(net, site->bias, &lin->bias, err) == -1)
		return -1;
	site->b = lin->bias;
	return 0;
}

/* An embedding: rows are expanded one by one. */
static int
load_table(struct peft_net *net, struct peft_site *site,
    struct peft_linear *lin, struct peft_err *err)
{
	if (load_linear(net, site, lin, err) == -1)
		return -1;
	if (lin->w.cols % peft_dtypes[lin->w.dtype].block != 0)
		return peft_seterr(err, "weight %s: rows of %zu do not divide "
		    "into blocks of type %s", lin->w.name, lin->w.cols,
		    peft_dtypes[lin->w.dtype].name);
	return 0;
}

static int
load_norm(struct peft_net *net, struct peft_site *site,
    struct peft_normal *norm, struct peft_err *err)
{
	enum peft_norm_kind kind = net->config.t.norm;
	size_t i, n;

	norm->site = site;
	norm->n = site->in;
	if (load_vector(net, site->weight, &norm->w, err) == -1 ||
	    load_vector(net, site->bias, &norm->b, err) == -1)
		return -1;
	n = peft_source_at(net->source, site->weight)->nelem;
	norm->groups = n / norm->n;
	site->more = kind == PEFT_RMS1 || kind == PEFT_LAYER1;
	for (i = 0; i < n && site->more > 0; i++)
		norm->w[i] += site->more;
	site->norm = norm->w;
	site->b = norm->b;
	return 0;
}

/* A norm that has no weights: they are 1. */
static int
bare_norm(struct peft_net *net, struct peft_normal *norm,
    struct peft_err *err)
{
	size_t i;

	norm->n = net->config.hidden;
	norm->groups = 1;
	if ((norm->w = peft_calloc(norm->n, sizeof(float), err)) == NULL)
		return -1;
	for (i = 0; i < norm->n; i++)
		norm->w[i] = 1;
	return 0;
}

static int
load_expert(struct peft_net *net, struct peft_site *site,
    struct peft_expert *e, struct peft_err *err)
{
	if (load_linear(net, &site[0], &e->gate, err) == -1 ||
	    load_linear(net, &site[1], &e->up, err) == -1)
		return -1;
	return load_linear(net, &site[2], &e->down, err);
}

static int
load_experts(struct peft_net *net, struct peft_layer *layer,
    struct peft_site **site, struct peft_err *err)
{
	const struct peft_config *c = &net->config;
	size_t i;
	int slot;

	layer->experts = peft_calloc(c->experts, sizeof(*layer->experts),
	    err);
	if (layer->experts == NULL)
		return -1;
	for (i = 0; i < c->experts; i++, *site += 3)
		if (load_expert(net, *site, &layer->experts[i], err) == -1)
			return -1;
	if (c->shared_inter == 0)
		return 0;
	for (slot = PEFT_GATE; slot <= PEFT_DOWN; slot++)
		if (slot != PEFT_GATE_UP && load_linear(net, (*site)++,
		    &layer->lin[slot], err) == -1)
			return -1;
	return 0;
}

/* A module in a slot: *site is the next one, in the order of the model. */
static int
load_slot(struct peft_net *net, int slot, struct peft_normal *norm,
    struct peft_linear *lin, struct peft_site **site, struct peft_err *err)
{
	if (net->config.t.bare & PEFT_BIT(slot))
		return bare_norm(net, norm, err);
	*site += 1;
	if ((*site)[-1].kind == PEFT_NORM)
		return load_norm(net, *site - 1, norm, err);
	return load_linear(net, *site - 1, lin, err);
}

static int
load_layer(struct peft_net *net, size_t l, struct peft_site **site,
    struct peft_err *err)
{
	struct peft_layer *layer = &net->layers[l];
	int slot;

	for (slot = 0; slot < PEFT_NSLOT; slot++)
		if (peft_config_has(&net->config, l, slot) &&
		    load_slot(net, slot, &layer->norm[slot],
		    &layer->lin[slot], site, err) == -1)
			return -1;
	if (!(net->config.layer[l] & PEFT_LAYER_EXPERTS))
		return 0;
	return load_experts(net, layer, site, err);
}

/* Behind the joins come the stacks of the layers that have experts. */
static void
set_stacks(struct peft_net *net)
{
	struct peft_site *site = net->joins + 2 * net->config.layers;
	size_t i;

	for (i = 0; i < net->config.layers; i++)
		if (net->config.layer[i] & PEFT_LAYER_EXPERTS) {
			net->layers[i].stack = site;
			site += PEFT_NSTACK;
		}
}

/* The sites come in the order of the model: embeddings, layers, norm, head. */
static int
load_sites(struct peft_net *net, struct peft_err *err)
{
	struct peft_site *site = net->sites.at;
	uint32_t has = net->config.t.has;
	size_t i;

	if (load_table(net, site++, &net->embed, err) == -1 ||
	    (has & PEFT_BIT(PEFT_AT_POSITION) &&
	    load_table(net, site++, &net->position, err) == -1) ||
	    (has & PEFT_BIT(PEFT_AT_EMBED_NORM) &&
	    load_norm(net, site++, &net->embed_norm, err) == -1))
		return -1;
	for (i = 0; i < net->config.layers; i++)
		if (load_layer(net, i, &site, err) == -1)
			return -1;
	if (load_slot(net, PEFT_AT_NORM, &net->norm, NULL, &site, err) == -1)
		return -1;
	net->attention = site + 1;
	net->joins = net->attention + net->config.layers;
	set_stacks(net);
	if (site->weight != SIZE_MAX)
		return load_linear(net, site, &net->head, err);
	net->head.site = site;
	net->head.w = net->embed.w;
	site->w = &net->head.w;
	return 0;
}

/* The scores that each layer's heads have besides those of keys. */
static int
load_sinks(struct peft_net *net, struct peft_err *err)
{
	size_t i;

	for (i = 0; i < net->config.layers; i++)
		if (load_vector(net, net->attention[i].sinks,
		    &net->layers[i].sinks, err) == -1)
			return -1;
	return 0;
}

int
peft_net_load(struct peft_net *net, struct peft_err *err)
{
	return load_sites(net, err) == -1 ? -1 : load_sinks(net, err);
}
