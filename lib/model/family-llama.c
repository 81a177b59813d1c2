/* SPDX-License-Identifier: Apache-2.0 */
/* Families that name their modules as llama does. */

#include <string.h>

#include "model/family-impl.h"

#define ATTN_NAMES \
	[PEFT_Q] = "self_attn.q_proj", [PEFT_K] = "self_attn.k_proj", \
	[PEFT_V] = "self_attn.v_proj", [PEFT_QKV] = "self_attn.qkv_proj", \
	[PEFT_Q_NORM] = "self_attn.q_norm", \
	[PEFT_K_NORM] = "self_attn.k_norm", [PEFT_O] = "self_attn.o_proj"
#define MLP_NAMES \
	[PEFT_GATE] = "mlp.gate_proj", [PEFT_UP] = "mlp.up_proj", \
	[PEFT_GATE_UP] = "mlp.gate_up_proj", [PEFT_DOWN] = "mlp.down_proj"

const char *const peft_slots_llama[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "input_layernorm", ATTN_NAMES,
	[PEFT_MLP_NORM] = "post_attention_layernorm", MLP_NAMES,
};

/* Norms before and behind. */
const char *const peft_slots_gemma[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "input_layernorm", ATTN_NAMES,
	[PEFT_ATTN_POST] = "post_attention_layernorm",
	[PEFT_MLP_NORM] = "pre_feedforward_layernorm", MLP_NAMES,
	[PEFT_MLP_POST] = "post_feedforward_layernorm",
};

static const char *const glm4[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "input_layernorm", ATTN_NAMES,
	[PEFT_ATTN_POST] = "post_self_attn_layernorm",
	[PEFT_MLP_NORM] = "post_attention_layernorm", MLP_NAMES,
	[PEFT_MLP_POST] = "post_mlp_layernorm",
};

static const char *const starcoder2[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "input_layernorm", ATTN_NAMES,
	[PEFT_MLP_NORM] = "post_attention_layernorm",
	[PEFT_UP] = "mlp.c_fc", [PEFT_DOWN] = "mlp.c_proj",
};

static const char *const phi[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "input_layernorm",
	[PEFT_Q] = "self_attn.q_proj", [PEFT_K] = "self_attn.k_proj",
	[PEFT_V] = "self_attn.v_proj",
	[PEFT_Q_NORM] = "self_attn.q_layernorm",
	[PEFT_K_NORM] = "self_attn.k_layernorm",
	[PEFT_O] = "self_attn.dense",
	[PEFT_UP] = "mlp.fc1", [PEFT_DOWN] = "mlp.fc2",
};

static const char *const phi_usual[] = { "q_proj", "v_proj", "fc1", "fc2",
	NULL };
/* PEFT names none: of its modules, what is nearest to what it takes else. */
static const char *const phi3_usual[] = { "qkv_proj", NULL };

static const uint8_t phi3_listed[PEFT_NSLOT] = {
	[PEFT_QKV] = PEFT_O, [PEFT_O] = PEFT_QKV,
};

#define SWITCH	{ "use_sliding_window", PEFT_KEY_BOOL, AT(use_window), 0 }
#define QWEN_WINDOW TYPES, SWITCH, \
	{ "max_window_layers", PEFT_KEY_COUNT, AT(window_layers), 0 }

static const struct peft_key llama_keys[] = { ATTN_BIAS, MLP_BIAS, END };
static const struct peft_key mistral_keys[] = { WINDOW, END };
static const struct peft_key qwen2_keys[] = { QWEN_WINDOW, END };
static const struct peft_key qwen3_keys[] = { QWEN_WINDOW, ATTN_BIAS, END };
static const struct peft_key olmo2_keys[] = { ATTN_BIAS, END };

static const struct peft_key olmo_keys[] = {
	{ "clip_qkv", PEFT_KEY_REAL, AT(t.qkv_clip), 0 }, ATTN_BIAS, END
};

static const struct peft_key phi3_keys[] = {
	INERT("original_max_position_embeddings"),
	{ "partial_rotary_factor", PEFT_KEY_REAL, AT(t.partial), 0 },
	INERT("resid_pdrop"),
	INERT("embd_pdrop"),
	{ "lm_head_bias", PEFT_KEY_BIAS, 0, BIT(PEFT_AT_HEAD) },
	INERT("full_attn_mod"), INERT("interpolate_factor"), WINDOW, END
};

static const struct peft_key smollm3_keys[] = {
	INERT("no_rope_layers"),
	{ "no_rope_layer_interval", PEFT_KEY_SIZE, AT(norope_period), 0 },
	/* in files, and not in its code */
	INERT("max_window_layers"),
	TYPES, SWITCH, ATTN_BIAS, MLP_BIAS, END
};

static const struct peft_key granite_keys[] = {
	{ "embedding_multiplier", PEFT_KEY_REAL, AT(t.embed_scale), 0 },
	{ "logits_scaling", PEFT_KEY_INVERSE, AT(t.logit_scale), 0 },
	{ "residual_multiplier", PEFT_KEY_REAL, AT(t.residual_scale), 0 },
	{ "attention_multiplier", PEFT_KEY_REAL, AT(t.attn_scale), 0 },
	ATTN_BIAS, MLP_BIAS, END
};

static const struct peft_key stablelm_keys[] = {
	{ "layer_norm_eps", PEFT_KEY_REAL, AT(t.eps), 0 },
	{ "partial_rotary_factor", PEFT_KEY_REAL, AT(t.partial), 0 },
	{ "use_qkv_bias", PEFT_KEY_BIAS, 0, QKV },
	{ "use_parallel_residual", PEFT_KEY_BOOL, AT(t.parallel), 0 },
	INERT("rotary_scaling_factor"), END
};

/* With parallel branches one norm serves both. */
static int
finish_stablelm(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	(void)j;
	(void)err;
	if (c->t.parallel)
		c->t.has &= ~BIT(PEFT_MLP_NORM);
	return 0;
}

static const struct peft_key starcoder2_keys[] = {
	{ "norm_epsilon", PEFT_KEY_REAL, AT(t.eps), 0 },
	{ "use_bias", PEFT_KEY_BIAS, 0, ATTN | BIT(PEFT_UP) |
	    BIT(PEFT_DOWN) },
	INERT("residual_dropout"),
	INERT("embedding_dropout"),
	INERT("embd_pdrop"),
	INERT("resid_pdrop"),
	INERT("norm_type"), INERT("activation_function"),
	INERT("attention_softmax_in_fp32"), INERT("layer_norm_epsilon"),
	INERT("scale_attention_softmax_in_fp32"), INERT("scale_attn_weights"),
	INERT("mlp_type"),
	WINDOW, END
};

static const struct peft_key phi_keys[] = {
	{ "layer_norm_eps", PEFT_KEY_REAL, AT(t.eps), 0 },
	{ "partial_rotary_factor", PEFT_KEY_REAL, AT(t.partial), 0 },
	{ "qk_layernorm", PEFT_KEY_HAS, 0, QK },
	INERT("resid_pdrop"),
	INERT("embd_pdrop"),
	END
};

static const struct peft_key glm_keys[] = {
	{ "partial_rotary_factor", PEFT_KEY_REAL, AT(t.partial), 0 },
	{ "attention_bias", PEFT_KEY_BIAS, 0, QKV },
	END
};

#define COHERE_KEYS \
	{ "layer_norm_eps", PEFT_KEY_REAL, AT(t.eps), 0 }, \
	{ "logit_scale", PEFT_KEY_REAL, AT(t.logit_scale), 0 }, \
	INERT("cache_implementation"), \
	INERT("order_of_interleaved_layers"), INERT("layer_switch"), \
	INERT("position_embedding_type"), \
	INERT("rotary_pct"), \
	INERT("use_embedding_sharing"), \
	{ "use_gated_activation", PEFT_KEY_TRUE, 0, 0 }, \
	{ "use_parallel_block", PEFT_KEY_TRUE, 0, 0 }, \
	INERT("use_parallel_embedding"), \
	ATTN_BIAS

static const struct peft_key cohere_keys[] = {
	{ "use_qk_norm", PEFT_KEY_HAS, 0, QK }, COHERE_KEYS, END
};

static const struct peft_key cohere2_keys[] = {
	{ "sliding_window_pattern", PEFT_KEY_SIZE, AT(window_period), 0 },
	{ "_sliding_window_pattern", PEFT_KEY_SIZE, AT(window_period), 0 },
	COHERE_KEYS, TYPES, END
};

static const struct peft_key exaone4_keys[] = {
	INERT("sliding_window_pattern"),	/* see finish_exaone4 */
	INERT("cache_implementation"),
	TYPES, END
};

/* "LLLG" or 4: the fourth sees all. */
static int
finish_exaone4(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	static const char key[] = "sliding_window_pattern";
	const cJSON *p = peft_json_get(j, key);
	int64_t n = (int64_t)c->window_period;
	size_t local;

	if (!cJSON_IsString(p)) {
		if (peft_json_int(j, key, 1, PEFT_MAXLAYER, &n, err) == -1)
			return -1;
	} else {
		local = strspn(p->valuestring, "L");
		if (strcmp(p->valuestring + local, "G") != 0)
			return peft_seterr(err, "%s \"%.60s\" is not honoured "
			    "(known: as \"LLLG\")", key, p->valuestring);
		n = (int64_t)local + 1;
	}
	c->window_period = (size_t)n;
	return 0;
}

/* MiniCPM's muP (finish_minicpm). */
static const struct peft_key minicpm_keys[] = {
	{ "scale_emb", PEFT_KEY_REAL, AT(t.embed_scale), 0 },
	{ "scale_depth", PEFT_KEY_REAL, AT(t.residual_scale), 0 },
	{ "dim_model_base", PEFT_KEY_REAL, AT(t.logit_scale), 0 },
	ATTN_BIAS, END
};

static int
finish_minicpm(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	(void)j;
	if (c->layers == 0 || c->hidden == 0)
		return peft_seterr(err, "key \"%s\" is missing", c->layers ==
		    0 ? "num_hidden_layers" : "hidden_size");
	c->t.residual_scale /= __builtin_sqrt((double)c->layers);
	c->t.logit_scale /= (double)c->hidden;
	return 0;
}

static const struct peft_key nemotron_keys[] = {
	{ "norm_eps", PEFT_KEY_REAL, AT(t.eps), 0 },
	{ "partial_rotary_factor", PEFT_KEY_REAL, AT(t.partial), 0 },
	ATTN_BIAS, MLP_BIAS, END
};

const struct peft_family peft_families_llama[] = {
	{ .model_type = "llama", NAMES, .slot = peft_slots_llama,
	  .keys = llama_keys,
	  .traits = { .has = LLAMA } },
	{ .model_type = "mistral", .positions = 131072,
	  NAMES, .slot = peft_slots_llama,
	  .keys = mistral_keys,
	  .traits = { .has = LLAMA, .window_period = 1, .window = 4096 } },
	{ .model_type = "qwen2", .positions = 32768,
	  NAMES, .slot = peft_slots_llama,
	  .keys = qwen2_keys,
	  .traits = { .has = LLAMA, .bias = QKV, .window_period = 1,
	  .window = 4096 } },
	{ .model_type = "qwen3", .positions = 32768,
	  NAMES, .slot = peft_slots_llama,
	  .keys = qwen3_keys,
	  .traits = { .has = LLAMA | QK, .head_dim = 128, .window_period = 1,
	  .window = 4096 } },
	{ .model_type = "phi", .embed = "model.embed_tokens",
	  .layers = "model.layers", .norm = "model.final_layernorm",
	  .head = "lm_head", .slot = phi, .usual = phi_usual, .keys = phi_keys,
	  .traits = { .has = OUTER | BIT(PEFT_ATTN_NORM) | ATTN |
	  BIT(PEFT_UP) | BIT(PEFT_DOWN), .bias = ~0u, .norm = PEFT_LAYER,
	  .act = PEFT_GELU_TANH, .parallel = true, .partial = 0.5 } },
	{ .model_type = "phi3", .positions = 4096,
	  NAMES, .slot = peft_slots_llama,
	  .usual = phi3_usual,
	  .listed = phi3_listed, .keys = phi3_keys,
	  .traits = { .has = OUTER | PRE | BIT(PEFT_QKV) | BIT(PEFT_O) |
	  BIT(PEFT_GATE_UP) | BIT(PEFT_DOWN), .eps = 1e-5,
	  .window_period = 1 } },
	{ .model_type = "olmo", NAMES, .slot = peft_slots_llama,
	  .keys = olmo_keys,
	  .traits = { .has = LLAMA, .norm = PEFT_LAYER,
	  .bare = PRE | BIT(PEFT_AT_NORM) } },
	{ .model_type = "olmo2", NAMES, .slot = peft_slots_gemma,
	  .keys = olmo2_keys,
	  .traits = { .has = OUTER | POST | QK | ATTN | GATED, .eps = 1e-5,
	  .qk_norm = PEFT_QK_WHOLE } },
	{ .model_type = "smollm3", .positions = 32768,
	  NAMES, .slot = peft_slots_llama,
	  .keys = smollm3_keys,
	  .traits = { .has = LLAMA, .tied = true, .theta = 2e6,
	  .norope_window = true, .norope_period = 4 } },
	{ .model_type = "granite", NAMES, .slot = peft_slots_llama,
	  .keys = granite_keys,
	  .traits = { .has = LLAMA, .attn_scale = 1 } },
	{ .model_type = "stablelm", .positions = 4096,
	  NAMES, .slot = peft_slots_llama,
	  .keys = stablelm_keys, .finish = finish_stablelm,
	  .traits = { .has = LLAMA, .norm = PEFT_LAYER,
	  .bias = PRE | BIT(PEFT_AT_NORM), .partial = 0.25 } },
	{ .model_type = "starcoder2", .positions = 4096,
	  NAMES, .slot = starcoder2,
	  .keys = starcoder2_keys,
	  .traits = { .has = OUTER | PRE | ATTN | BIT(PEFT_UP) |
	  BIT(PEFT_DOWN), .bias = PRE | BIT(PEFT_AT_NORM) | ATTN |
	  BIT(PEFT_UP) | BIT(PEFT_DOWN), .norm = PEFT_LAYER,
	  .act = PEFT_GELU_TANH, .tied = true, .window_period = 1 } },
	{ .model_type = "cohere", .positions = 8192,
	  NAMES, .slot = peft_slots_llama,
	  .keys = cohere_keys,
	  .traits = { .has = OUTER | BIT(PEFT_ATTN_NORM) | ATTN | GATED,
	  .norm = PEFT_LAYER, .qk_norm = PEFT_QK_EACH, .parallel = true,
	  .interleaved = true, .tied = true, .logit_scale = 0.0625,
	  .theta = 5e5 } },
	{ .model_type = "cohere2", .positions = 8192,
	  NAMES, .slot = peft_slots_llama,
	  .keys = cohere2_keys,
	  .traits = { .has = OUTER | BIT(PEFT_ATTN_NORM) | ATTN | GATED,
	  .norm = PEFT_LAYER, .parallel = true, .interleaved = true,
	  .tied = true, .logit_scale = 0.0625, .window_period = 4,
	  .window = 4096,
	  .full_norope = true } },
	{ .model_type = "glm", .positions = 131072,
	  NAMES, .slot = peft_slots_llama,
	  .keys = glm_keys,
	  .traits = { .has = OUTER | PRE | ATTN | BIT(PEFT_GATE_UP) |
	  BIT(PEFT_DOWN), .bias = QKV, .eps = 1.5625e-7, .head_dim = 128,
	  .interleaved = true, .partial = 0.5 } },
	{ .model_type = "glm4", .positions = 131072,
	  NAMES, .slot = glm4, .keys = glm_keys,
	  .traits = { .has = OUTER | PRE | POST | ATTN |
	  BIT(PEFT_GATE_UP) | BIT(PEFT_DOWN), .bias = QKV, .head_dim = 128,
	  .eps = 1.5625e-7, .interleaved = true, .partial = 0.5 } },
	{ .model_type = "exaone4", NAMES, .slot = peft_slots_gemma,
	  .keys = exaone4_keys, .finish = finish_exaone4,
	  .traits = { .has = OUTER | POST | QK | ATTN | GATED, .eps = 1e-5,
	  .window_period = 4, .window = 4096, .full_norope = true } },
	{ .model_type = "nemotron", .positions = 4096,
	  NAMES, .slot = peft_slots_llama,
	  .keys = nemotron_keys,
	  .traits = { .has = OUTER | PRE | ATTN | BIT(PEFT_UP) |
	  BIT(PEFT_DOWN), .bias = PRE | BIT(PEFT_AT_NORM),
	  .norm = PEFT_LAYER1, .act = PEFT_RELU2, .partial = 0.5 } },
	{ .model_type = "minicpm", NAMES, .slot = peft_slots_llama,
	  .keys = minicpm_keys, .finish = finish_minicpm,
	  .traits = { .has = LLAMA } },
	{ .model_type = NULL }
};
