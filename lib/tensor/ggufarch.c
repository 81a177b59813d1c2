/* SPDX-License-Identifier: Apache-2.0 */
/* The table of families in GGUF: names of tensors and keys of metadata
 * (llama.cpp's gguf-py constants, its converter and its loader). */

#include <stddef.h>

#include "tensor/ggufconfig-impl.h"

#define END	{ NULL, NULL, 0 }
#define KEYEND	{ NULL, NULL, 0, false }

static const struct peft_pair llama_whole[] = {
	{ "token_embd", "model.embed_tokens", 0 },
	{ "output_norm", "model.norm", 0 }, { "output", "lm_head", 0 }, END
};

static const struct peft_pair plus_whole[] = {
	{ "token_embd", "model.embed_tokens", 0 },
	{ "output_norm", "model.norm", '+' }, { "output", "lm_head", 0 }, END
};

#define MLP \
	{ "ffn_gate", "mlp.gate_proj", 0 }, { "ffn_up", "mlp.up_proj", 0 }, \
	{ "ffn_down", "mlp.down_proj", 0 }
#define BOTH \
	{ "ffn_up", "mlp.gate_up_proj", 0 }, { "ffn_down", "mlp.down_proj", 0 }
#define ATTN(q, k) \
	{ "attn_q", "self_attn.q_proj", q }, \
	{ "attn_k", "self_attn.k_proj", k }, \
	{ "attn_v", "self_attn.v_proj", 0 }, \
	{ "attn_output", "self_attn.o_proj", 0 }
#define PRE(as) \
	{ "attn_norm", "input_layernorm", as }, \
	{ "ffn_norm", "post_attention_layernorm", as }
#define QK(as) \
	{ "attn_q_norm", "self_attn.q_norm", as }, \
	{ "attn_k_norm", "self_attn.k_norm", as }
#define POST(as) \
	{ "post_attention_norm", "post_attention_layernorm", as }, \
	{ "post_ffw_norm", "post_feedforward_layernorm", as }

/* Rows of queries and keys interleaved, for llama.cpp turns neighbours. */
static const struct peft_pair llama[] = { PRE(0), ATTN('q', 'k'), MLP, END };
/* As they are, for it turns halves in these. */
static const struct peft_pair qwen[] = { PRE(0), QK(0), ATTN(0, 0), MLP, END };
static const struct peft_pair gemma[] = { PRE('+'), ATTN(0, 0), MLP, END };
static const struct peft_pair gemma2[] = {
	{ "attn_norm", "input_layernorm", '+' },
	{ "ffn_norm", "pre_feedforward_layernorm", '+' },
	POST('+'), QK('+'), ATTN(0, 0), MLP, END
};
static const struct peft_pair olmo2[] = {
	POST(0), QK(0), ATTN(0, 0), MLP, END
};
static const struct peft_pair olmo[] = { ATTN('q', 'k'), MLP, END };
static const struct peft_pair phi3[] = {
	PRE(0), { "attn_qkv", "self_attn.qkv_proj", 0 },
	{ "attn_output", "self_attn.o_proj", 0 }, BOTH, END
};
static const struct peft_pair glm[] = { PRE(0), ATTN(0, 0), BOTH, END };
static const struct peft_pair glm4[] = {
	PRE(0), { "post_attention_norm", "post_self_attn_layernorm", 0 },
	{ "post_ffw_norm", "post_mlp_layernorm", 0 }, ATTN(0, 0), BOTH, END
};
static const struct peft_pair starcoder2[] = {
	PRE(0), ATTN(0, 0), { "ffn_up", "mlp.c_fc", 0 },
	{ "ffn_down", "mlp.c_proj", 0 }, END
};
static const struct peft_pair nemotron[] = {
	PRE('+'), ATTN(0, 0), { "ffn_up", "mlp.up_proj", 0 },
	{ "ffn_down", "mlp.down_proj", 0 }, END
};
static const struct peft_pair phi[] = {
	{ "attn_norm", "input_layernorm", 0 },
	{ "attn_q", "self_attn.q_proj", 0 },
	{ "attn_k", "self_attn.k_proj", 0 },
	{ "attn_v", "self_attn.v_proj", 0 },
	{ "attn_output", "self_attn.dense", 0 },
	{ "ffn_up", "mlp.fc1", 0 }, { "ffn_down", "mlp.fc2", 0 }, END
};
static const struct peft_pair phi_whole[] = {
	{ "token_embd", "model.embed_tokens", 0 },
	{ "output_norm", "model.final_layernorm", 0 },
	{ "output", "lm_head", 0 }, END
};
#define EXPERTS(gate, up, down) \
	{ "ffn_gate_exps", gate, 'e' }, { "ffn_up_exps", up, 'e' }, \
	{ "ffn_down_exps", down, 'e' }
static const struct peft_pair mixtral[] = {
	PRE(0), ATTN('q', 'k'),
	{ "ffn_gate_inp", "block_sparse_moe.gate", 0 },
	EXPERTS("block_sparse_moe.experts.#.w1",
	    "block_sparse_moe.experts.#.w3", "block_sparse_moe.experts.#.w2"),
	END
};
static const struct peft_pair qwen_moe[] = {
	PRE(0), QK(0), ATTN(0, 0), { "ffn_gate_inp", "mlp.gate", 0 },
	EXPERTS("mlp.experts.#.gate_proj", "mlp.experts.#.up_proj",
	    "mlp.experts.#.down_proj"), END
};
static const struct peft_pair gpt2_whole[] = {
	{ "token_embd", "transformer.wte", 0 },
	{ "position_embd", "transformer.wpe", 0 },
	{ "output_norm", "transformer.ln_f", 0 }, { "output", "lm_head", 0 },
	END
};
static const struct peft_pair gpt2[] = {
	{ "attn_norm", "ln_1", 0 }, { "attn_qkv", "attn.c_attn", 't' },
	{ "attn_output", "attn.c_proj", 't' }, { "ffn_norm", "ln_2", 0 },
	{ "ffn_up", "mlp.c_fc", 't' }, { "ffn_down", "mlp.c_proj", 't' }, END
};
static const struct peft_pair neox_whole[] = {
	{ "token_embd", "gpt_neox.embed_in", 0 },
	{ "output_norm", "gpt_neox.final_layer_norm", 0 },
	{ "output", "embed_out", 0 }, END
};
#define FUSED(prefix, as) \
	{ "attn_qkv", prefix ".query_key_value", as }, \
	{ "attn_output", prefix ".dense", 0 }, \
	{ "ffn_up", "mlp.dense_h_to_4h", 0 }, \
	{ "ffn_down", "mlp.dense_4h_to_h", 0 }
static const struct peft_pair neox[] = {
	PRE(0), FUSED("attention", 'f'), END
};
static const struct peft_pair bloom_whole[] = {
	{ "token_embd", "transformer.word_embeddings", 0 },
	{ "token_embd_norm", "transformer.word_embeddings_layernorm", 0 },
	{ "output_norm", "transformer.ln_f", 0 }, { "output", "lm_head", 0 },
	END
};
static const struct peft_pair bloom[] = {
	PRE(0), FUSED("self_attention", 'f'), END
};
static const struct peft_pair falcon[] = {
	{ "attn_norm", "input_layernorm", 0 }, FUSED("self_attention", 'f'),
	END
};
/* llama.cpp's first norm is the MLP's. */
static const struct peft_pair falcon2[] = {
	{ "attn_norm_2", "ln_attn", 0 }, { "attn_norm", "ln_mlp", 0 },
	/* of those with one norm */
	{ "attn_norm", "input_layernorm", 0 },
	FUSED("self_attention", 'f'), END
};
static const struct peft_pair mpt_whole[] = {
	{ "token_embd", "transformer.wte", 0 },
	{ "output_norm", "transformer.norm_f", 0 }, { "output", "lm_head", 0 },
	END
};
static const struct peft_pair mpt[] = {
	{ "attn_norm", "norm_1", 0 }, { "ffn_norm", "norm_2", 0 },
	{ "attn_qkv", "attn.Wqkv", 0 }, { "attn_output", "attn.out_proj", 0 },
	{ "ffn_up", "ffn.up_proj", 0 }, { "ffn_down", "ffn.down_proj", 0 },
	END
};

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
	{ "attn_qkv.bias", "bias", 't', false }, KEYEND
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
AKA neox_names[][2] = { { "num_key_value_heads", NULL }, { "rope_theta",
	"rotary_emb_base" }, { "partial_rotary_factor", "rotary_pct" },
	{ NULL } };

#define RMS	.eps = "rms_norm_eps"
#define LAYER(key)	.eps = key, .layernorm = true
#define LIKE_LLAMA	.hf_layer = "model.layers.", .whole = llama_whole

/* Rows of one architecture lie together, those with a condition first.  No
 * two have the same model_type, unless what tells them apart is a key. */
const struct peft_arch peft_archs[] = {
	{ .gguf = "llama", .when = "%s.expert_count", .hf = "mixtral",
	  .class = "MixtralForCausalLM", LIKE_LLAMA, .layer = mixtral,
	  .keys = mixtral_keys, RMS },
	{ .gguf = "llama", .when = "%s.attention.sliding_window",
	  .hf = "mistral", .class = "MistralForCausalLM", LIKE_LLAMA,
	  .layer = llama, .keys = mistral_keys, RMS, .period = 1 },
	{ .gguf = "llama", .hf = "llama", .class = "LlamaForCausalLM",
	  LIKE_LLAMA, .layer = llama, .keys = llama_keys, RMS },
	{ .gguf = "qwen2", .hf = "qwen2", .class = "Qwen2ForCausalLM",
	  LIKE_LLAMA, .layer = qwen, .keys = none, RMS },
	{ .gguf = "qwen3", .hf = "qwen3", .class = "Qwen3ForCausalLM",
	  LIKE_LLAMA, .layer = qwen, .keys = bias_keys, RMS },
	{ .gguf = "qwen3moe", .hf = "qwen3_moe",
	  .class = "Qwen3MoeForCausalLM", LIKE_LLAMA, .layer = qwen_moe,
	  .keys = qwen_moe_keys, RMS },
	{ .gguf = "olmoe", .hf = "olmoe", .class = "OlmoeForCausalLM",
	  LIKE_LLAMA, .layer = qwen_moe, .keys = olmoe_keys, RMS },
	{ .gguf = "gemma", .hf = "gemma", .class = "GemmaForCausalLM",
	  .hf_layer = "model.layers.", .whole = plus_whole, .layer = gemma,
	  .keys = none, RMS },
	{ .gguf = "gemma2", .hf = "gemma2", .class = "Gemma2ForCausalLM",
	  .hf_layer = "model.layers.", .whole = plus_whole, .layer = gemma2,
	  .keys = gemma2_keys, RMS, .period = 2 },
	{ .gguf = "gemma3", .hf = "gemma3_text",
	  .class = "Gemma3ForCausalLM", .hf_layer = "model.layers.",
	  .whole = plus_whole, .layer = gemma2, .keys = gemma2_keys, RMS,
	  .period = 6, .theta = 1e6, .local = 10000 },
	{ .gguf = "phi2", .hf = "phi", .partial = 0.5, .class = "PhiForCausalLM",
	  .hf_layer = "model.layers.", .whole = phi_whole, .layer = phi,
	  .keys = none, LAYER("layer_norm_eps") },
	{ .gguf = "phi3", .hf = "phi3", .class = "Phi3ForCausalLM",
	  LIKE_LLAMA, .layer = phi3, .keys = window_keys, RMS,
	  .period = 1 },
	{ .gguf = "olmo", .hf = "olmo", .class = "OlmoForCausalLM",
	  .hf_layer = "model.layers.", .whole = llama_whole, .layer = olmo,
	  .keys = olmo_keys, LAYER(NULL) },
	{ .gguf = "olmo2", .hf = "olmo2", .class = "Olmo2ForCausalLM",
	  LIKE_LLAMA, .layer = olmo2, .keys = none, RMS },
	{ .gguf = "smollm3", .hf = "smollm3", .class = "SmolLM3ForCausalLM",
	  LIKE_LLAMA, .layer = llama, .keys = llama_keys, RMS },
	{ .gguf = "granite", .hf = "granite", .class = "GraniteForCausalLM",
	  LIKE_LLAMA, .layer = llama, .keys = granite_keys, RMS },
	{ .gguf = "minicpm", .hf = "minicpm", .class = "MiniCPMForCausalLM",
	  LIKE_LLAMA, .layer = llama, .keys = minicpm_keys, RMS },
	{ .gguf = "stablelm", .hf = "stablelm", .partial = 0.25,
	  .class = "StableLmForCausalLM", LIKE_LLAMA, .layer = qwen,
	  .keys = stablelm_keys, LAYER("layer_norm_eps") },
	{ .gguf = "starcoder2", .hf = "starcoder2",
	  .class = "Starcoder2ForCausalLM", LIKE_LLAMA, .layer = starcoder2,
	  .keys = starcoder2_keys, LAYER("norm_epsilon") },
	{ .gguf = "command-r", .hf = "cohere", .class = "CohereForCausalLM",
	  LIKE_LLAMA, .layer = qwen, .keys = cohere_keys,
	  LAYER("layer_norm_eps") },
	{ .gguf = "cohere2", .hf = "cohere2", .class = "Cohere2ForCausalLM",
	  LIKE_LLAMA, .layer = qwen, .keys = cohere2_keys,
	  LAYER("layer_norm_eps"), .period = 4 },
	{ .gguf = "chatglm", .hf = "glm", .partial = 0.5,
	  .class = "GlmForCausalLM", LIKE_LLAMA, .layer = glm,
	  .keys = bias_keys, RMS },
	{ .gguf = "glm4", .hf = "glm4", .partial = 0.5, .class = "Glm4ForCausalLM",
	  LIKE_LLAMA, .layer = glm4, .keys = bias_keys, RMS },
	{ .gguf = "exaone4", .hf = "exaone4", .class = "Exaone4ForCausalLM",
	  LIKE_LLAMA, .layer = olmo2, .keys = window_keys, RMS,
	  .period = 4 },
	{ .gguf = "nemotron", .hf = "nemotron", .partial = 0.5,
	  .class = "NemotronForCausalLM", .hf_layer = "model.layers.",
	  .whole = plus_whole, .layer = nemotron, .keys = none,
	  LAYER("norm_eps") },
	{ .gguf = "gpt2", .hf = "gpt2", .norope = true, .class = "GPT2LMHeadModel",
	  .hf_layer = "transformer.h.", .whole = gpt2_whole, .layer = gpt2,
	  .alias = gpt2_names, .keys = none, LAYER("layer_norm_epsilon") },
	{ .gguf = "gptneox", .hf = "gpt_neox", .partial = 0.25, .class = "GPTNeoXForCausalLM",
	  .hf_layer = "gpt_neox.layers.", .whole = neox_whole, .layer = neox,
	  .alias = neox_names, .keys = neox_keys, LAYER("layer_norm_eps") },
	{ .gguf = "bloom", .hf = "bloom", .norope = true, .class = "BloomForCausalLM",
	  .hf_layer = "transformer.h.", .whole = bloom_whole, .layer = bloom,
	  .alias = bloom_names, .keys = none, LAYER("layer_norm_epsilon") },
	{ .gguf = "falcon", .when = "blk.0.attn_norm_2.weight",
	  .hf = "falcon", .class = "FalconForCausalLM",
	  .hf_layer = "transformer.h.", .whole = bloom_whole,
	  .layer = falcon2, .alias = falcon_names, .keys = falcon_keys,
	  LAYER("layer_norm_epsilon"),
	  .extra = ",\"new_decoder_architecture\":true" },
	{ .gguf = "falcon", .hf = "falcon", .class = "FalconForCausalLM",
	  .hf_layer = "transformer.h.", .whole = bloom_whole,
	  .layer = falcon, .alias = falcon_names, .keys = falcon_keys,
	  LAYER("layer_norm_epsilon") },
	{ .gguf = "mpt", .hf = "mpt", .norope = true, .class = "MptForCausalLM",
	  .hf_layer = "transformer.blocks.", .whole = mpt_whole,
	  .layer = mpt, .alias = mpt_names, .keys = none,
	  LAYER("layer_norm_epsilon") },
	{ .gguf = NULL }
};
