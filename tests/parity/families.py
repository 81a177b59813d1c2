#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small models of each family, and what transformers and PEFT make of them.

usage: families.py OUT [SEED] [NAME...]

OUT/NAME.tar.zst holds model/, adapter/ (LoRA on every linear layer) and
golden.safetensors, with the tensors that tests/model-unit.c reads.  Weights
are multiples of 1/64, so that they pack well; OUT/NAME/ is left unpacked.
"""
import json, os, subprocess, sys
import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from peft import LoraConfig, get_peft_model

T, V = 14, 40
SIZES = dict(vocab_size=V, hidden_size=32, num_hidden_layers=2,
             num_attention_heads=4, intermediate_size=40,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2,
             pad_token_id=0)
GQA = dict(SIZES, num_key_value_heads=2)
FALCON = {k: v for k, v in SIZES.items() if k != "intermediate_size"}
FALCON["ffn_hidden_size"] = 40
GPT = dict(vocab_size=V, n_embd=32, n_layer=2, n_head=4, n_positions=64,
           bos_token_id=1, eos_token_id=2, pad_token_id=0)
MOE = dict(GQA, num_experts_per_tok=2, intermediate_size=24)


def rope(kind, **kw):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=100.0, **kw))


FAMILIES = {
    "mistral": ("mistral", dict(GQA, sliding_window=5, head_dim=12)),
    "qwen2": ("qwen2", dict(GQA)),
    "qwen2_window": ("qwen2", dict(GQA, use_sliding_window=True,
                     sliding_window=5, max_window_layers=1)),
    "qwen3": ("qwen3", dict(GQA, head_dim=12, tie_word_embeddings=True)),
    "gemma": ("gemma", dict(GQA, head_dim=8)),
    "gemma2": ("gemma2", dict(GQA, head_dim=8, sliding_window=5,
               query_pre_attn_scalar=20, final_logit_softcapping=3.0,
               attn_logit_softcapping=2.0)),
    "gemma2_plain": ("gemma2", dict(GQA, head_dim=8, sliding_window=5,
        query_pre_attn_scalar=8, final_logit_softcapping=None,
        attn_logit_softcapping=None)),
    "gemma3": ("gemma3_text", dict(GQA, head_dim=8, sliding_window=5,
               num_hidden_layers=3, query_pre_attn_scalar=20,
               layer_types=["sliding_attention", "full_attention",
                            "sliding_attention"])),
    "phi3": ("phi3", dict(GQA, sliding_window=6)),
    "olmo2": ("olmo2", dict(GQA)),
    "smollm3": ("smollm3", dict(GQA, no_rope_layers=[1, 0])),
    "granite": ("granite", dict(GQA, embedding_multiplier=3.0,
                logits_scaling=2.0, residual_multiplier=0.4,
                attention_multiplier=0.2)),
    "stablelm": ("stablelm", dict(GQA, partial_rotary_factor=0.5,
                                  use_qkv_bias=True)),
    "stablelm_parallel": ("stablelm", dict(GQA, partial_rotary_factor=0.5,
                                           use_parallel_residual=True)),
    "starcoder2": ("starcoder2", dict(GQA)),
    "gpt2": ("gpt2", dict(GPT)),
    "gpt_neox": ("gpt_neox", dict(SIZES, rotary_pct=0.5)),
    "gptj": ("gptj", dict(GPT, rotary_dim=4)),
    "opt": ("opt", dict(FALCON, ffn_hidden_size=None, ffn_dim=40,
                        word_embed_proj_dim=32)),
    "bloom": ("bloom", dict(vocab_size=V, hidden_size=24, n_layer=2,
              n_head=6, bos_token_id=1, eos_token_id=2)),
    "falcon_7b": ("falcon", dict(FALCON, multi_query=True)),
    "falcon_40b": ("falcon", dict(FALCON, new_decoder_architecture=True,
                                  num_kv_heads=2)),
    "falcon_serial": ("falcon", dict(FALCON, multi_query=False,
                                     parallel_attn=False, bias=True)),
    "falcon_alibi": ("falcon", dict(FALCON, alibi=True, multi_query=False,
        parallel_attn=False, bias=True, hidden_size=24, num_attention_heads=6,
        num_hidden_layers=1)),
    "mpt": ("mpt", dict(vocab_size=V, d_model=32, n_layers=2, n_heads=4,
            max_seq_len=64, attn_config=dict(clip_qkv=0.7,
                                             attn_impl="torch"))),
    "phi": ("phi", dict(GQA, qk_layernorm=True)),
    "olmo": ("olmo", dict(GQA, clip_qkv=0.7)),
    "cohere": ("cohere", dict(GQA, use_qk_norm=True, logit_scale=0.5)),
    "cohere2": ("cohere2", dict(GQA, sliding_window=5, logit_scale=0.5,
                layer_types=["sliding_attention", "full_attention"])),
    "glm": ("glm", dict(GQA, head_dim=8, attention_bias=True)),
    "glm4": ("glm4", dict(GQA, head_dim=8, attention_bias=True)),
    "exaone4": ("exaone4", dict(GQA, sliding_window=5, layer_types=[
                "sliding_attention", "full_attention"])),
    "nemotron": ("nemotron", dict(GQA, head_dim=8)),
    "mixtral": ("mixtral", dict(MOE, num_local_experts=4)),
    "qwen3_moe": ("qwen3_moe", dict(MOE, num_local_experts=4, head_dim=8,
                  moe_intermediate_size=16, norm_topk_prob=True)),
    "qwen3_moe_dense": ("qwen3_moe", dict(MOE, num_local_experts=4,
                        moe_intermediate_size=16, mlp_only_layers=[0])),
    "qwen3_moe_window": ("qwen3_moe", dict(MOE, num_local_experts=4,
        moe_intermediate_size=16, norm_topk_prob=True, sliding_window=4,
        use_sliding_window=True, max_window_layers=1)),
    "olmoe": ("olmoe", dict(MOE, num_experts=4, clip_qkv=0.9)),
    "deepseek_v2": ("deepseek_v2", dict(MOE, n_routed_experts=4,
        num_key_value_heads=4, moe_intermediate_size=12, n_shared_experts=2,
        first_k_dense_replace=1, kv_lora_rank=12, q_lora_rank=None,
        qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=6,
        routed_scaling_factor=1.5, topk_method="greedy", n_group=1,
        topk_group=1, **rope("yarn", factor=4.0, mscale=0.7,
        mscale_all_dim=0.9, original_max_position_embeddings=16))),
    "gpt_oss": ("gpt_oss", dict(MOE, intermediate_size=32, head_dim=8,
        num_local_experts=4, sliding_window=5, swiglu_limit=0.75,
        **rope("yarn", factor=4.0, truncate=False,
               original_max_position_embeddings=512))),
    # not in transformers, but the same as something that is: see disguise()
    "minicpm": ("granite", dict(GQA, embedding_multiplier=3.0,
                logits_scaling=2.0, residual_multiplier=1.4 / 2 ** 0.5,
                attention_multiplier=8 ** -0.5)),
    "internlm2": ("llama", dict(GQA)),
    # ways to stretch rope
    "rope_linear": ("llama", dict(GQA, **rope("linear", factor=3.0))),
    "rope_dynamic": ("llama", dict(GQA, **rope("dynamic", factor=3.0),
                     max_position_embeddings=10)),
    "rope_yarn": ("llama", dict(GQA, **rope("yarn", factor=4.0,
                  original_max_position_embeddings=16))),
    "rope_longrope": ("phi3", dict(GQA, max_position_embeddings=64,
        original_max_position_embeddings=12, **rope("longrope",
        original_max_position_embeddings=12,
        short_factor=[1.0, 1.1, 1.3, 1.5],
        long_factor=[1.0, 2.0, 3.0, 4.5]))),
}


def fresh(kind, kw, seed):
    torch.manual_seed(seed)
    c = AutoConfig.for_model(kind, **kw)
    # whose "eager" adds Falcon's ALiBi twice: to the scores and to the mask
    how = "sdpa" if kind == "falcon" and kw.get("alibi") else "eager"
    m = AutoModelForCausalLM.from_config(c, attn_implementation=how,
                                         dtype=torch.float32)
    with torch.no_grad():       # defaults are too tame: make each term count
        for n, p in m.named_parameters():
            if p.dim() > 1 and "norm" not in n:
                p.normal_(0, 0.15)
            elif "norm" in n or "ln_" in n:
                p.add_(0.2 * torch.randn_like(p))
            elif "sinks" in n:
                p.normal_(0.5, 1)
            else:
                p.normal_(0, 0.1)
            p.copy_((p * 64).round().clamp(-127, 127) / 64 + 0.0)
    m.config.use_cache = False
    return m.eval()


def batch(seed):
    g = torch.Generator().manual_seed(seed + 1)
    ids = torch.randint(3, V, (2, T), generator=g)
    labels = ids.clone()
    labels[0, :5] = -100
    labels[1, 8:12] = -100
    return ids, labels


def shorten(path):
    """To bfloat16, which multiples of 1/64 below 2 survive unharmed."""
    w = {k: v.to(torch.bfloat16) for k, v in load_file(path).items()}
    save_file(w, path, metadata={"format": "pt"})


INTERNLM2 = [("embed_tokens", "tok_embeddings"), ("lm_head", "output"),
             ("self_attn.o_proj", "attention.wo"),
             ("mlp.gate_proj", "feed_forward.w1"),
             ("mlp.up_proj", "feed_forward.w3"),
             ("mlp.down_proj", "feed_forward.w2"),
             ("input_layernorm", "attention_norm"),
             ("post_attention_layernorm", "ffn_norm")]


def rename(name):
    for a, b in INTERNLM2:
        name = name.replace(a, b)
    return name


def fuse(w, layers):
    """InternLM2's wqkv: by key head, its queries, key and value."""
    for i in range(layers):
        q, k, v = (w.pop("model.layers.%d.self_attn.%s_proj.weight" % (i, x))
                   for x in "qkv")
        w["model.layers.%d.attention.wqkv.weight" % i] = torch.cat([
            q.view(2, 2, 8, 32), k.view(2, 1, 8, 32), v.view(2, 1, 8, 32)],
            dim=1).reshape(-1, 32)


def disguise(d, name, g):
    """Give a model the names and keys of a family that computes the same."""
    path = os.path.join(d, "model", "config.json")
    c = json.load(open(path))
    c["model_type"] = name
    for k in ("embedding_multiplier", "logits_scaling",
              "residual_multiplier", "attention_multiplier"):
        c.pop(k, None)
    if name == "minicpm":
        c.update(scale_emb=3.0, dim_model_base=16, scale_depth=1.4)
    json.dump(c, open(path, "w"))
    if name == "minicpm":
        return g
    path = os.path.join(d, "model", "model.safetensors")
    w = load_file(path)
    fuse(w, 2)
    save_file({rename(k): v for k, v in w.items()}, path,
              metadata={"format": "pt"})
    path = os.path.join(d, "adapter", "adapter_model.safetensors")
    save_file({rename(k): v for k, v in load_file(path).items()}, path,
              metadata={"format": "pt"})
    path = os.path.join(d, "adapter", "adapter_config.json")
    c = json.load(open(path))
    c["target_modules"] = ["wo", "w1", "w2", "w3"]
    json.dump(c, open(path, "w"))
    return {rename(k): v for k, v in g.items()}


def stack_experts(d, name):
    """The model as a GGUF, whose experts lie in one tensor a layer."""
    c = json.load(open(os.path.join(d, "model", "config.json")))
    w = {k: v.float().numpy() for k, v in load_file(
        os.path.join(d, "model", "model.safetensors")).items()}
    arch = {"mixtral": "llama", "qwen3_moe": "qwen3moe"}.get(name, name)
    enum = {v: k for k, v in gguf.MODEL_ARCH_NAMES.items()}[arch]
    names = gguf.get_tensor_name_map(enum, c["num_hidden_layers"])
    o = gguf.GGUFWriter(os.path.join(d, "model.gguf"), arch)
    heads, kv = c["num_attention_heads"], c["num_key_value_heads"]
    o.add_context_length(c["max_position_embeddings"])
    o.add_embedding_length(c["hidden_size"])
    o.add_block_count(c["num_hidden_layers"])
    o.add_feed_forward_length(c["intermediate_size"])
    o.add_head_count(heads)
    o.add_head_count_kv(kv)
    o.add_layer_norm_rms_eps(c["rms_norm_eps"])
    o.add_rope_freq_base(c["rope_parameters"]["rope_theta"])
    o.add_vocab_size(c["vocab_size"])
    o.add_expert_count(4)
    o.add_expert_used_count(c["num_experts_per_tok"])
    if "moe_intermediate_size" in c:
        o.add_expert_feed_forward_length(c["moe_intermediate_size"])
    if c.get("clip_qkv"):
        o.add_clamp_kqv(c["clip_qkv"])
    o.add_tokenizer_model("none")
    for k in [k for k in w if ".experts.0." in k]:
        w[k.replace(".experts.0.", ".experts.")] = np.stack(
            [w.pop(k.replace(".experts.0.", ".experts.%d." % e))
             for e in range(4)])
    for k, v in sorted(w.items()):
        for n, h in (("q_proj", heads), ("k_proj", kv)):
            if n in k and name == "mixtral":
                v = v.reshape(h, 2, v.shape[0] // h // 2,
                              -1).swapaxes(1, 2).reshape(v.shape)
        o.add_tensor(names.get_name(k, try_suffixes=(".weight",)),
                     np.ascontiguousarray(v))
    o.write_header_to_file()
    o.write_kv_data_to_file()
    o.write_tensors_to_file()
    o.close()


def write(out, name, seed):
    kind, kw = FAMILIES[name]
    d = os.path.join(out, name)
    os.makedirs(d, exist_ok=True)
    m = fresh(kind, kw, seed)
    m.save_pretrained(os.path.join(d, "model"))
    for f in os.listdir(os.path.join(d, "model")):
        if f not in ("config.json", "model.safetensors"):
            os.unlink(os.path.join(d, "model", f))
    shorten(os.path.join(d, "model", "model.safetensors"))
    ids, labels = batch(seed)
    g = {"input_ids": ids, "labels": labels}
    with torch.no_grad():
        o = m(input_ids=ids, labels=labels)
        g["logits"], g["loss"] = o.logits, o.loss.reshape(1)
    # PEFT's all-linear would take the experts as parameters
    moe = getattr(m.config, "num_experts_per_tok", None)
    targets = "all-linear"
    if moe:
        targets = ["q_proj", "k_proj", "v_proj", "o_proj"]
    if name == "deepseek_v2":
        targets = ["q_proj", "kv_a_proj_with_mqa", "kv_b_proj", "o_proj"]
    if name == "internlm2":     # its fused product has no counterpart
        targets = ["o_proj", "gate_proj", "up_proj", "down_proj"]
    p = get_peft_model(m, LoraConfig(r=2, lora_alpha=4,
                       target_modules=targets, task_type="CAUSAL_LM"))
    torch.manual_seed(seed + 2)
    with torch.no_grad():
        for n, q in p.named_parameters():
            if "lora_" in n:
                q.normal_(0, 0.15)
                q.copy_((q * 64).round() / 64)
    p.save_pretrained(os.path.join(d, "adapter"))
    os.unlink(os.path.join(d, "adapter", "README.md"))
    shorten(os.path.join(d, "adapter", "adapter_model.safetensors"))
    o = p(input_ids=ids, labels=labels)
    o.loss.backward()
    g["adapter_logits"] = o.logits.detach()
    g["adapter_loss"] = o.loss.detach().reshape(1)
    for n, q in p.named_parameters():
        if q.requires_grad:
            g["grad." + n.replace(".default", "")] = q.grad.clone()
    if name in ("minicpm", "internlm2"):
        g = disguise(d, name, g)
    if name in ("mixtral", "qwen3_moe", "olmoe"):
        stack_experts(d, name)
    save_file({k: v.contiguous() for k, v in g.items()},
              os.path.join(d, "golden.safetensors"))
    subprocess.run("tar --sort=name --mtime=@0 --owner=0 --group=0 "
                   "--numeric-owner -C '%s' -cf - model adapter "
                   "golden.safetensors $(cd '%s' && ls *.gguf 2>/dev/null) | zstd -q -19 -f -o '%s.tar.zst'" %
                   (d, d, d), shell=True, check=True)
    print("%s: loss %.6f, with adapter %.6f" % (name, g["loss"].item(),
          g["adapter_loss"].item()), flush=True)


if __name__ == "__main__":
    out = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    for f in sys.argv[3:] or FAMILIES:
        try:
            write(out, f, seed)
        except Exception as e:
            if os.environ.get("KEEP_GOING"):
                print(f, "FAILED", repr(e)[:300])
            else:
                raise
