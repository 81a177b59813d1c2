#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Small models of each family, and what transformers and PEFT make of them.

usage: families.py OUT [SEED] [NAME...]

OUT/NAME.tar.zst holds model/, adapter/ (LoRA on every linear layer) and
golden.safetensors, with the tensors that tests/model-unit.c reads.  Weights
are multiples of 1/64, so that they pack well; OUT/NAME/ is left unpacked.
"""
import os, subprocess, sys
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from peft import LoraConfig, get_peft_model

T, V = 16, 48
SIZES = dict(vocab_size=V, hidden_size=32, num_hidden_layers=2,
             num_attention_heads=4, intermediate_size=40,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2,
             pad_token_id=0)
GQA = dict(SIZES, num_key_value_heads=2)
FALCON = {k: v for k, v in SIZES.items() if k != "intermediate_size"}
FALCON["ffn_hidden_size"] = 40
GPT = dict(vocab_size=V, n_embd=32, n_layer=2, n_head=4, n_positions=64,
           bos_token_id=1, eos_token_id=2, pad_token_id=0)
MOE = dict(GQA, num_experts_per_tok=2)


def rope(kind, **kw):
    return dict(rope_parameters=dict(rope_type=kind, rope_theta=100.0, **kw))


FAMILIES = {
    "mistral": ("mistral", dict(GQA, sliding_window=5, head_dim=12)),
    "qwen2": ("qwen2", dict(GQA, use_sliding_window=True, sliding_window=5,
                            max_window_layers=1)),
    "qwen3": ("qwen3", dict(GQA, head_dim=12, tie_word_embeddings=True)),
    "gemma": ("gemma", dict(GQA, head_dim=8)),
    "gemma2": ("gemma2", dict(GQA, head_dim=8, sliding_window=5,
               query_pre_attn_scalar=20, final_logit_softcapping=3.0,
               attn_logit_softcapping=2.0)),
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
    "starcoder2": ("starcoder2", dict(GQA, sliding_window=6)),
    "gpt2": ("gpt2", dict(GPT)),
    "gpt_neox": ("gpt_neox", dict(SIZES, rotary_pct=0.5)),
    "gpt_neox_serial": ("gpt_neox", dict(SIZES, rotary_pct=0.5,
                                         use_parallel_residual=False)),
    "gptj": ("gptj", dict(GPT, rotary_dim=4)),
    "opt": ("opt", dict(FALCON, ffn_hidden_size=None, ffn_dim=40, word_embed_proj_dim=32)),
    "bloom": ("bloom", dict(vocab_size=V, hidden_size=24, n_layer=2,
              n_head=6, bos_token_id=1, eos_token_id=2)),
    "falcon_7b": ("falcon", dict(FALCON, multi_query=True)),
    "falcon_40b": ("falcon", dict(FALCON, new_decoder_architecture=True,
                                  num_kv_heads=2)),
    "falcon_11b": ("falcon", dict(FALCON, new_decoder_architecture=True,
                   num_kv_heads=2, num_ln_in_parallel_attn=1)),
    "falcon_serial": ("falcon", dict(FALCON, multi_query=False,
                                     parallel_attn=False, bias=True)),
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
                  moe_intermediate_size=16, norm_topk_prob=True,
                  num_hidden_layers=3, mlp_only_layers=[1])),
    "olmoe": ("olmoe", dict(MOE, num_experts=4, clip_qkv=0.9)),
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
    m = AutoModelForCausalLM.from_config(c, attn_implementation="eager",
                                         dtype=torch.float32)
    with torch.no_grad():       # defaults are too tame: make each term count
        for n, p in m.named_parameters():
            if p.dim() > 1 and "norm" not in n:
                p.normal_(0, 0.15)
            elif "norm" in n or "ln_" in n:
                p.add_(0.2 * torch.randn_like(p))
            else:
                p.normal_(0, 0.1)
            p.copy_((p * 64).round().clamp(-127, 127) / 64)
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
    p = get_peft_model(m, LoraConfig(r=2, lora_alpha=4, target_modules=[
        "q_proj", "k_proj", "v_proj", "o_proj"] if moe else "all-linear",
        task_type="CAUSAL_LM"))
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
    save_file({k: v.contiguous() for k, v in g.items()},
              os.path.join(d, "golden.safetensors"))
    subprocess.run("tar --sort=name --mtime=@0 --owner=0 --group=0 "
                   "--numeric-owner -C '%s' -cf - model adapter "
                   "golden.safetensors | zstd -q -19 -f -o '%s.tar.zst'" %
                   (d, d), shell=True, check=True)
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
