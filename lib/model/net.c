/* SPDX-License-Identifier: Apache-2.0 */
/* A decoder, opened and closed. */

#include <stdlib.h>

#include "base/buf.h"
#include "model/net-impl.h"

/* Where heads lie in a row of queries, keys and values. */
static void
set_heads(struct peft_net *net)
{
	const struct peft_config *c = &net->config;
	size_t hd = c->head_dim, vd = c->v_dim, rep = c->heads / c->kv_heads;
	size_t q = c->heads * hd, k = c->kv_heads * hd;

	net->at = (struct peft_heads_at){ .ld = q + k + c->kv_heads * vd,
	    .q = hd, .group = rep * hd, .k = q, .kstep = hd, .v = q + k,
	    .vstep = vd };
	if (c->t.grouped) {
		net->at.group = net->at.kstep = net->at.vstep =
		    (rep + 1) * hd + vd;
		net->at.k = rep * hd;
		net->at.v = net->at.k + hd;
	}
}

static int
set_slopes(struct peft_net *net, struct peft_err *err)
{
	if (net->config.t.alibi == 0)
		return 0;
	net->slopes = peft_calloc(net->config.heads, sizeof(float), err);
	if (net->slopes == NULL)
		return -1;
	peft_slopes(&net->config, net->slopes);
	return 0;
}

struct peft_net *
peft_net_open(struct peft_source *source, struct peft_cpu *cpu,
    struct peft_err *err)
{
	return peft_net_open_head(source, cpu, NULL, err);
}

struct peft_net *
peft_net_open_head(struct peft_source *source, struct peft_cpu *cpu,
    const struct peft_headopt *head, struct peft_err *err)
{
	struct peft_net *net;

	if ((net = peft_calloc(1, sizeof(*net), err)) == NULL)
		return NULL;
	net->source = source;
	net->cpu = cpu;
	if (peft_config_read(&net->config, source, err) == -1 ||
	    (head != NULL &&
	    peft_config_head(&net->config, head, err) == -1) ||
	    peft_config_graft(&net->config, source, err) == -1 ||
	    peft_sites_open(&net->sites, &net->config, source, err) == -1 ||
	    (net->layers = peft_calloc(net->config.layers,
	    sizeof(*net->layers), err)) == NULL)
		goto fail;
	set_heads(net);
	if (peft_net_load(net, err) == -1 || set_slopes(net, err) == -1) {
		peft_errprefix(err, "%s", peft_source_label(source));
		goto fail;
	}
	return net;
fail:
	peft_net_close(net);
	return NULL;
}

static void
close_linear(struct peft_linear *lin)
{
	free(lin->copy);
	free(lin->wide);
	free(lin->panels[0]);
	free(lin->panels[1]);
}

static void
close_expert(struct peft_linear *lin)
{
	close_linear(lin);
	free(lin->bias);
}

static void
close_layer(struct peft_layer *l, size_t experts)
{
	size_t i;
	int slot;

	for (slot = 0; slot < PEFT_NSLOT; slot++) {
		free(l->norm[slot].w);
		free(l->norm[slot].b);
		free(l->lin[slot].bias);
		close_linear(&l->lin[slot]);
	}
	for (i = 0; l->experts != NULL && i < experts; i++) {
		close_expert(&l->experts[i].gate);
		close_expert(&l->experts[i].up);
		close_expert(&l->experts[i].down);
	}
	free(l->experts);
	free(l->sinks);
}

void
peft_net_close(struct peft_net *net)
{
	size_t i;

	if (net == NULL)
		return;
	for (i = 0; net->layers != NULL && i < net->config.layers; i++)
		close_layer(&net->layers[i], net->config.experts);
	free(net->layers);
	free(net->embed_norm.w);
	free(net->embed_norm.b);
	free(net->norm.w);
	free(net->norm.b);
	free(net->head.bias);
	close_linear(&net->head);
	free(net->slopes);
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

