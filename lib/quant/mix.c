/* SPDX-License-Identifier: Apache-2.0 */
/* What the weights of a model are to a mix. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "quant/mix-impl.h"

static enum peft_role
role_of(const char *name)
{
	static const struct {
		const char	*part;
		enum peft_role	 role;
	} parts[] = {
		{ "attn_qkv.weight", PEFT_M_VALUE },
		{ "attn_kv_b.weight", PEFT_M_VALUE },
		{ "attn_v.weight", PEFT_M_VALUE },
		{ "attn_k.weight", PEFT_M_KEY },
		{ "attn_q.weight", PEFT_M_QUERY },
		{ "attn_output.weight", PEFT_M_JOINED },
		{ "ffn_gate_inp.weight", PEFT_M_PLAIN },
		{ "position_embd.weight", PEFT_M_PLAIN },
		{ "_norm.weight", PEFT_M_PLAIN },
		{ "ffn_down", PEFT_M_DOWN },
		{ "ffn_up", PEFT_M_GATE_UP },
		{ "ffn_gate", PEFT_M_GATE_UP },
	};
	size_t i;

	if (strcmp(name, "output.weight") == 0)
		return PEFT_M_HEAD;
	if (strcmp(name, "token_embd.weight") == 0)
		return PEFT_M_EMBED;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(name, parts[i].part) != NULL)
			return parts[i].role;
	return PEFT_M_OTHER;
}

bool
peft_mix_is_small(const struct peft_arch *arch, const char *hf_name)
{
	char name[256];

	return peft_arch_to_gguf(arch, hf_name, name) == 0 &&
	    role_of(name) == PEFT_M_PLAIN;
}

/* Names become roles; a layer's rank is how many before it have the like. */
static int
place_all(struct peft_mixer *m, const struct peft_arch *arch,
    struct peft_err *err)
{
	size_t n = peft_source_count(m->src), i, k;
	char name[256];

	m->tied = true;
	for (i = 0; i < n; i++) {
		const char *hf = peft_source_at(m->src, i)->name;
		struct peft_mix_place *p = &m->at[i];

		if (peft_arch_to_gguf(arch, hf, name) == -1)
			return peft_seterr(err, "weight %s has no name in GGUF",
			    hf);
		p->role = role_of(name);
		p->experts = peft_arch_expert(arch, hf) != SIZE_MAX;
		p->layer = strncmp(name, "blk.", 4) == 0 ? atoi(name + 4) : -1;
		m->tied = m->tied && p->role != PEFT_M_HEAD;
	}
	for (i = 0; i < n; i++) {
		struct peft_mix_place *p = &m->at[i];

		if (p->role == PEFT_M_DOWN || p->role == PEFT_M_GATE_UP) {
			p->rank = p->layer;
			p->of = (int)m->layers;
		}
		for (k = 0; p->role == PEFT_M_VALUE && k < n; k++)
			if (m->at[k].role == PEFT_M_VALUE &&
			    peft_source_at(m->src, k)->ndim > 1) {
				p->rank += m->at[k].layer < p->layer;
				p->of++;
			}
	}
	return 0;
}

static int
read_config(struct peft_mixer *m, const cJSON *j,
    const struct peft_arch **arch, struct peft_err *err)
{
	static const char *const experts[] = { "num_experts",
	    "num_local_experts", "n_routed_experts" };
	const char *type = "";
	char names[400];
	size_t i;

	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	if (peft_json_str(j, "model_type", &type, err) == -1)
		return -1;
	for (i = 0; i < sizeof(experts) / sizeof(experts[0]); i++)
		if (peft_json_int(j, experts[i], 0, 1 << 20, &m->experts,
		    err) == -1)
			return -1;
	m->falcon = strcmp(type, "falcon") == 0;
	if ((*arch = peft_arch_of_hf(type)) != NULL)
		return peft_arch_sizes(*arch, j, &m->layers, &m->heads, err);
	peft_arch_names(true, names, sizeof(names));
	return peft_seterr(err, "model_type \"%s\" cannot be told in GGUF here "
	    "(known: %s)", type, names);
}

enum peft_dtype
peft_mixer_type(const struct peft_mixer *m, size_t i, const char **why)
{
	const struct peft_mix_place *p = &m->at[i];
	enum peft_dtype t;

	*why = NULL;
	if (p->role == PEFT_M_HEAD || (p->role == PEFT_M_EMBED && m->tied)) {
		*why = p->role == PEFT_M_HEAD ? "head" : "embedding and head";
		return peft_mix_head_type(m, peft_source_at(m->src, i)->cols);
	}
	t = peft_mix_type(m, p);
	if (t != m->mix->dtype)
		*why = m->mix->name;
	else if (p->role == PEFT_M_EMBED)
		*why = "embedding";
	return t;
}

struct peft_mixer *
peft_mixer_open(const struct peft_mix *mix, const struct peft_source *src,
    bool imatrix, struct peft_err *err)
{
	const struct peft_side *c = peft_source_side(src, "config.json");
	struct peft_mixer *m = peft_calloc(1, sizeof(*m), err);
	const struct peft_arch *arch = NULL;
	cJSON *j = NULL;
	int r = -1;

	if (m == NULL)
		return NULL;
	m->mix = mix;
	m->src = src;
	m->imatrix = imatrix;
	if (c == NULL)
		peft_seterr(err, "%s: there is no config.json, which the mix "
		    "%s needs", peft_source_label(src), mix->name);
	else if ((m->at = peft_calloc(peft_source_count(src) + 1,
	    sizeof(*m->at), err)) != NULL) {
		if ((j = peft_json(c->data, c->len, err)) != NULL)
			r = read_config(m, j, &arch, err);
		if (r == -1)
			peft_errprefix(err, "%s: config.json",
			    peft_source_label(src));
		else if ((r = place_all(m, arch, err)) == -1)
			peft_errprefix(err, "%s", peft_source_label(src));
	}
	cJSON_Delete(j);
	if (r == -1) {
		peft_mixer_close(m);
		return NULL;
	}
	return m;
}

void
peft_mixer_close(struct peft_mixer *m)
{
	if (m == NULL)
		return;
	free(m->at);
	free(m);
}
