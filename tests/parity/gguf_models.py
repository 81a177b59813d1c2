# SPDX-License-Identifier: Apache-2.0
"""Tiny random models with the settings that llama.cpp takes for granted: gguf_models.py NAME ...

llama.cpp has no key for some of what config.json says, and does what the published models of an architecture do.  NAME/model is a folder
of transformers', NAME/golden.safetensors its logits: longer than the window where there is one.
"""
import os
import sys
import torch
import transformers as tf
from safetensors.torch import save_file

BASE = dict(vocab_size=96, hidden_size=64, intermediate_size=96, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
            max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32, beta_fast=32.0, beta_slow=1.0)


def base(**kw):
    return dict(BASE, **kw)


MODELS = {
    # logits times a number, no norms of queries and keys, one norm for attention and MLP, tied
    "cohere": lambda: tf.CohereForCausalLM(tf.CohereConfig(**base(logit_scale=0.0625, use_qk_norm=False, tie_word_embeddings=True))),
    # Command-R+: norms of each head's queries and keys, which llama.cpp knows by 64 layers
    "cohere_norms": lambda: tf.CohereForCausalLM(tf.CohereConfig(**base(
        num_hidden_layers=64, hidden_size=32, logit_scale=0.0625, use_qk_norm=True, tie_word_embeddings=True))),
    # soft caps of 50 and 30, windows in every other layer, scale of queries by the head
    "gemma2": lambda: tf.Gemma2ForCausalLM(tf.Gemma2Config(**base(
        num_hidden_layers=4, head_dim=16, query_pre_attn_scalar=16, attn_logit_softcapping=50.0, final_logit_softcapping=30.0,
        sliding_window=8))),
    # Mistral 0.2 and later: no window
    "mistral": lambda: tf.MistralForCausalLM(tf.MistralConfig(**base(sliding_window=None, head_dim=16))),
    "olmoe": lambda: tf.OlmoeForCausalLM(tf.OlmoeConfig(**base(
        num_key_value_heads=4, num_experts=8, num_experts_per_tok=2, norm_topk_prob=False, intermediate_size=32))),
    # Phi 4: no window, no longrope
    "phi3": lambda: tf.Phi3ForCausalLM(tf.Phi3Config(**base(sliding_window=None))),
    # full attention in every fourth layer, and no rope there
    "cohere2": lambda: tf.Cohere2ForCausalLM(tf.Cohere2Config(**base(num_hidden_layers=4, sliding_window=8, tie_word_embeddings=True))),
    # EXAONE 4 1.2B; the larger one has windows, which llama.cpp knows by 64 layers
    "exaone4": lambda: tf.Exaone4ForCausalLM(tf.Exaone4Config(**base(sliding_window=None, layer_types=["full_attention"] * 3))),
    # full attention in every sixth layer, with another base of rope
    "gemma3": lambda: tf.Gemma3ForCausalLM(tf.Gemma3TextConfig(**base(
        num_hidden_layers=6, head_dim=16, query_pre_attn_scalar=16, sliding_window=8))),
    # no rope in every fourth layer
    "smollm3": lambda: tf.SmolLM3ForCausalLM(tf.SmolLM3Config(**base(num_hidden_layers=4))),
    "phi": lambda: tf.PhiForCausalLM(tf.PhiConfig(**base(num_key_value_heads=4, qk_layernorm=False))),
    "qwen3_moe": lambda: tf.Qwen3MoeForCausalLM(tf.Qwen3MoeConfig(**base(
        num_experts=8, num_experts_per_tok=2, norm_topk_prob=True, moe_intermediate_size=32, head_dim=16))),
    # DeepSeek-V2-Lite: no low rank of queries (llama.cpp knows that by 27 layers), one dense layer, shared experts, yarn with mscale
    "deepseek_v2": lambda: tf.DeepseekV2ForCausalLM(tf.DeepseekV2Config(**base(
        num_hidden_layers=27, hidden_size=32, num_key_value_heads=4, q_lora_rank=None, kv_lora_rank=32, qk_nope_head_dim=16, qk_rope_head_dim=8, v_head_dim=16,
        n_routed_experts=8, n_shared_experts=2, num_experts_per_tok=3, moe_intermediate_size=32, first_k_dense_replace=1,
        topk_method="greedy", norm_topk_prob=False, routed_scaling_factor=1.0,
        rope_parameters=dict(YARN, mscale=0.707, mscale_all_dim=0.707)))),
    # the same without yarn, with all that may be 0 or 1
    "deepseek_v2_plain": lambda: tf.DeepseekV2ForCausalLM(tf.DeepseekV2Config(**base(
        num_hidden_layers=27, hidden_size=32, num_key_value_heads=4, q_lora_rank=None, kv_lora_rank=32, qk_nope_head_dim=16,
        qk_rope_head_dim=8, v_head_dim=8, n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2, moe_intermediate_size=32,
        first_k_dense_replace=2, topk_method="greedy", norm_topk_prob=False, routed_scaling_factor=1.5))),
    # gpt-oss: the limits of the activation; of yarn bounds that rounding, which llama.cpp does, leaves as they are in effect
    "gpt_oss": lambda: tf.GptOssForCausalLM(tf.GptOssConfig(**base(
        num_hidden_layers=4, head_dim=16, num_local_experts=8, num_experts_per_tok=2, sliding_window=8, intermediate_size=32,
        rope_parameters=dict(YARN, truncate=False, beta_fast=6.0, original_max_position_embeddings=16)))),
    # Llama with another sharpness than yarn's own
    "yarn_factor": lambda: tf.LlamaForCausalLM(tf.LlamaConfig(**base(rope_parameters=dict(YARN, attention_factor=1.3)))),
}


def spread(model):
    """Norms and biases that are not 1 and 0, experts that differ."""
    gen = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=gen)
            if p.dim() == 1 or "norm" in name:
                p.add_(0.1 * noise)
            else:
                p.copy_(noise * (0.5 if "embed" in name else 0.2))


for name in sys.argv[1:]:
    torch.manual_seed(3)
    model = MODELS[name]().float().eval()
    spread(model)
    ids = torch.randint(3, BASE["vocab_size"], (2, 24), generator=torch.Generator().manual_seed(5))
    os.makedirs(name, exist_ok=True)
    model.save_pretrained(name + "/model")
    with torch.no_grad():
        save_file({"input_ids": ids, "logits": model(ids).logits.contiguous()}, name + "/golden.safetensors")
