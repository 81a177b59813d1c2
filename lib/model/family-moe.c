/* SPDX-License-Identifier: Apache-2.0 */
/* Families whose layers choose among experts. */

#include <string.h>

#include "model/family-impl.h"

#define MOE	(OUTER | PRE | ATTN | GATED | BIT(PEFT_ROUTER))

#define SLOTS(router) { \
	[PEFT_ATTN_NORM] = "input_layernorm", \
	[PEFT_Q] = "self_attn.q_proj", [PEFT_K] = "self_attn.k_proj", \
	[PEFT_V] = "self_attn.v_proj", [PEFT_Q_NORM] = "self_attn.q_norm", \
	[PEFT_K_NORM] = "self_attn.k_norm", [PEFT_O] = "self_attn.o_proj", \
	[PEFT_MLP_NORM] = "post_attention_layernorm", \
	[PEFT_GATE] = "mlp.gate_proj", [PEFT_UP] = "mlp.up_proj", \
	[PEFT_DOWN] = "mlp.down_proj", [PEFT_ROUTER] = router }

static const char *const mixtral[PEFT_NSLOT] = SLOTS("block_sparse_moe.gate");
static const char *const qwen[PEFT_NSLOT] = SLOTS("mlp.gate");
static const char *const gpt_oss[PEFT_NSLOT] = SLOTS("mlp.router");

static const char *const mixtral_expert[] = {
	"block_sparse_moe.experts.#.w1", "block_sparse_moe.experts.#.w3",
	"block_sparse_moe.experts.#.w2",
};

static const char *const qwen_expert[] = {
	"mlp.experts.#.gate_proj", "mlp.experts.#.up_proj",
	"mlp.experts.#.down_proj",
};

#define ROUTING \
	{ "num_experts_per_tok", PEFT_KEY_SIZE, AT(top_k), 0 }, \
	{ "num_experts", PEFT_KEY_SIZE, AT(experts), 0 }, \
	{ "num_local_experts", PEFT_KEY_SIZE, AT(experts), 0 }, \
	INERT("output_router_logits"), INERT("router_aux_loss_coef"), \
	INERT("router_jitter_noise")

static const char *const mixtral_usual[] = { "q_proj", "v_proj", NULL };

static const struct peft_key mixtral_keys[] = {
	ROUTING, { "sliding_window", PEFT_KEY_COUNT, AT(window), 0 }, END
};

static const struct peft_key qwen3_keys[] = {
	ROUTING, { "sliding_window", PEFT_KEY_COUNT, AT(window), 0 },
	{ "use_sliding_window", PEFT_KEY_BOOL, AT(use_window), 0 },
	INERT("max_window_layers"),	/* in transformers, of its dense kin */
	{ "moe_intermediate_size", PEFT_KEY_SIZE, AT(expert_inter), 0 },
	{ "norm_topk_prob", PEFT_KEY_BOOL, AT(t.topk_norm), 0 },
	{ "decoder_sparse_step", PEFT_KEY_SIZE, AT(sparse_step), 0 },
	INERT("mlp_only_layers"), ATTN_BIAS, END
};

static const struct peft_key olmoe_keys[] = {
	ROUTING, { "clip_qkv", PEFT_KEY_REAL, AT(t.qkv_clip), 0 },
	{ "norm_topk_prob", PEFT_KEY_BOOL, AT(t.topk_norm), 0 }, ATTN_BIAS,
	END
};

static const char *const deepseek[PEFT_NSLOT] = {
	[PEFT_ATTN_NORM] = "input_layernorm", [PEFT_Q] = "self_attn.q_proj",
	[PEFT_KV_A] = "self_attn.kv_a_proj_with_mqa",
	[PEFT_KV_NORM] = "self_attn.kv_a_layernorm",
	[PEFT_KV_B] = "self_attn.kv_b_proj", [PEFT_O] = "self_attn.o_proj",
	[PEFT_MLP_NORM] = "post_attention_layernorm",
	[PEFT_GATE] = "mlp.gate_proj", [PEFT_UP] = "mlp.up_proj",
	[PEFT_DOWN] = "mlp.down_proj", [PEFT_ROUTER] = "mlp.gate",
};

static const char *const deepseek_shared[] = {
	"mlp.shared_experts.gate_proj", "mlp.shared_experts.up_proj",
	"mlp.shared_experts.down_proj",
};

/* Version 2 without a narrow product for the queries ("Lite"). */
static const struct peft_key deepseek_keys[] = {
	ROUTING, { "n_routed_experts", PEFT_KEY_SIZE, AT(experts), 0 },
	{ "moe_intermediate_size", PEFT_KEY_SIZE, AT(expert_inter), 0 },
	{ "n_shared_experts", PEFT_KEY_COUNT, AT(shared_inter), 0 },
	{ "first_k_dense_replace", PEFT_KEY_COUNT, AT(dense_layers), 0 },
	{ "routed_scaling_factor", PEFT_KEY_REAL, AT(t.router_scale), 0 },
	{ "kv_lora_rank", PEFT_KEY_SIZE, AT(kv_rank), 0 },
	{ "qk_rope_head_dim", PEFT_KEY_SIZE, AT(rope_dim), 0 },
	{ "qk_nope_head_dim", PEFT_KEY_SIZE, AT(rope_at), 0 },
	{ "v_head_dim", PEFT_KEY_SIZE, AT(v_dim), 0 },
	{ "attention_bias", PEFT_KEY_BIAS, 0, BIT(PEFT_KV_A) | BIT(PEFT_O) },
	INERT("head_dim"), INERT("qk_head_dim"), INERT("n_group"),
	INERT("topk_group"), INERT("topk_method"), INERT("scoring_func"),
	INERT("moe_layer_freq"), INERT("aux_loss_alpha"), INERT("seq_aux"),
	INERT("ep_size"), END
};

/* OpenAI's: experts with biases, the stack of which a source takes apart. */
static const struct peft_key gpt_oss_keys[] = {
	ROUTING, { "sliding_window", PEFT_KEY_COUNT, AT(window), 0 },
	{ "swiglu_alpha", PEFT_KEY_REAL, AT(t.act_alpha), 0 },
	{ "swiglu_limit", PEFT_KEY_REAL, AT(t.act_limit), 0 },
	/* what transformers calls otherwise, or fixes */
	INERT("experts_per_token"), INERT("initial_context_length"),
	INERT("hidden_act"), INERT("layer_types"), ATTN_BIAS, END
};

static int
finish_deepseek(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	int64_t every = 1;

	if (peft_config_must_be(j, "topk_method", "greedy", err) == -1 ||
	    peft_config_must_be(j, "scoring_func", "softmax", err) == -1 ||
	    peft_json_int(j, "moe_layer_freq", 1, 1, &every, err) == -1)
		return -1;
	if (c->kv_rank == 0 || c->rope_dim == 0 || c->rope_at == 0)
		return peft_seterr(err, "one of kv_lora_rank, qk_rope_head_dim "
		    "and qk_nope_head_dim is missing");
	if (c->kv_heads != 0 && c->kv_heads != c->heads)
		return peft_seterr(err, "num_key_value_heads other than "
		    "num_attention_heads is not honoured");
	c->head_dim = c->rope_at + c->rope_dim;
	c->shared_inter *= c->expert_inter;
	return 0;
}

static int
finish_gpt_oss(struct peft_config *c, const cJSON *j, struct peft_err *err)
{
	if (peft_config_must_be(j, "hidden_act", "silu", err) == -1)
		return -1;
	if (peft_json_get(j, "rope_parameters") == NULL &&
	    peft_json_get(j, "rope_scaling") == NULL)
		return peft_seterr(err, "key \"rope_scaling\" is missing");
	if (!(c->t.act_limit > 0))
		return peft_seterr(err, "swiglu_limit is not above 0");
	return 0;
}

const struct peft_family peft_families_moe[] = {
	{ .model_type = "mixtral", .positions = 131072,
	  NAMES, .slot = mixtral,
	  .expert = mixtral_expert, .usual = mixtral_usual,
	  .keys = mixtral_keys,
	  .traits = { .has = MOE, .eps = 1e-5, .theta = 1e6,
	  .topk_norm = true, .window_period = 1 } },
	{ .model_type = "qwen3_moe", .positions = 32768,
	  NAMES, .slot = qwen,
	  .expert = qwen_expert, .keys = qwen3_keys,
	  .traits = { .has = MOE | QK, .window_period = 1,
	  .window = 4096 } },
	{ .model_type = "olmoe", .positions = 4096,
	  NAMES, .slot = qwen, .expert = qwen_expert,
	  .keys = olmoe_keys,
	  .traits = { .has = MOE | QK, .eps = 1e-5,
	  .qk_norm = PEFT_QK_WHOLE } },
	{ .model_type = "deepseek_v2", NAMES, .slot = deepseek,
	  .expert = qwen_expert, .shared = deepseek_shared,
	  .keys = deepseek_keys, .finish = finish_deepseek,
	  .traits = { .has = OUTER | PRE | BIT(PEFT_Q) | BIT(PEFT_KV_A) |
	  BIT(PEFT_KV_NORM) | BIT(PEFT_KV_B) | BIT(PEFT_O) | GATED |
	  BIT(PEFT_ROUTER), .interleaved = true } },
	{ .model_type = "gpt_oss", .positions = 131072,
	  NAMES, .slot = gpt_oss,
	  .expert = qwen_expert, .router = "mlp.router",
	  .keys = gpt_oss_keys, .finish = finish_gpt_oss,
	  .traits = { .has = MOE, .bias = ATTN | BIT(PEFT_ROUTER),
	  .expert_bias = true, .expert_turns = true, .sinks = true,
	  .topk_norm = true,
	  .act = PEFT_SWIGLU_CLAMPED, .act_alpha = 1.702, .act_limit = 7,
	  .eps = 1e-5, .theta = 150000, .window_period = 2,
	  .head_dim = 64, .window = 128 } },
	{ .model_type = NULL }
};
