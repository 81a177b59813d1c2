/* SPDX-License-Identifier: Apache-2.0 */
/* GGUF's metadata from config.json. */

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensor/ggufconfig-impl.h"

static int
put_real(const cJSON *j, const char *hf, const char *key, double absent,
    struct peft_gguf_out *o, struct peft_err *err)
{
	double f = absent;
	int r = hf == NULL ? 0 : peft_json_real(j, hf, &f, err);

	if (r == -1 || (r == 0 && isnan(absent)))
		return peft_seterr(err, "the key \"%s\" is missing or no "
		    "number", hf);
	if (r == 0 && absent == 0)
		return 0;		/* null or absent: off */
	if (!(f > 0) || f > (double)FLT_MAX)
		return peft_seterr(err, "\"%s\" is not above 0", hf);
	peft_gguf_put_f32(o, key, (float)f);
	return 0;
}

/* Older files call the number of experts as other families do. */
static const char *
spelling(const cJSON *j, const char *key)
{
	static const char *const twins[] = { "num_experts",
	    "num_local_experts" };
	int i;

	for (i = 0; i < 2; i++)
		if (strcmp(key, twins[i]) == 0 &&
		    peft_json_get(j, key) == NULL)
			return twins[1 - i];
	return key;
}

/* What llama.cpp does always, or never. */
static int
check_fixed(const struct peft_arch *a, const cJSON *j,
    const struct peft_gguf_key *k, struct peft_err *err)
{
	bool want = k->type == 'T', is = false;

	if (peft_json_bool(j, k->hf, &is, err) == -1)
		return -1;
	return is == want ? 0 : peft_seterr(err, "\"%s\" is %s, which "
	    "GGUF's %s has no way to say", k->hf, is ? "true" : "false",
	    a->gguf);
}

/* A key of the family's own.  Those that tensors tell are not told twice. */
static int
put_key(const struct peft_arch *a, const cJSON *j,
    const struct peft_gguf_key *k, struct peft_gguf_out *o,
    struct peft_err *err)
{
	bool on = k->type == 'B';
	char key[128];
	int64_t u = 0;

	if (k->type == 't' || k->type == 's')
		return 0;
	if (k->type == 'T' || k->type == 'F')
		return check_fixed(a, j, k, err);
	peft_gguf_full_key(key, k->gguf, a->gguf);
	if (k->type == 'f')
		return put_real(j, k->hf, key, k->required ? NAN : 0, o, err);
	if (k->type == 'b' || k->type == 'B') {
		if (peft_json_bool(j, k->hf, &on, err) == -1)
			return -1;
		peft_gguf_put_bool(o, key, on);
		return 0;
	}
	if (peft_json_int(j, spelling(j, k->hf), 0, UINT32_MAX, &u,
	    err) == -1)
		return -1;
	if (u == 0 && k->required)
		return peft_seterr(err, "the key \"%s\" is missing", k->hf);
	if (u > 0)
		peft_gguf_put_u32(o, key, (uint32_t)u);
	return 0;
}

/* MiniCPM's muP: what llama.cpp has as factors. */
static int
put_minicpm(const struct peft_arch *a, const cJSON *j,
    const struct peft_gguf_sizes *s, struct peft_gguf_out *o,
    struct peft_err *err)
{
	double emb = 1, depth = 1, base = 1;
	char key[128];

	if (peft_json_real(j, "scale_emb", &emb, err) == -1 ||
	    peft_json_real(j, "scale_depth", &depth, err) == -1 ||
	    peft_json_real(j, "dim_model_base", &base, err) == -1)
		return -1;
	if (!(emb > 0 && depth > 0 && base > 0))
		return peft_seterr(err, "one of scale_emb, scale_depth and "
		    "dim_model_base is not above 0");
	peft_gguf_full_key(key, "%s.embedding_scale", a->gguf);
	peft_gguf_put_f32(o, key, (float)emb);
	peft_gguf_full_key(key, "%s.residual_scale", a->gguf);
	peft_gguf_put_f32(o, key, (float)(depth / sqrt((double)s->layers)));
	peft_gguf_full_key(key, "%s.logit_scale", a->gguf);
	peft_gguf_put_f32(o, key, (float)((double)s->hidden / base));
	return 0;
}

/* What llama.cpp has of gpt-oss's activation without being told. */
static int
check_swiglu(const struct peft_arch *a, const cJSON *j, struct peft_err *err)
{
	static const struct { const char *key; double is; } fixed[] = {
		{ "swiglu_alpha", 1.702 }, { "swiglu_limit", 7 } };
	double v;
	int i;

	for (i = 0; i < 2; i++) {
		v = fixed[i].is;
		if (peft_json_real(j, fixed[i].key, &v, err) == -1)
			return -1;
		if (v != fixed[i].is)
			return peft_seterr(err, "\"%s\" is %g, which GGUF's "
			    "%s has no way to say", fixed[i].key, v, a->gguf);
	}
	return 0;
}

/* Nor is llama.cpp told that Gemma 2 has no caps: it takes those of the
 * published models. */
static int
check_caps(const struct peft_arch *a, const cJSON *j, struct peft_err *err)
{
	static const char *const caps[] = { "attn_logit_softcapping",
	    "final_logit_softcapping" };
	int i;

	for (i = 0; i < 2; i++)
		if (strcmp(a->hf, "gemma2") == 0 &&
		    cJSON_IsNull(peft_json_get(j, caps[i])))
			return peft_seterr(err, "\"%s\" is null, which GGUF's "
			    "%s has no way to say", caps[i], a->gguf);
	return 0;
}

/* What only some families have. */
static int
put_special(const struct peft_arch *a, const cJSON *j,
    const struct peft_gguf_sizes *s, struct peft_gguf_out *o,
    struct peft_err *err)
{
	const cJSON *attn = peft_json_get(j, "attn_config");
	double q = 256, head_dim = (double)s->dim;
	char key[128];

	if (strcmp(a->hf, "minicpm") == 0)
		return put_minicpm(a, j, s, o, err);
	if (a->joined)
		return check_swiglu(a, j, err);
	peft_gguf_full_key(key, "%s.attention.scale", a->gguf);
	if (strcmp(a->hf, "gemma2") == 0 || strcmp(a->hf, "gemma3_text") ==
	    0) {
		if (peft_json_real(j, "query_pre_attn_scalar", &q, err) == -1)
			return -1;
		if (q > 0 && q != head_dim)
			peft_gguf_put_f32(o, key, (float)(1 / sqrt(q)));
		return check_caps(a, j, err);
	}
	if (strcmp(a->hf, "mpt") != 0)
		return 0;
	peft_gguf_full_key(key, "%s.attention.max_alibi_bias", a->gguf);
	if (put_real(attn, "alibi_bias_max", key, 8, o, err) == -1)
		return -1;
	peft_gguf_full_key(key, "%s.attention.clamp_kqv", a->gguf);
	return put_real(attn, "clip_qkv", key, 0, o, err);
}

static void
put_u32(const struct peft_arch *a, struct peft_gguf_out *o, const char *what,
    int64_t v)
{
	char key[128];

	peft_gguf_full_key(key, what, a->gguf);
	peft_gguf_put_u32(o, key, (uint32_t)v);
}

static void
put_sizes(const struct peft_arch *a, const struct peft_gguf_sizes *s,
    struct peft_gguf_out *o)
{
	put_u32(a, o, "%s.context_length", s->context);
	put_u32(a, o, "%s.embedding_length", s->hidden);
	put_u32(a, o, "%s.block_count", s->layers);
	put_u32(a, o, "%s.feed_forward_length", s->inter);
	if (a->joined)		/* which all layers have */
		put_u32(a, o, "%s.expert_feed_forward_length", s->inter);
	put_u32(a, o, "%s.attention.head_count", s->heads);
	put_u32(a, o, "%s.attention.head_count_kv", s->kv);
	if (!a->norope)
		put_u32(a, o, "%s.rope.dimension_count", s->turned);
	if (s->dim * s->heads != s->hidden || s->value != s->dim) {
		put_u32(a, o, "%s.attention.key_length", s->dim);
		put_u32(a, o, "%s.attention.value_length", s->value);
	}
	put_u32(a, o, "%s.vocab_size", s->vocab);
}

static int
metadata(const struct peft_arch *a, const cJSON *j, struct peft_gguf_out *o,
    struct peft_heads *heads, struct peft_rope_tensors *t,
    struct peft_err *err)
{
	const struct peft_gguf_key *k;
	struct peft_gguf_sizes s;
	char key[128];

	if (peft_gguf_sizes(a, j, &s, err) == -1 ||
	    peft_gguf_check_built_in(a, j, err) == -1)
		return -1;
	heads->heads = (size_t)s.heads;
	heads->kv_heads = (size_t)s.kv;
	put_sizes(a, &s, o);
	peft_gguf_full_key(key, a->layernorm ?
	    "%s.attention.layer_norm_epsilon" :
	    "%s.attention.layer_norm_rms_epsilon", a->gguf);
	if (put_real(j, a->eps, key, a->layernorm ? 1e-5 : NAN, o, err) == -1)
		return -1;
	for (k = a->keys; k->hf != NULL; k++)
		if (put_key(a, j, k, o, err) == -1)
			return -1;
	if (put_special(a, j, &s, o, err) == -1)
		return -1;
	return peft_gguf_put_rope(a, j, o, (size_t)s.turned, t, err);
}

int
peft_arch_metadata(const struct peft_arch *a, const struct peft_side *config,
    struct peft_gguf_out *o, struct peft_heads *heads,
    struct peft_rope_tensors *t, struct peft_err *err)
{
	cJSON *j = peft_json(config->data, config->len, err);
	int r;

	memset(t, 0, sizeof(*t));
	if (j == NULL)
		return peft_errprefix(err, "config.json");
	r = metadata(a, j, o, heads, t, err);
	cJSON_Delete(j);
	return r == -1 ? peft_errprefix(err, "config.json") : 0;
}
