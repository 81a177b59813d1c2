/* SPDX-License-Identifier: Apache-2.0 */
/* llama.cpp's mixes: which weights get more bits (llama-quant.cpp). */

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "quant/mix.h"
#include "tensor/ggufmap.h"

/* Values of enum llama_ftype; rows of the table below name them by bits. */
enum mix {
	Q4_0, Q4_1, Q8_0, Q5_0, Q5_1, Q2_K, Q3_K_S, Q3_K_M, Q3_K_L, Q4_K_S,
	Q4_K_M, Q5_K_S, Q5_K_M, Q6_K, IQ4_NL, IQ4_XS, TQ1_0, TQ2_0
};

const struct peft_mix peft_mixes[] = {
	[Q4_0] = { "q4_0", PEFT_Q4_0, 2 },
	[Q4_1] = { "q4_1", PEFT_Q4_1, 3 },
	[Q8_0] = { "q8_0", PEFT_Q8_0, 7 },
	[Q5_0] = { "q5_0", PEFT_Q5_0, 8 },
	[Q5_1] = { "q5_1", PEFT_Q5_1, 9 },
	[Q2_K] = { "q2_k", PEFT_Q2_K, 10 },
	[Q3_K_S] = { "q3_k_s", PEFT_Q3_K, 11 },
	[Q3_K_M] = { "q3_k_m", PEFT_Q3_K, 12 },
	[Q3_K_L] = { "q3_k_l", PEFT_Q3_K, 13 },
	[Q4_K_S] = { "q4_k_s", PEFT_Q4_K, 14 },
	[Q4_K_M] = { "q4_k_m", PEFT_Q4_K, 15 },
	[Q5_K_S] = { "q5_k_s", PEFT_Q5_K, 16 },
	[Q5_K_M] = { "q5_k_m", PEFT_Q5_K, 17 },
	[Q6_K] = { "q6_k", PEFT_Q6_K, 18 },
	[IQ4_NL] = { "iq4_nl", PEFT_IQ4_NL, 25 },
	[IQ4_XS] = { "iq4_xs", PEFT_IQ4_XS, 30 },
	[TQ1_0] = { "tq1_0", PEFT_TQ1_0, 36 },
	[TQ2_0] = { "tq2_0", PEFT_TQ2_0, 37 },
	{ 0 }
};

const struct peft_mix *
peft_mix_of_name(const char *name)
{
	static const struct { const char *other; enum mix mix; } others[] = {
		{ "q3_k", Q3_K_M }, { "q4_k", Q4_K_M }, { "q5_k", Q5_K_M } };
	size_t i;

	for (i = 0; peft_mixes[i].name != NULL; i++)
		if (strcmp(peft_mixes[i].name, name) == 0)
			return &peft_mixes[i];
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(others[i].other, name) == 0)
			return &peft_mixes[others[i].mix];
	return NULL;
}

/* What a weight is, by its name in GGUF. */
enum role { OTHER, EMBED, HEAD, QUERY, KEY, VALUE, JOINED, DOWN, PLAIN };

static enum role
role_of(const char *name)
{
	static const struct { const char *part; enum role role; } parts[] = {
		{ "attn_qkv.weight", VALUE }, { "attn_kv_b.weight", VALUE },
		{ "attn_v.weight", VALUE }, { "attn_k.weight", KEY },
		{ "attn_q.weight", QUERY }, { "attn_output.weight", JOINED },
		{ "ffn_gate_inp.weight", PLAIN }, { "_norm.weight", PLAIN },
		{ "ffn_down", DOWN } };
	size_t i;

	if (strcmp(name, "output.weight") == 0)
		return HEAD;
	if (strcmp(name, "token_embd.weight") == 0)
		return EMBED;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strstr(name, parts[i].part) != NULL)
			return parts[i].role;
	return OTHER;
}

struct place {
	enum role	role;
	int		layer;		/* -1: in none */
	int		rank, of;	/* among layers that have the like */
};

struct peft_mixer {
	const struct peft_mix	*mix;
	const struct peft_source *src;
	struct place		*at;		/* a place a weight */
	bool			 tied, imatrix;
	int64_t			 layers, heads, kv_heads, experts;
};

/* When a row of the table holds. */
enum when {
	ALWAYS, MORE_BITS, FIRST_EIGHTH, FIRST_SIXTEENTH, FIRST_TWO,
	FIRST_FOUR, SHARED, EIGHTH_PLAIN, EIGHTH_IMATRIX, EIGHT, NOT_EIGHT
};

static bool
holds(const struct peft_mixer *m, const struct place *p, enum when when)
{
	int i = p->rank, n = p->of;

	switch (when) {
	case ALWAYS: return true;
	case MORE_BITS: return i < n / 8 || i >= 7 * n / 8 ||
	    (i - n / 8) % 3 == 2;
	case FIRST_EIGHTH: return i < n / 8;
	case FIRST_SIXTEENTH: return i < n / 16;
	case FIRST_TWO: return i < 2;
	case FIRST_FOUR: return i < 4;
	case SHARED: return m->heads / m->kv_heads >= 4;
	case EIGHTH_PLAIN: return i < n / 8 && !m->imatrix;
	case EIGHTH_IMATRIX: return i < n / 8 && m->imatrix;
	case EIGHT: return m->experts == 8;
	case NOT_EIGHT: return m->experts != 8;
	}
	return false;
}

#define BIT(mix)	(1u << (mix))
#define ALL		UINT32_MAX

/* The first row that holds counts. */
static const struct {
	uint32_t	mixes;
	enum role	role;
	enum when	when;
	enum peft_dtype	type;
} table[] = {
	{ BIT(TQ1_0) | BIT(TQ2_0), EMBED, ALWAYS, PEFT_Q4_K },

	{ ALL, VALUE, EIGHT, PEFT_Q8_0 },
	{ BIT(Q2_K), VALUE, SHARED, PEFT_Q4_K },
	{ BIT(Q2_K), VALUE, ALWAYS, PEFT_Q3_K },
	{ BIT(Q3_K_M), VALUE, FIRST_TWO, PEFT_Q5_K },
	{ BIT(Q3_K_M), VALUE, ALWAYS, PEFT_Q4_K },
	{ BIT(Q3_K_L), VALUE, ALWAYS, PEFT_Q5_K },
	{ BIT(IQ4_NL) | BIT(IQ4_XS), VALUE, SHARED, PEFT_Q5_K },
	{ BIT(Q4_K_M) | BIT(Q5_K_M), VALUE, MORE_BITS, PEFT_Q6_K },
	{ BIT(Q4_K_S), VALUE, FIRST_FOUR, PEFT_Q5_K },

	{ ALL, KEY, EIGHT, PEFT_Q8_0 },

	{ BIT(Q2_K), DOWN, ALWAYS, PEFT_Q3_K },
	{ BIT(Q3_K_M), DOWN, FIRST_SIXTEENTH, PEFT_Q5_K },
	{ BIT(Q3_K_M), DOWN, ALWAYS, PEFT_Q4_K },
	{ BIT(Q3_K_L), DOWN, ALWAYS, PEFT_Q5_K },
	{ BIT(Q4_K_M) | BIT(Q5_K_M), DOWN, MORE_BITS, PEFT_Q6_K },
	{ BIT(Q4_K_S), DOWN, FIRST_EIGHTH, PEFT_Q5_K },
	{ BIT(IQ4_NL) | BIT(IQ4_XS), DOWN, EIGHTH_PLAIN, PEFT_Q5_K },
	{ BIT(Q4_0), DOWN, EIGHTH_IMATRIX, PEFT_Q4_1 },
	{ BIT(Q5_0), DOWN, EIGHTH_IMATRIX, PEFT_Q5_1 },

	{ BIT(Q2_K) | BIT(Q3_K_S) | BIT(Q3_K_M) | BIT(Q4_K_S) | BIT(Q4_K_M) |
	    BIT(IQ4_NL) | BIT(IQ4_XS), JOINED, EIGHT, PEFT_Q5_K },
	{ BIT(Q2_K), JOINED, NOT_EIGHT, PEFT_Q3_K },
	{ BIT(Q3_K_M), JOINED, NOT_EIGHT, PEFT_Q4_K },
	{ BIT(Q3_K_L), JOINED, NOT_EIGHT, PEFT_Q5_K },
};

/* Llama 2's and 3's 70B: each value head serves eight queries. */
static bool
is_70b(const struct peft_mixer *m)
{
	return m->layers == 80 && m->heads != m->kv_heads;
}

static enum peft_dtype
head_type(const struct peft_mixer *m, size_t i)
{
	size_t cols = peft_source_at(m->src, i)->cols;

	return m->mix->dtype == PEFT_Q8_0 ||
	    cols % peft_dtypes[m->mix->dtype].block != 0 ? PEFT_Q8_0 :
	    PEFT_Q6_K;
}

enum peft_dtype
peft_mixer_type(const struct peft_mixer *m, size_t i, const char **why)
{
	const uint32_t bit = BIT((uint32_t)(m->mix - peft_mixes));
	const struct place *p = &m->at[i];
	enum peft_dtype t = m->mix->dtype;
	size_t k;

	*why = NULL;
	if (p->role == PLAIN) {
		*why = "small";
		return PEFT_F32;
	}
	if (p->role == HEAD || (p->role == EMBED && m->tied)) {
		*why = p->role == HEAD ? "head" : "embedding and head";
		return head_type(m, i);
	}
	for (k = 0; k < sizeof(table) / sizeof(table[0]); k++)
		if ((table[k].mixes & bit) && table[k].role == p->role &&
		    holds(m, p, table[k].when)) {
			*why = m->mix->name;
			t = table[k].type;
			break;
		}
	if (p->role == VALUE && m->experts != 8 && is_70b(m) &&
	    (t == PEFT_Q3_K || t == PEFT_Q4_K)) {
		*why = m->mix->name;
		t = PEFT_Q5_K;
	}
	if (*why == NULL && p->role == EMBED)
		*why = "embedding";
	return t;
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
		struct place *p = &m->at[i];

		if (peft_arch_to_gguf(arch, hf, name) == -1)
			return peft_seterr(err, "weight %s has no name in GGUF",
			    hf);
		p->role = role_of(name);
		p->layer = strncmp(name, "blk.", 4) == 0 ? atoi(name + 4) : -1;
		m->tied = m->tied && p->role != HEAD;
	}
	for (i = 0; i < n; i++) {
		struct place *p = &m->at[i];

		if (p->role == DOWN) {
			p->rank = p->layer;
			p->of = (int)m->layers;
		}
		for (k = 0; p->role == VALUE && k < n; k++)
			if (m->at[k].role == VALUE && peft_source_at(m->src,
			    k)->ndim > 1) {
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
	const char *type = "";
	char names[400];

	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	m->layers = 1;
	m->heads = 1;
	if (peft_json_str(j, "model_type", &type, err) == -1 ||
	    peft_json_int(j, "num_hidden_layers", 1, 1 << 20, &m->layers,
	    err) == -1 || peft_json_int(j, "num_attention_heads", 1, 1 << 20,
	    &m->heads, err) == -1)
		return -1;
	m->kv_heads = m->heads;
	if (peft_json_int(j, "num_key_value_heads", 1, m->heads, &m->kv_heads,
	    err) == -1 || peft_json_int(j, "num_experts", 0, 1 << 20,
	    &m->experts, err) == -1 || peft_json_int(j, "num_local_experts",
	    0, 1 << 20, &m->experts, err) == -1)
		return -1;
	if ((*arch = peft_arch_of_hf(type)) != NULL)
		return 0;
	peft_arch_names(true, names, sizeof(names));
	return peft_seterr(err, "model_type \"%s\" cannot be told in GGUF here "
	    "(known: %s)", type, names);
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
