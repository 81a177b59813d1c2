/* SPDX-License-Identifier: Apache-2.0 */
/* config.json of a decoder, read and checked. */

#include <string.h>

#include "base/json.h"
#include "model/config.h"

/* Keys that are read here, and keys that say nothing about the arithmetic of
 * a forward pass in evaluation mode.  Anything else must be off. */
static const char *const known[] = {
	"model_type", "vocab_size", "hidden_size", "intermediate_size",
	"num_hidden_layers", "num_attention_heads", "num_key_value_heads",
	"head_dim", "max_position_embeddings", "rms_norm_eps", "rope_theta",
	"rope_scaling", "rope_parameters", "tie_word_embeddings",
	"attention_bias", "mlp_bias", "hidden_act", "bos_token_id",
	"eos_token_id", "pretraining_tp",
	/* no arithmetic */
	"_name_or_path", "architectures", "dtype", "torch_dtype",
	"transformers_version", "initializer_range", "use_cache",
	"pad_token_id", "attention_dropout", "is_llama_config",
	"quantization_config", "compression_config",
	"transformers.js_config", "auto_map",
	"_attn_implementation_autoset", "return_dict", "id2label", "label2id",
	"max_length", "min_length", "num_beams", "top_k", "top_p",
	"temperature", "num_return_sequences", "repetition_penalty",
	"length_penalty", "num_beam_groups", "chunk_size_feed_forward",
	"problem_type", "model_max_length", "unsloth_version",
	"unsloth_fixed", "task_specific_params", "typical_p",
};

static bool
is_known(const char *key)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i], key) == 0)
			return true;
	return false;
}

/* null, false, 0, "", [] and {} ask for nothing. */
static bool
is_off(const cJSON *j)
{
	if (cJSON_IsNull(j) || cJSON_IsFalse(j))
		return true;
	if (cJSON_IsNumber(j))
		return j->valuedouble == 0;
	if (cJSON_IsString(j))
		return j->valuestring[0] == '\0';
	return (cJSON_IsArray(j) || cJSON_IsObject(j)) && j->child == NULL;
}

static int
check_keys(const cJSON *j, struct peft_err *err)
{
	const cJSON *e;

	cJSON_ArrayForEach(e, j)
		if (!is_known(e->string) && !is_off(e))
			return peft_seterr(err, "key \"%s\" is not honoured by "
			    "this family's code", e->string);
	return 0;
}

/* A required whole number. */
static int
need(const cJSON *j, const char *key, int64_t max, size_t *out,
    struct peft_err *err)
{
	int64_t v = 0;
	int r;

	if ((r = peft_json_int(j, key, 1, max, &v, err)) == -1)
		return -1;
	if (r == 0)
		return peft_seterr(err, "key \"%s\" is missing", key);
	*out = (size_t)v;
	return 0;
}

/* One or several token ids; absent leaves what is there. */
static int
read_eos(const cJSON *j, struct peft_config *c, struct peft_err *err)
{
	const cJSON *e = peft_json_get(j, "eos_token_id"), *item;
	size_t n = 0;

	if (e == NULL || cJSON_IsNull(e))
		return 0;
	for (item = cJSON_IsArray(e) ? e->child : e; item != NULL;
	    item = cJSON_IsArray(e) ? item->next : NULL) {
		if (!cJSON_IsNumber(item) || item->valuedouble < 0 ||
		    item->valuedouble >= (double)c->vocab ||
		    item->valuedouble != (double)(int32_t)item->valuedouble)
			return peft_seterr(err, "eos_token_id is not a token "
			    "of a vocabulary of %zu", c->vocab);
		if (n == PEFT_MAXEOS)
			return peft_seterr(err, "more than %d eos_token_id",
			    PEFT_MAXEOS);
		c->eos[n++] = (int32_t)item->valuedouble;
	}
	c->neos = n;
	return 0;
}

static int
read_llama3(const cJSON *j, struct peft_rope *rope, struct peft_err *err)
{
	int a, b, c, d;

	a = peft_json_real(j, "factor", &rope->factor, err);
	b = peft_json_real(j, "low_freq_factor", &rope->low_freq_factor, err);
	c = peft_json_real(j, "high_freq_factor", &rope->high_freq_factor, err);
	d = peft_json_real(j, "original_max_position_embeddings",
	    &rope->original_max_position, err);
	if (a == -1 || b == -1 || c == -1 || d == -1)
		return -1;
	if (a + b + c + d != 4 || !(rope->factor > 0) ||
	    !(rope->low_freq_factor > 0) ||
	    !(rope->high_freq_factor > rope->low_freq_factor) ||
	    !(rope->original_max_position > 0))
		return peft_seterr(err, "rope scaling \"llama3\" needs factor, "
		    "low_freq_factor, high_freq_factor and "
		    "original_max_position_embeddings, all above 0");
	return 0;
}

/* transformers 4 has rope_theta and rope_scaling, 5 has rope_parameters. */
static int
read_rope(const cJSON *j, struct peft_rope *rope, struct peft_err *err)
{
	const cJSON *s = peft_json_get(j, "rope_parameters");
	const char *type = "default";
	int r;

	rope->theta = 10000;
	if (peft_json_real(j, "rope_theta", &rope->theta, err) == -1)
		return -1;
	if (s == NULL || cJSON_IsNull(s))
		s = peft_json_get(j, "rope_scaling");
	if (s != NULL && !cJSON_IsNull(s)) {
		if (!cJSON_IsObject(s))
			return peft_seterr(err, "rope scaling: not an object");
		if (peft_json_real(s, "rope_theta", &rope->theta, err) == -1)
			return -1;
		if ((r = peft_json_str(s, "rope_type", &type, err)) == -1)
			return -1;
		if (r == 0 && peft_json_str(s, "type", &type, err) == -1)
			return -1;
	}
	if (!(rope->theta > 0))
		return peft_seterr(err, "rope_theta is not above 0");
	if (strcmp(type, "default") == 0)
		return 0;
	if (strcmp(type, "llama3") == 0)
		return read_llama3(s, rope, err);
	return peft_seterr(err, "rope scaling \"%s\" is not honoured (known: "
	    "default, llama3)", type);
}

static int
read_sizes(const cJSON *j, struct peft_config *c, struct peft_err *err)
{
	int64_t kv, hd, bos = -1;

	if (need(j, "vocab_size", 1 << 24, &c->vocab, err) == -1 ||
	    need(j, "hidden_size", 1 << 20, &c->hidden, err) == -1 ||
	    need(j, "intermediate_size", 1 << 22, &c->inter, err) == -1 ||
	    need(j, "num_hidden_layers", 4096, &c->layers, err) == -1 ||
	    need(j, "num_attention_heads", 1 << 14, &c->heads, err) == -1)
		return -1;
	kv = (int64_t)c->heads;
	hd = (int64_t)(c->hidden / c->heads);
	c->max_position = 2048;
	if (peft_json_int(j, "num_key_value_heads", 1, kv, &kv, err) == -1 ||
	    peft_json_int(j, "head_dim", 1, 1 << 14, &hd, err) == -1 ||
	    peft_json_int(j, "bos_token_id", 0, (int64_t)c->vocab - 1, &bos,
	    err) == -1)
		return -1;
	if (peft_json_get(j, "max_position_embeddings") != NULL &&
	    need(j, "max_position_embeddings", 1 << 30, &c->max_position,
	    err) == -1)
		return -1;
	c->kv_heads = (size_t)kv;
	c->head_dim = (size_t)hd;
	c->bos = (int32_t)bos;
	if (hd == 0 || hd % 2 != 0)
		return peft_seterr(err, "head_dim %lld is not even",
		    (long long)hd);
	if (c->heads % c->kv_heads != 0)
		return peft_seterr(err, "%zu attention heads do not divide "
		    "into %zu key-value heads", c->heads, c->kv_heads);
	return 0;
}

static int
read_rest(const cJSON *j, struct peft_config *c, struct peft_err *err)
{
	const char *act = "silu";
	int64_t tp = 1;

	c->norm_eps = 1e-6;
	if (peft_json_real(j, "rms_norm_eps", &c->norm_eps, err) == -1 ||
	    peft_json_bool(j, "tie_word_embeddings", &c->tied, err) == -1 ||
	    peft_json_bool(j, "attention_bias", &c->attn_bias, err) == -1 ||
	    peft_json_bool(j, "mlp_bias", &c->mlp_bias, err) == -1 ||
	    peft_json_str(j, "hidden_act", &act, err) == -1 ||
	    peft_json_int(j, "pretraining_tp", 0, 1, &tp, err) == -1)
		return -1;
	if (!(c->norm_eps > 0))
		return peft_seterr(err, "rms_norm_eps is not above 0");
	if (strcmp(act, "silu") != 0)
		return peft_seterr(err, "hidden_act \"%s\" is not honoured "
		    "(known: silu)", act);
	return read_rope(j, &c->rope, err);
}

static int
read_config(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	const char *type = NULL;

	if (!cJSON_IsObject(j))
		return peft_seterr(err, "not an object");
	if (peft_json_str(j, "model_type", &type, err) == -1)
		return -1;
	if (type == NULL)
		return peft_seterr(err, "key \"model_type\" is missing");
	if ((c->family = peft_family_find(type)) == NULL)
		return peft_seterr(err, "model_type \"%s\" is not known (known: "
		    "%s)", type, peft_family_names());
	if (check_keys(j, err) == -1 || read_sizes(j, c, err) == -1 ||
	    read_rest(j, c, err) == -1)
		return -1;
	return read_eos(j, c, err);
}

int
peft_config_parse(struct peft_config *c, const struct peft_side *config,
    const struct peft_side *generation, struct peft_err *err)
{
	cJSON *j;
	int r;

	memset(c, 0, sizeof(*c));
	if ((j = peft_json(config->data, config->len, err)) == NULL)
		return peft_errprefix(err, "config.json");
	r = read_config(c, j, err);
	cJSON_Delete(j);
	if (r == -1)
		return peft_errprefix(err, "config.json");
	if (generation == NULL)
		return 0;
	if ((j = peft_json(generation->data, generation->len, err)) == NULL)
		return peft_errprefix(err, "generation_config.json");
	r = read_eos(j, c, err);
	cJSON_Delete(j);
	return r == -1 ? peft_errprefix(err, "generation_config.json") : 0;
}

int
peft_config_read(struct peft_config *c, const struct peft_source *src,
    struct peft_err *err)
{
	const struct peft_side *side = peft_source_side(src, "config.json");

	if (side == NULL)
		return peft_seterr(err, "%s: no config.json: not a model",
		    peft_source_label(src));
	if (peft_config_parse(c, side,
	    peft_source_side(src, "generation_config.json"), err) == -1)
		return peft_errprefix(err, "%s", peft_source_label(src));
	return 0;
}

bool
peft_config_is_eos(const struct peft_config *c, int32_t id)
{
	size_t i;

	for (i = 0; i < c->neos; i++)
		if (c->eos[i] == id)
			return true;
	return false;
}
