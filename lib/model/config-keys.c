/* SPDX-License-Identifier: Apache-2.0 */
/* The keys of config.json, by tables. */

#include <math.h>
#include <string.h>

#include "model/config-impl.h"

#define AT(field)	offsetof(struct peft_config, field)

#define INERT(name)	{ name, PEFT_KEY_INERT, 0, 0 }

/* Keys of all families.  A family's own table comes first. */
static const struct peft_key common[] = {
	{ "vocab_size", PEFT_KEY_SIZE, AT(vocab), 0 },
	{ "hidden_size", PEFT_KEY_SIZE, AT(hidden), 0 },
	{ "intermediate_size", PEFT_KEY_SIZE, AT(inter), 0 },
	{ "num_hidden_layers", PEFT_KEY_SIZE, AT(layers), 0 },
	{ "num_attention_heads", PEFT_KEY_SIZE, AT(heads), 0 },
	{ "num_key_value_heads", PEFT_KEY_SIZE, AT(kv_heads), 0 },
	{ "head_dim", PEFT_KEY_SIZE, AT(head_dim), 0 },
	{ "max_position_embeddings", PEFT_KEY_SIZE, AT(max_position), 0 },
	{ "rms_norm_eps", PEFT_KEY_REAL, AT(t.eps), 0 },
	{ "tie_word_embeddings", PEFT_KEY_BOOL, AT(t.tied), 0 },
	{ "hidden_act", PEFT_KEY_ACT, 0, 0 },
	/* read elsewhere */
	INERT("model_type"),
	INERT("rope_theta"),
	INERT("rope_scaling"),
	INERT("rope_parameters"),
	INERT("bos_token_id"),
	INERT("eos_token_id"),
	INERT("pretraining_tp"),
	/* no arithmetic of a forward pass in evaluation mode */
	INERT("_name_or_path"),
	INERT("architectures"),
	INERT("dtype"),
	INERT("torch_dtype"),
	INERT("transformers_version"),
	INERT("initializer_range"),
	INERT("use_cache"),
	INERT("pad_token_id"),
	INERT("attention_dropout"),
	INERT("hidden_dropout"),
	INERT("is_llama_config"),
	INERT("quantization_config"),
	INERT("transformers.js_config"),
	INERT("auto_map"),
	INERT("_attn_implementation_autoset"),
	INERT("attn_implementation"),
	INERT("_flash_attn_2_enabled"),
	INERT("return_dict"),
	INERT("id2label"),
	INERT("label2id"),
	INERT("num_labels"),
	INERT("classifier_dropout"),
	INERT("token_classification_bias"),
	INERT("max_length"),
	INERT("min_length"),
	INERT("num_beams"),
	INERT("top_k"),
	INERT("top_p"),
	INERT("temperature"),
	INERT("num_return_sequences"),
	INERT("repetition_penalty"),
	INERT("length_penalty"),
	INERT("num_beam_groups"),
	INERT("chunk_size_feed_forward"),
	INERT("problem_type"),
	INERT("model_max_length"),
	INERT("unsloth_version"),
	INERT("unsloth_fixed"),
	INERT("task_specific_params"),
	INERT("typical_p"),
	{ NULL, 0, 0, 0 }
};

/* transformers' names (activations.py). */
static const struct {
	const char	*name;
	enum peft_act	 act;
} acts[] = {
	{ "silu", PEFT_SILU }, { "swish", PEFT_SILU }, { "gelu", PEFT_GELU },
	{ "gelu_python", PEFT_GELU }, { "gelu_new", PEFT_GELU_TANH },
	{ "gelu_fast", PEFT_GELU_TANH },
	{ "gelu_pytorch_tanh", PEFT_GELU_TANH },
	{ "quick_gelu", PEFT_GELU_QUICK }, { "relu", PEFT_RELU },
	{ "relu2", PEFT_RELU2 },
};

static int
read_act(struct peft_config *c, const cJSON *j, const char *key,
    struct peft_err *err)
{
	const char *name = NULL;
	size_t i;

	if (peft_json_str(j, key, &name, err) == -1)
		return -1;
	for (i = 0; name != NULL && i < sizeof(acts) / sizeof(acts[0]); i++)
		if (strcmp(acts[i].name, name) == 0) {
			c->t.act = acts[i].act;
			return 0;
		}
	return name == NULL ? 0 : peft_seterr(err, "%s \"%s\" is not honoured "
	    "(known: silu, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, "
	    "quick_gelu, relu, relu2)", key, name);
}

static int
read_size(void *out, const cJSON *j, const struct peft_key *k,
    struct peft_err *err)
{
	int64_t v = 0;
	int r = peft_json_int(j, k->name, k->type == PEFT_KEY_COUNT ? 0 : 1,
	    1 << 30, &v, err);

	if (r == 1)
		*(size_t *)out = (size_t)v;
	return r == -1 ? -1 : 0;
}

static int
read_real(double *out, const cJSON *j, const struct peft_key *k,
    struct peft_err *err)
{
	double v = 0;
	int r = peft_json_real(j, k->name, &v, err);

	if (k->type == PEFT_KEY_CAP && cJSON_IsNull(peft_json_get(j,
	    k->name)))
		*out = 0;
	if (r != 1)
		return r;
	if (k->type != PEFT_KEY_REAL && k->type != PEFT_KEY_CAP && !(v > 0))
		return peft_seterr(err, "key \"%s\" is not above 0", k->name);
	if (!(fabs(v) <= 1e30))
		return peft_seterr(err, "key \"%s\" is no number", k->name);
	*out = k->type == PEFT_KEY_INVERSE ? 1 / v :
	    k->type == PEFT_KEY_RSQRT ? 1 / sqrt(v) : v;
	return 0;
}

static int
read_bits(struct peft_config *c, const cJSON *j, const struct peft_key *k,
    struct peft_err *err)
{
	uint32_t *m = k->type == PEFT_KEY_HAS ? &c->t.has : &c->t.bias;
	bool on = false;
	int r = peft_json_bool(j, k->name, &on, err);

	if (r == 1)
		*m = on ? *m | k->mask : *m & ~k->mask;
	return r == -1 ? -1 : 0;
}

static int
read_true(const cJSON *j, const struct peft_key *k, struct peft_err *err)
{
	bool on = true;

	if (peft_json_bool(j, k->name, &on, err) == -1)
		return -1;
	return on ? 0 : peft_seterr(err, "key \"%s\": false is not honoured "
	    "by this family's code", k->name);
}

static int
read_key(struct peft_config *c, const cJSON *j, const struct peft_key *k,
    struct peft_err *err)
{
	void *out = (char *)c + k->offset;

	switch (k->type) {
	case PEFT_KEY_SIZE:
	case PEFT_KEY_COUNT:
		return read_size(out, j, k, err);
	case PEFT_KEY_REAL:
	case PEFT_KEY_CAP:
	case PEFT_KEY_INVERSE:
	case PEFT_KEY_RSQRT:
		return read_real(out, j, k, err);
	case PEFT_KEY_BOOL:
		return peft_json_bool(j, k->name, out, err) == -1 ? -1 : 0;
	case PEFT_KEY_ACT:
		return read_act(c, j, k->name, err);
	case PEFT_KEY_HAS:
	case PEFT_KEY_BIAS:
		return read_bits(c, j, k, err);
	case PEFT_KEY_TRUE:
		return read_true(j, k, err);
	case PEFT_KEY_INERT:
		break;
	}
	return 0;
}

static const struct peft_key *
find_key(const struct peft_key *k, const char *name)
{
	for (; k != NULL && k->name != NULL; k++)
		if (strcmp(k->name, name) == 0)
			return k;
	return NULL;
}

int
peft_config_table(struct peft_config *c, const cJSON *j,
    const struct peft_key *table, struct peft_err *err)
{
	const struct peft_key *k;
	const cJSON *e;

	cJSON_ArrayForEach(e, j) {
		k = find_key(table, e->string);
		if (k == NULL)
			k = find_key(common, e->string);
		if (k == NULL && !peft_json_off(e))
			return peft_seterr(err, "key \"%s\" is not honoured by "
			    "this family's code", e->string);
		if (k != NULL && read_key(c, j, k, err) == -1)
			return -1;
	}
	return 0;
}

int
peft_config_must_be(const cJSON *j, const char *key, const char *want,
    struct peft_err *err)
{
	const char *s = want;

	if (peft_json_str(j, key, &s, err) == -1)
		return -1;
	return strcmp(s, want) == 0 ? 0 : peft_seterr(err, "%s \"%s\" is not "
	    "honoured (known: %s)", key, s, want);
}

int
peft_config_sizes(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	const struct peft_key *k;
	const cJSON *e;

	cJSON_ArrayForEach(e, j) {
		k = find_key(c->family->keys, e->string);
		if (k == NULL)
			k = find_key(common, e->string);
		if (k != NULL && (k->type == PEFT_KEY_SIZE || k->type ==
		    PEFT_KEY_COUNT) && read_size((char *)c + k->offset, j, k,
		    err) == -1)
			return -1;
	}
	return 0;
}

/* Whose norms are no RMS norms has another key for their epsilon, or none. */
static int
check_eps(const struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	static const char key[] = "rms_norm_eps";
	const cJSON *e = peft_json_get(j, key);

	if (c->t.norm < PEFT_LAYER || e == NULL || peft_json_off(e))
		return 0;
	return peft_seterr(err, "key \"%s\" is not honoured by this family's "
	    "code", key);
}

int
peft_config_keys(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	int64_t tp = 1;

	if (peft_config_table(c, j, c->family->keys, err) == -1 ||
	    check_eps(c, j, err) == -1)
		return -1;
	if (strcmp(c->family->model_type, "llama") != 0)
		return 0;		/* others never did */
	return peft_json_int(j, "pretraining_tp", 0, 1, &tp, err) == -1 ? -1 :
	    0;
}
