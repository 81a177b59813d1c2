/* SPDX-License-Identifier: Apache-2.0 */
/* Names of tensors of the families in GGUF and in Hugging Face's folders
 * (llama.cpp's gguf-py constants, its converter and its loader). */

#include <stddef.h>

#include "tensor/ggufconfig-impl.h"

#define END	{ NULL, NULL, 0 }

const struct peft_pair peft_pairs_llama_whole[] = {
	{ "token_embd", "model.embed_tokens", 0 },
	{ "output_norm", "model.norm", 0 }, { "output", "lm_head", 0 }, END
};

const struct peft_pair peft_pairs_plus_whole[] = {
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
const struct peft_pair peft_pairs_llama[] = {
	PRE(0), ATTN('q', 'k'), MLP, END
};
/* As they are, for it turns halves in these. */
const struct peft_pair peft_pairs_qwen[] = {
	PRE(0), QK(0), ATTN(0, 0), MLP, END
};
const struct peft_pair peft_pairs_gemma[] = { PRE('+'), ATTN(0, 0), MLP, END };
const struct peft_pair peft_pairs_gemma2[] = {
	{ "attn_norm", "input_layernorm", '+' },
	{ "ffn_norm", "pre_feedforward_layernorm", '+' },
	POST('+'), QK('+'), ATTN(0, 0), MLP, END
};
const struct peft_pair peft_pairs_olmo2[] = {
	POST(0), QK(0), ATTN(0, 0), MLP, END
};
const struct peft_pair peft_pairs_olmo[] = { ATTN('q', 'k'), MLP, END };
const struct peft_pair peft_pairs_phi3[] = {
	PRE(0), { "attn_qkv", "self_attn.qkv_proj", 0 },
	{ "attn_output", "self_attn.o_proj", 0 }, BOTH, END
};
const struct peft_pair peft_pairs_glm[] = { PRE(0), ATTN(0, 0), BOTH, END };
const struct peft_pair peft_pairs_glm4[] = {
	PRE(0), { "post_attention_norm", "post_self_attn_layernorm", 0 },
	{ "post_ffw_norm", "post_mlp_layernorm", 0 }, ATTN(0, 0), BOTH, END
};
const struct peft_pair peft_pairs_starcoder2[] = {
	PRE(0), ATTN(0, 0), { "ffn_up", "mlp.c_fc", 0 },
	{ "ffn_down", "mlp.c_proj", 0 }, END
};
const struct peft_pair peft_pairs_nemotron[] = {
	PRE('+'), ATTN(0, 0), { "ffn_up", "mlp.up_proj", 0 },
	{ "ffn_down", "mlp.down_proj", 0 }, END
};
const struct peft_pair peft_pairs_phi[] = {
	{ "attn_norm", "input_layernorm", 0 },
	{ "attn_q", "self_attn.q_proj", 0 },
	{ "attn_k", "self_attn.k_proj", 0 },
	{ "attn_v", "self_attn.v_proj", 0 },
	{ "attn_output", "self_attn.dense", 0 },
	{ "ffn_up", "mlp.fc1", 0 }, { "ffn_down", "mlp.fc2", 0 }, END
};
const struct peft_pair peft_pairs_phi_whole[] = {
	{ "token_embd", "model.embed_tokens", 0 },
	{ "output_norm", "model.final_layernorm", 0 },
	{ "output", "lm_head", 0 }, END
};
#define EXPERTS(gate, up, down) \
	{ "ffn_gate_exps", gate, 'e' }, { "ffn_up_exps", up, 'e' }, \
	{ "ffn_down_exps", down, 'e' }
const struct peft_pair peft_pairs_mixtral[] = {
	PRE(0), ATTN('q', 'k'),
	{ "ffn_gate_inp", "block_sparse_moe.gate", 0 },
	EXPERTS("block_sparse_moe.experts.#.w1",
	    "block_sparse_moe.experts.#.w3", "block_sparse_moe.experts.#.w2"),
	END
};
const struct peft_pair peft_pairs_qwen_moe[] = {
	PRE(0), QK(0), ATTN(0, 0), { "ffn_gate_inp", "mlp.gate", 0 },
	EXPERTS("mlp.experts.#.gate_proj", "mlp.experts.#.up_proj",
	    "mlp.experts.#.down_proj"), END
};
const struct peft_pair peft_pairs_gpt_oss[] = {
	{ "attn_norm", "input_layernorm", 0 },
	{ "post_attention_norm", "post_attention_layernorm", 0 },
	ATTN(0, 0), { "attn_sinks", "self_attn.sinks", '.' },
	{ "ffn_gate_inp", "mlp.router", 0 },
	EXPERTS("mlp.experts.#.gate_proj", "mlp.experts.#.up_proj",
	    "mlp.experts.#.down_proj"), END
};
/* llama.cpp has the product that widens keys and values whole, as here, or in
 * two parts for attention over what is narrow (MLA). */
const struct peft_pair peft_pairs_deepseek[] = {
	PRE(0), { "attn_q", "self_attn.q_proj", 0 },
	{ "attn_kv_a_mqa", "self_attn.kv_a_proj_with_mqa", 0 },
	{ "attn_kv_a_norm", "self_attn.kv_a_layernorm", 0 },
	{ "attn_kv_b", "self_attn.kv_b_proj", 0 },
	{ "attn_output", "self_attn.o_proj", 0 }, MLP,
	{ "ffn_gate_inp", "mlp.gate", 0 },
	EXPERTS("mlp.experts.#.gate_proj", "mlp.experts.#.up_proj",
	    "mlp.experts.#.down_proj"),
	{ "ffn_gate_shexp", "mlp.shared_experts.gate_proj", 0 },
	{ "ffn_up_shexp", "mlp.shared_experts.up_proj", 0 },
	{ "ffn_down_shexp", "mlp.shared_experts.down_proj", 0 }, END
};
const struct peft_pair peft_pairs_gpt2_whole[] = {
	{ "token_embd", "transformer.wte", 0 },
	{ "position_embd", "transformer.wpe", 0 },
	{ "output_norm", "transformer.ln_f", 0 }, { "output", "lm_head", 0 },
	END
};
const struct peft_pair peft_pairs_gpt2[] = {
	{ "attn_norm", "ln_1", 0 }, { "attn_qkv", "attn.c_attn", 't' },
	{ "attn_output", "attn.c_proj", 't' }, { "ffn_norm", "ln_2", 0 },
	{ "ffn_up", "mlp.c_fc", 't' }, { "ffn_down", "mlp.c_proj", 't' }, END
};
const struct peft_pair peft_pairs_neox_whole[] = {
	{ "token_embd", "gpt_neox.embed_in", 0 },
	{ "output_norm", "gpt_neox.final_layer_norm", 0 },
	{ "output", "embed_out", 0 }, END
};
#define FUSED(prefix, as) \
	{ "attn_qkv", prefix ".query_key_value", as }, \
	{ "attn_output", prefix ".dense", 0 }, \
	{ "ffn_up", "mlp.dense_h_to_4h", 0 }, \
	{ "ffn_down", "mlp.dense_4h_to_h", 0 }
const struct peft_pair peft_pairs_neox[] = {
	PRE(0), FUSED("attention", 'f'), END
};
const struct peft_pair peft_pairs_bloom_whole[] = {
	{ "token_embd", "transformer.word_embeddings", 0 },
	{ "token_embd_norm", "transformer.word_embeddings_layernorm", 0 },
	{ "output_norm", "transformer.ln_f", 0 }, { "output", "lm_head", 0 },
	END
};
const struct peft_pair peft_pairs_bloom[] = {
	PRE(0), FUSED("self_attention", 'f'), END
};
const struct peft_pair peft_pairs_falcon[] = {
	{ "attn_norm", "input_layernorm", 0 }, FUSED("self_attention", 'f'),
	END
};
/* llama.cpp's first norm is the MLP's. */
const struct peft_pair peft_pairs_falcon2[] = {
	{ "attn_norm_2", "ln_attn", 0 }, { "attn_norm", "ln_mlp", 0 },
	/* of those with one norm */
	{ "attn_norm", "input_layernorm", 0 },
	FUSED("self_attention", 'f'), END
};
const struct peft_pair peft_pairs_internlm2_whole[] = {
	{ "token_embd", "model.tok_embeddings", 0 },
	{ "output_norm", "model.norm", 0 }, { "output", "output", 0 }, END
};
const struct peft_pair peft_pairs_internlm2[] = {
	{ "attn_norm", "attention_norm", 0 }, { "ffn_norm", "ffn_norm", 0 },
	{ "attn_q", "attention.wqkv", 'F' },
	{ "attn_output", "attention.wo", 0 },
	{ "ffn_gate", "feed_forward.w1", 0 },
	{ "ffn_up", "feed_forward.w3", 0 },
	{ "ffn_down", "feed_forward.w2", 0 }, END
};
const struct peft_pair peft_pairs_mpt_whole[] = {
	{ "token_embd", "transformer.wte", 0 },
	{ "output_norm", "transformer.norm_f", 0 }, { "output", "lm_head", 0 },
	END
};
const struct peft_pair peft_pairs_mpt[] = {
	{ "attn_norm", "norm_1", 0 }, { "ffn_norm", "norm_2", 0 },
	{ "attn_qkv", "attn.Wqkv", 0 }, { "attn_output", "attn.out_proj", 0 },
	{ "ffn_up", "ffn.up_proj", 0 }, { "ffn_down", "ffn.down_proj", 0 },
	END
};
