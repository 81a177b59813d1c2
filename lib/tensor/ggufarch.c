/* SPDX-License-Identifier: Apache-2.0 */
/* The table of families in GGUF: what each has of names and keys of metadata
 * (llama.cpp's gguf-py constants, its converter and its loader). */

#include <stddef.h>

#include "tensor/ggufconfig-impl.h"

#define KEYEND	{ NULL, NULL, 0, false }

/* Keys beyond those that all have. */
static const struct peft_gguf_key none[] = { KEYEND };
#define BIAS(hf)	{ "attn_q.bias", hf, 't', false }
static const struct peft_gguf_key llama_keys[] = {
	BIAS("attention_bias"), { "ffn_up.bias", "mlp_bias", 't', false },
	KEYEND
};
static const struct peft_gguf_key bias_keys[] = {
	BIAS("attention_bias"), KEYEND
};
#define WINDOW	{ "%s.attention.sliding_window", "sliding_window", 'u', false }
static const struct peft_gguf_key mistral_keys[] = { WINDOW, KEYEND };
static const struct peft_gguf_key gemma2_keys[] = {
	WINDOW,
	{ "%s.attn_logit_softcapping", "attn_logit_softcapping", 'f', false },
	{ "%s.final_logit_softcapping", "final_logit_softcapping", 'f',
	    false }, KEYEND
};
static const struct peft_gguf_key granite_keys[] = {
	BIAS("attention_bias"), { "ffn_up.bias", "mlp_bias", 't', false },
	{ "%s.attention.scale", "attention_multiplier", 'f', false },
	{ "%s.embedding_scale", "embedding_multiplier", 'f', false },
	{ "%s.residual_scale", "residual_multiplier", 'f', false },
	{ "%s.logit_scale", "logits_scaling", 'f', false }, KEYEND
};
static const struct peft_gguf_key minicpm_keys[] = {
	{ "%s.embedding_scale", "scale_emb", 's', false },
	{ "%s.residual_scale", "scale_depth", 's', false },
	{ "%s.logit_scale", "dim_model_base", 's', false }, KEYEND
};
static const struct peft_gguf_key stablelm_keys[] = {
	BIAS("use_qkv_bias"),
	{ "%s.use_parallel_residual", "use_parallel_residual", 'b', false },
	KEYEND
};
static const struct peft_gguf_key starcoder2_keys[] = {
	BIAS("use_bias"), KEYEND
};
static const struct peft_gguf_key cohere_keys[] = {
	BIAS("attention_bias"), WINDOW,
	{ "attn_q_norm.weight", "use_qk_norm", 't', false },
	{ "%s.logit_scale", "logit_scale", 'f', false }, KEYEND
};
static const struct peft_gguf_key cohere2_keys[] = {
	BIAS("attention_bias"), WINDOW,
	{ "%s.logit_scale", "logit_scale", 'f', false }, KEYEND
};
static const struct peft_gguf_key window_keys[] = { WINDOW, KEYEND };
static const struct peft_gguf_key neox_keys[] = {
	{ "attn_qkv.bias", "attention_bias", 't', false },
	{ "%s.use_parallel_residual", "use_parallel_residual", 'B', false },
	KEYEND
};
static const struct peft_gguf_key falcon_keys[] = {
	{ "attn_qkv.bias", "bias", 't', false },
	{ "%s.", "alibi", 'F', false }, KEYEND
};
static const struct peft_gguf_key olmo_keys[] = {
	{ "%s.attention.clamp_kqv", "clip_qkv", 'f', false }, KEYEND
};
#define ROUTING(experts) \
	{ "%s.expert_count", experts, 'u', true }, \
	{ "%s.expert_used_count", "num_experts_per_tok", 'u', true }
static const struct peft_gguf_key mixtral_keys[] = {
	ROUTING("num_local_experts"), KEYEND
};
#define NORMED(type)	{ "%s.", "norm_topk_prob", type, false }
static const struct peft_gguf_key qwen_moe_keys[] = {
	ROUTING("num_experts"), NORMED('T'), { "%s.expert_feed_forward_length",
	    "moe_intermediate_size", 'u', true }, KEYEND
};
static const struct peft_gguf_key olmoe_keys[] = {
	ROUTING("num_experts"), NORMED('F'),
	{ "%s.attention.clamp_kqv", "clip_qkv", 'f', false }, KEYEND
};

static const struct peft_gguf_key gpt_oss_keys[] = {
	ROUTING("num_local_experts"), WINDOW,
	BIAS("attention_bias"), KEYEND
};

static const struct peft_gguf_key deepseek_keys[] = {
	ROUTING("n_routed_experts"), { "%s.expert_feed_forward_length",
	    "moe_intermediate_size", 'u', true },
	{ "%s.expert_shared_count", "n_shared_experts", 'u', false },
	{ "%s.leading_dense_block_count", "first_k_dense_replace", 'u',
	    false },
	{ "%s.expert_weights_scale", "routed_scaling_factor", 'f', false },
	{ "%s.expert_weights_norm", "norm_topk_prob", 'b', false },
	{ "%s.attention.kv_lora_rank", "kv_lora_rank", 'u', true },
	{ "%s.attention.q_lora_rank", "q_lora_rank", 'u', false },
	{ "%s.", "attention_bias", 'F', false }, KEYEND
};

#define AKA	static const char *const
AKA gpt2_names[][2] = { { "hidden_size", "n_embd" },
	{ "num_hidden_layers", "n_layer" }, { "num_attention_heads",
	"n_head" }, { "num_key_value_heads", NULL }, { "intermediate_size",
	"n_inner" }, { "max_position_embeddings", "n_positions" }, { NULL } };
AKA bloom_names[][2] = { { "num_hidden_layers", "n_layer" },
	{ "num_attention_heads", "n_head" }, { "num_key_value_heads", NULL },
	{ "intermediate_size", NULL }, { "max_position_embeddings",
	"seq_length" }, { NULL } };
AKA mpt_names[][2] = { { "hidden_size", "d_model" }, { "num_hidden_layers",
	"n_layers" }, { "num_attention_heads", "n_heads" },
	{ "num_key_value_heads", NULL }, { "intermediate_size", NULL },
	{ "max_position_embeddings", "max_seq_len" }, { NULL } };
AKA falcon_names[][2] = { { "num_key_value_heads", "num_kv_heads" },
	{ "intermediate_size", "ffn_hidden_size" }, { NULL } };
AKA deepseek_names[][2] = { { "num_key_value_heads", NULL }, { "head_dim",
	NULL }, { NULL } };
AKA neox_names[][2] = { { "num_key_value_heads", NULL }, { "rope_theta",
	"rotary_emb_base" }, { "partial_rotary_factor", "rotary_pct" },
	{ NULL } };

#define RMS	.eps = "rms_norm_eps"
#define LAYER(key)	.eps = key, .layernorm = true
#define LIKE_LLAMA	.hf_layer = "model.layers.", .whole = peft_pairs_llama_whole

/* Rows of one architecture lie together, those with a condition first.  No
 * two have the same model_type, unless what tells them apart is a key. */
const struct peft_arch peft_archs[] = {
	{ .gguf = "llama", .when = "%s.expert_count", .hf = "mixtral",
	  .class = "MixtralForCausalLM", LIKE_LLAMA,
	  .layer = peft_pairs_mixtral,
	  .keys = mixtral_keys, RMS },
	{ .gguf = "llama", .when = "%s.attention.sliding_window",
	  .hf = "mistral", .class = "MistralForCausalLM", LIKE_LLAMA,
	  .layer = peft_pairs_llama, .keys = mistral_keys, RMS, .period = 1 },
	{ .gguf = "llama", .hf = "llama", .class = "LlamaForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_llama, .keys = llama_keys, RMS },
	{ .gguf = "qwen2", .hf = "qwen2", .class = "Qwen2ForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_qwen, .keys = none, RMS },
	{ .gguf = "qwen3", .hf = "qwen3", .class = "Qwen3ForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_qwen, .keys = bias_keys, RMS,
	  .head_dim = 128 },
	{ .gguf = "qwen3moe", .hf = "qwen3_moe",
	  .class = "Qwen3MoeForCausalLM", LIKE_LLAMA,
	  .layer = peft_pairs_qwen_moe,
	  .keys = qwen_moe_keys, RMS },
	{ .gguf = "olmoe", .hf = "olmoe", .class = "OlmoeForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_qwen_moe, .keys = olmoe_keys, RMS },
	{ .gguf = "deepseek2", .hf = "deepseek_v2",
	  .class = "DeepseekV2ForCausalLM", LIKE_LLAMA,
	  .layer = peft_pairs_deepseek,
	  .alias = deepseek_names, .keys = deepseek_keys, RMS,
	  .latent = true },
	{ .gguf = "gpt-oss", .hf = "gpt_oss", .class = "GptOssForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_gpt_oss, .keys = gpt_oss_keys, RMS,
	  .period = 2, .theta = 150000, .joined = true, .head_dim = 64,
	  .unrounded = true },
	{ .gguf = "gemma", .hf = "gemma",
	  .act = "gelu_pytorch_tanh", .class = "GemmaForCausalLM",
	  .hf_layer = "model.layers.", .whole = peft_pairs_plus_whole,
	  .layer = peft_pairs_gemma,
	  .keys = none, RMS, .head_dim = 256 },
	{ .gguf = "gemma2", .hf = "gemma2",
	  .act = "gelu_pytorch_tanh", .class = "Gemma2ForCausalLM",
	  .hf_layer = "model.layers.", .whole = peft_pairs_plus_whole,
	  .layer = peft_pairs_gemma2,
	  .keys = gemma2_keys, RMS, .period = 2, .head_dim = 256 },
	{ .gguf = "gemma3", .hf = "gemma3_text", .act = "gelu_pytorch_tanh",
	  .class = "Gemma3ForCausalLM", .hf_layer = "model.layers.",
	  .whole = peft_pairs_plus_whole,
	  .layer = peft_pairs_gemma2, .keys = gemma2_keys, RMS,
	  .period = 6, .theta = 1e6, .local = 10000, .head_dim = 256 },
	{ .gguf = "phi2", .hf = "phi",
	  .act = "gelu_pytorch_tanh", .partial = 0.5, .class = "PhiForCausalLM",
	  .hf_layer = "model.layers.", .whole = peft_pairs_phi_whole,
	  .layer = peft_pairs_phi,
	  .keys = none, LAYER("layer_norm_eps") },
	{ .gguf = "phi3", .hf = "phi3", .class = "Phi3ForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_phi3, .keys = window_keys, RMS,
	  .period = 1 },
	{ .gguf = "olmo", .hf = "olmo", .class = "OlmoForCausalLM",
	  .hf_layer = "model.layers.", .whole = peft_pairs_llama_whole,
	  .layer = peft_pairs_olmo,
	  .keys = olmo_keys, LAYER(NULL) },
	{ .gguf = "olmo2", .hf = "olmo2", .class = "Olmo2ForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_olmo2, .keys = none, RMS },
	{ .gguf = "smollm3", .hf = "smollm3", .class = "SmolLM3ForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_llama, .keys = llama_keys, RMS },
	{ .gguf = "granite", .hf = "granite", .class = "GraniteForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_llama, .keys = granite_keys, RMS },
	{ .gguf = "minicpm", .hf = "minicpm", .class = "MiniCPMForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_llama, .keys = minicpm_keys, RMS },
	{ .gguf = "stablelm", .hf = "stablelm", .partial = 0.25,
	  .class = "StableLmForCausalLM", LIKE_LLAMA, .layer = peft_pairs_qwen,
	  .keys = stablelm_keys, LAYER("layer_norm_eps") },
	{ .gguf = "starcoder2", .hf = "starcoder2", .act = "gelu_pytorch_tanh",
	  .class = "Starcoder2ForCausalLM", LIKE_LLAMA,
	  .layer = peft_pairs_starcoder2,
	  .keys = starcoder2_keys, LAYER("norm_epsilon") },
	{ .gguf = "command-r", .hf = "cohere", .class = "CohereForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_qwen, .keys = cohere_keys,
	  LAYER("layer_norm_eps") },
	{ .gguf = "cohere2", .hf = "cohere2", .class = "Cohere2ForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_qwen, .keys = cohere2_keys,
	  LAYER("layer_norm_eps"), .period = 4 },
	{ .gguf = "chatglm", .hf = "glm", .partial = 0.5,
	  .class = "GlmForCausalLM", LIKE_LLAMA, .layer = peft_pairs_glm,
	  .keys = bias_keys, RMS, .head_dim = 128 },
	{ .gguf = "glm4", .hf = "glm4", .partial = 0.5, .class = "Glm4ForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_glm4, .keys = bias_keys, RMS,
	  .head_dim = 128 },
	{ .gguf = "exaone4", .hf = "exaone4", .class = "Exaone4ForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_olmo2, .keys = window_keys, RMS,
	  .period = 4 },
	{ .gguf = "nemotron", .hf = "nemotron", .act = "relu2", .partial = 0.5,
	  .class = "NemotronForCausalLM", .hf_layer = "model.layers.",
	  .whole = peft_pairs_plus_whole,
	  .layer = peft_pairs_nemotron, .keys = none,
	  LAYER("norm_eps") },
	{ .gguf = "gpt2", .hf = "gpt2",
	  .act = "gelu_pytorch_tanh", .norope = true, .class = "GPT2LMHeadModel",
	  .hf_layer = "transformer.h.", .whole = peft_pairs_gpt2_whole,
	  .layer = peft_pairs_gpt2,
	  .alias = gpt2_names, .keys = none, LAYER("layer_norm_epsilon") },
	{ .gguf = "gptneox", .hf = "gpt_neox",
	  .act = "gelu", .partial = 0.25, .class = "GPTNeoXForCausalLM",
	  .hf_layer = "gpt_neox.layers.", .whole = peft_pairs_neox_whole,
	  .layer = peft_pairs_neox,
	  .alias = neox_names, .keys = neox_keys, LAYER("layer_norm_eps") },
	{ .gguf = "bloom", .hf = "bloom", .norope = true, .class = "BloomForCausalLM",
	  .hf_layer = "transformer.h.", .whole = peft_pairs_bloom_whole,
	  .layer = peft_pairs_bloom,
	  .alias = bloom_names, .keys = none, LAYER("layer_norm_epsilon") },
	{ .gguf = "falcon", .when = "blk.0.attn_norm_2.weight",
	  .hf = "falcon", .act = "gelu", .class = "FalconForCausalLM",
	  .hf_layer = "transformer.h.", .whole = peft_pairs_bloom_whole,
	  .layer = peft_pairs_falcon2, .alias = falcon_names,
	  .keys = falcon_keys,
	  LAYER("layer_norm_epsilon"),
	  .extra = ",\"new_decoder_architecture\":true" },
	{ .gguf = "falcon", .hf = "falcon",
	  .act = "gelu", .class = "FalconForCausalLM",
	  .hf_layer = "transformer.h.", .whole = peft_pairs_bloom_whole,
	  .layer = peft_pairs_falcon, .alias = falcon_names,
	  .keys = falcon_keys,
	  LAYER("layer_norm_epsilon") },
	{ .gguf = "mpt", .hf = "mpt", .norope = true, .class = "MptForCausalLM",
	  .hf_layer = "transformer.blocks.", .whole = peft_pairs_mpt_whole,
	  .layer = peft_pairs_mpt, .alias = mpt_names, .keys = none,
	  LAYER("layer_norm_epsilon") },
	/* whose graph is Llama's: that is what it is read as */
	{ .gguf = "internlm2", .hf = "llama", .class = "LlamaForCausalLM",
	  LIKE_LLAMA, .layer = peft_pairs_llama, .keys = llama_keys, RMS },
	{ .gguf = "internlm2", .hf = "internlm2",
	  .class = "InternLM2ForCausalLM", .hf_layer = "model.layers.",
	  .whole = peft_pairs_internlm2_whole,
	  .layer = peft_pairs_internlm2, .keys = none, RMS },
	{ .gguf = NULL }
};
