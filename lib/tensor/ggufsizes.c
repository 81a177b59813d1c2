/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that config.json tells of, for GGUF's metadata. */

#include <string.h>

#include "tensor/ggufconfig-impl.h"

/* A number that GGUF keeps in 32 bits, by its common name; absent -1: it
 * must be there. */
static int
whole(const struct peft_arch *a, const cJSON *j, const char *key, int64_t max,
    int64_t absent, int64_t *out, struct peft_err *err)
{
	const char *own = peft_arch_alias(a, key);

	*out = absent;
	if (own != NULL && peft_json_int(j, own, 1, max, out, err) == -1)
		return -1;
	return *out >= 0 ? 0 : peft_seterr(err, "the key \"%s\" is missing",
	    own);
}

/* The share of a head that is turned, in any of transformers' forms. */
static double
partial(const struct peft_arch *a, const cJSON *j)
{
	const cJSON *p = peft_json_get(j, "rope_parameters"), *v = NULL;

	if (cJSON_IsObject(p))
		v = peft_json_get(p, "partial_rotary_factor");
	if (!cJSON_IsNumber(v))
		v = peft_json_get(j, peft_arch_alias(a,
		    "partial_rotary_factor"));
	if (cJSON_IsNumber(v))
		return v->valuedouble;
	return a->partial > 0 ? a->partial : 1;
}

/* Falcon counts key heads by other keys before its second architecture. */
static int
falcon_heads(const struct peft_arch *a, const cJSON *j, int64_t h,
    int64_t *kv, struct peft_err *err)
{
	bool fresh = false, multi = true;

	if (strcmp(a->hf, "falcon") != 0)
		return 0;
	if (peft_json_bool(j, "new_decoder_architecture", &fresh, err) == -1 ||
	    peft_json_bool(j, "multi_query", &multi, err) == -1)
		return -1;
	if (!fresh)
		*kv = multi ? 1 : h;
	return 0;
}

/* Widths of heads whose keys and values come by way of something narrow. */
static int
latent_heads(const cJSON *j, struct peft_gguf_sizes *s, struct peft_err *err)
{
	static const char *const keys[] = { "qk_nope_head_dim",
	    "qk_rope_head_dim", "v_head_dim" };
	int64_t *const out[] = { &s->dim, &s->turned, &s->value };
	int i;

	for (i = 0; i < 3; i++) {
		*out[i] = 0;
		if (peft_json_int(j, keys[i], 1, 1 << 14, out[i], err) == -1)
			return -1;
		if (*out[i] == 0)
			return peft_seterr(err, "the key \"%s\" is missing",
			    keys[i]);
	}
	s->dim += s->turned;
	return 0;
}

int
peft_gguf_sizes(const struct peft_arch *a, const cJSON *j,
    struct peft_gguf_sizes *s, struct peft_err *err)
{
	s->vocab = 0;
	if (whole(a, j, "hidden_size", 1 << 20, -1, &s->hidden, err) == -1 ||
	    whole(a, j, "intermediate_size", UINT32_MAX, strcmp(
	    peft_arch_alias(a, "hidden_size"), "hidden_size") != 0 ||
	    a->alias != NULL ? 4 * s->hidden : -1, &s->inter, err) == -1 ||
	    whole(a, j, "num_hidden_layers", UINT32_MAX, -1, &s->layers,
	    err) == -1 || whole(a, j, "num_attention_heads", 1 << 14, -1,
	    &s->heads, err) == -1 || whole(a, j, "num_key_value_heads",
	    s->heads, s->heads, &s->kv, err) == -1 ||
	    whole(a, j, "head_dim", 1 << 14, a->head_dim > 0 ? a->head_dim :
	    s->hidden / s->heads, &s->dim, err) == -1 ||
	    whole(a, j, "max_position_embeddings", UINT32_MAX,
	    a->alias != NULL ? 2048 : -1, &s->context, err) == -1 ||
	    peft_json_int(j, "vocab_size", 0, UINT32_MAX, &s->vocab,
	    err) == -1)
		return -1;
	s->value = s->dim;
	s->turned = (int64_t)((double)s->dim * partial(a, j));
	if (a->latent)
		return latent_heads(j, s, err);
	return falcon_heads(a, j, s->heads, &s->kv, err);
}

int
peft_arch_sizes(const struct peft_arch *a, const cJSON *j, int64_t *layers,
    struct peft_heads *heads, struct peft_err *err)
{
	struct peft_gguf_sizes s;

	if (peft_gguf_sizes(a, j, &s, err) == -1)
		return -1;
	*layers = s.layers;
	heads->heads = (size_t)s.heads;
	heads->kv_heads = (size_t)s.kv;
	return 0;
}
