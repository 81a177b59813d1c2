/* SPDX-License-Identifier: Apache-2.0 */
/* Which part of a layer is kept for backward, and which is made again. */

#include "model/net-impl.h"

#define S(name)	(1u << PEFT_SAVED_ ## name)

const char *const peft_part_names[PEFT_NPART] = {
	[PEFT_PART_QUERIES] = "queries, keys and values",
	[PEFT_PART_TURNED] = "norms of queries and keys",
	[PEFT_PART_ATTENTION] = "attention",
	[PEFT_PART_STREAM] = "the stream behind attention",
	[PEFT_PART_INNER] = "gate and up",
	[PEFT_PART_DOWN] = "the MLP's output",
};

/* (Attention sees queries, keys and values as they are kept.) */
const struct peft_parts peft_parts[PEFT_NPART] = {
	[PEFT_PART_QUERIES] = { S(RAW) | S(KVA), S(X),
	    PEFT_BIT(PEFT_ATTN_NORM) | PEFT_BIT(PEFT_Q) | PEFT_BIT(PEFT_K) |
	    PEFT_BIT(PEFT_V) | PEFT_BIT(PEFT_QKV) | PEFT_BIT(PEFT_KV_A) |
	    PEFT_BIT(PEFT_KV_NORM) | PEFT_BIT(PEFT_KV_B) |
	    PEFT_BIT(PEFT_Q_NORM) | PEFT_BIT(PEFT_K_NORM) },
	[PEFT_PART_TURNED] = { S(QKV), S(RAW) | S(X), 0 },
	[PEFT_PART_ATTENTION] = { S(ATTN), 0, 0 },
	[PEFT_PART_STREAM] = { S(O) | S(MID), S(X) | S(ATTN),
	    PEFT_BIT(PEFT_O) | PEFT_BIT(PEFT_ATTN_POST) },
	[PEFT_PART_INNER] = { S(GU), S(MID),
	    PEFT_BIT(PEFT_MLP_NORM) | PEFT_BIT(PEFT_GATE) |
	    PEFT_BIT(PEFT_UP) | PEFT_BIT(PEFT_GATE_UP) |
	    PEFT_BIT(PEFT_ROUTER) },
	[PEFT_PART_DOWN] = { S(DOWN), S(MID) | S(GU),
	    PEFT_BIT(PEFT_DOWN) | PEFT_BIT(PEFT_MLP_POST) },
};

enum peft_layerpart
peft_part_of(int slot)
{
	int p;

	for (p = 0; !(peft_parts[p].slots & PEFT_BIT(slot)); p++)
		;
	return (enum peft_layerpart)p;
}

bool
peft_have_mlp(const struct peft_run *run, size_t l, size_t end, bool experts)
{
	while (l < end && (run->net->layers[l].experts != NULL) != experts)
		l++;
	return l < end;
}

size_t
peft_saved_width(const struct peft_run *run, size_t layer, int saved)
{
	const struct peft_config *c = &run->net->config;
	uint32_t has = c->t.has;
	size_t gated = has & (PEFT_BIT(PEFT_GATE) | PEFT_BIT(PEFT_GATE_UP)) ?
	    2 : 1;
	/* what products give is changed before attention sees it */
	bool raw = has & PEFT_BIT(PEFT_Q_NORM) || c->t.qkv_clip > 0;
	bool plain = has & PEFT_BIT(PEFT_DOWN) &&
	    run->net->layers[layer].experts == NULL;
	const size_t width[PEFT_NSAVED] = {
		[PEFT_SAVED_X] = c->hidden,
		[PEFT_SAVED_RAW] = raw ? run->net->at.ld : 0,
		[PEFT_SAVED_QKV] = run->net->at.ld,
		[PEFT_SAVED_KVA] = c->kv_rank > 0 ? c->kv_rank + c->rope_dim :
		    0,
		[PEFT_SAVED_ATTN] = c->heads * c->v_dim,
		[PEFT_SAVED_O] = has & PEFT_BIT(PEFT_ATTN_POST) ? c->hidden :
		    0,
		[PEFT_SAVED_MID] = c->hidden,
		[PEFT_SAVED_GU] = plain ? gated * c->inter : 0,
		[PEFT_SAVED_DOWN] = has & PEFT_BIT(PEFT_MLP_POST) ?
		    c->hidden : 0,
	};

	return width[saved];
}

bool
peft_is_between(const struct peft_run *run, size_t layer)
{
	return run->caps.train && (int)layer >= run->lowest &&
	    layer + 1 < run->net->config.layers;
}

/* Experts make their last two parts in one; so are the first two if queries and
 * keys are turned in place. */
static enum peft_layerpart
made_with(const struct peft_run *run, size_t layer, enum peft_layerpart p)
{
	if (p == PEFT_PART_DOWN && run->net->layers[layer].experts != NULL)
		return PEFT_PART_INNER;
	if (p == PEFT_PART_TURNED && peft_saved_width(run, layer,
	    PEFT_SAVED_RAW) == 0)
		return PEFT_PART_QUERIES;
	return p;
}

bool
peft_part_again(const struct peft_run *run, size_t layer,
    enum peft_layerpart p)
{
	return peft_is_between(run, layer) && layer - (size_t)run->lowest <
	    run->caps.again[made_with(run, layer, p)];
}

bool
peft_part_is_there(const struct peft_run *run, size_t layer,
    enum peft_layerpart p)
{
	int i, join = p == PEFT_PART_STREAM ? PEFT_JOIN_ATTN : PEFT_JOIN_MLP;
	size_t n = p == PEFT_PART_QUERIES || p == PEFT_PART_INNER;

	for (i = 0; i < PEFT_NSAVED; i++)
		if (peft_parts[p].saved >> i & 1)
			n += peft_saved_width(run, layer, i);
	for (i = 0; i < PEFT_NSLOT; i++)
		if (peft_part_of(i) == p)
			n += peft_run_hook_saved(run, i, layer, layer + 1);
	if (p == PEFT_PART_DOWN || p == PEFT_PART_STREAM)
		n += peft_join_hooked(run, layer, join);
	return made_with(run, layer, p) == p && n > 0;
}

bool
peft_part_waits(const struct peft_run *run, size_t layer,
    enum peft_layerpart p)
{
	return peft_is_between(run, layer) && !peft_part_again(run, layer, p);
}

/* With branches side by side the MLP reads what attention does. */
static bool
is_made_of(const struct peft_run *run, enum peft_layerpart p, int saved)
{
	uint32_t from = peft_parts[p].from;

	if (p == PEFT_PART_INNER && run->net->config.t.parallel)
		from = S(X);
	return from >> saved & 1;
}

enum peft_wait
peft_waits(const struct peft_run *run, size_t layer, int saved)
{
	int p;

	for (p = 0; p < PEFT_NPART; p++)
		if (peft_parts[p].saved >> saved & 1 &&
		    peft_part_again(run, layer, (enum peft_layerpart)p))
			return PEFT_WAIT_NOT;
	if (!peft_is_between(run, layer))
		return PEFT_WAIT_NOT;
	if (peft_cpu_computes(run->net->cpu) == PEFT_COMPUTE_F32)
		return PEFT_WAIT_WHOLE;
	for (p = 0; p < PEFT_NPART; p++)
		if (peft_part_again(run, layer, (enum peft_layerpart)p) &&
		    is_made_of(run, (enum peft_layerpart)p, saved))
			return PEFT_WAIT_WHOLE;
	return PEFT_WAIT_ROUNDED;
}
