/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder's weights, loaded at its sites. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "model/net-impl.h"
#include "quant/quant.h"

static int
load_weight(struct peft_net *net, size_t index, struct peft_weight *w,
    struct peft_err *err)
{
	if (peft_source_load(net->source, index, w, err) == -1)
		return -1;
	if (!peft_can_decode(w->dtype))
		return peft_seterr(err, "weight %s: values of type %s cannot "
		    "be computed with", w->name, peft_dtypes[w->dtype].name);
	net->weight_bytes += w->nbytes;
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

static int
load_linear(struct peft_net *net, struct peft_site *site,
    struct peft_linear *lin, struct peft_err *err)
{
	lin->site = site;
	if (load_weight(net, site->weight, &lin->w, err) == -1)
		return -1;
	return load_vector(net, site->bias, &lin->bias, err);
}

static int
load_layer(struct peft_net *net, struct peft_layer *layer,
    struct peft_site *site, struct peft_err *err)
{
	int slot;

	for (slot = 0; slot < PEFT_NSLOT; slot++) {
		if (site[slot].kind == PEFT_LINEAR) {
			if (load_linear(net, &site[slot], &layer->lin[slot],
			    err) == -1)
				return -1;
		} else if (load_vector(net, site[slot].weight,
		    slot == PEFT_ATTN_NORM ? &layer->attn_norm :
		    &layer->mlp_norm, err) == -1)
			return -1;
	}
	return 0;
}

/* The sites come in the order of the model: embedding, layers, norm, head. */
static int
load(struct peft_net *net, struct peft_err *err)
{
	struct peft_site *site = net->sites.at;
	size_t i;

	if (load_weight(net, site[0].weight, &net->embed, err) == -1)
		return -1;
	if (net->embed.cols % peft_dtypes[net->embed.dtype].block != 0)
		return peft_seterr(err, "weight %s: rows of %zu do not divide "
		    "into blocks of type %s", net->embed.name, net->embed.cols,
		    peft_dtypes[net->embed.dtype].name);
	site++;
	for (i = 0; i < net->config.layers; i++, site += PEFT_NSLOT)
		if (load_layer(net, &net->layers[i], site, err) == -1)
			return -1;
	if (load_vector(net, site[0].weight, &net->norm, err) == -1)
		return -1;
	if (site[1].weight != SIZE_MAX)
		return load_linear(net, &site[1], &net->head, err);
	net->head.site = &site[1];
	net->head.w = net->embed;
	return 0;
}

struct peft_net *
peft_net_open(struct peft_source *source, struct peft_cpu *cpu,
    struct peft_err *err)
{
	struct peft_net *net;

	if ((net = peft_calloc(1, sizeof(*net), err)) == NULL)
		return NULL;
	net->source = source;
	net->cpu = cpu;
	if (peft_config_read(&net->config, source, err) == -1 ||
	    peft_sites_open(&net->sites, &net->config, source, err) == -1 ||
	    (net->layers = peft_calloc(net->config.layers,
	    sizeof(*net->layers), err)) == NULL)
		goto fail;
	if (load(net, err) == -1) {
		peft_errprefix(err, "%s", peft_source_label(source));
		goto fail;
	}
	return net;
fail:
	peft_net_close(net);
	return NULL;
}

void
peft_net_close(struct peft_net *net)
{
	size_t i;
	int slot;

	if (net == NULL)
		return;
	for (i = 0; net->layers != NULL && i < net->config.layers; i++) {
		free(net->layers[i].attn_norm);
		free(net->layers[i].mlp_norm);
		for (slot = 0; slot < PEFT_NSLOT; slot++)
			free(net->layers[i].lin[slot].bias);
	}
	free(net->layers);
	free(net->norm);
	free(net->head.bias);
	peft_sites_close(&net->sites);
	free(net);
}

const struct peft_config *
peft_net_config(const struct peft_net *net)
{
	return &net->config;
}

struct peft_sites *
peft_net_sites(struct peft_net *net)
{
	return &net->sites;
}

struct peft_cpu *
peft_net_cpu(const struct peft_net *net)
{
	return net->cpu;
}

size_t
peft_net_weight_bytes(const struct peft_net *net)
{
	return net->weight_bytes;
}
