#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Configurations of families at random: ratios of heads, biases, norms, ropes
stretched beyond what they were made for, windows shorter than the text, ALiBi
of any number of heads, experts.  LoRA on linear layers and norms trained
beside it: logits, loss and gradients against transformers and PEFT, and the
logits of the same model through GGUF, where it can be told.

usage: family_hunt.py DIR FIRST [COUNT] [FAMILY...]

FAMILY_WIDE=1: 3 to 16 times as wide, the texts 2 to 8 times as long.

peft-unit, peft-quantize and logits-tool are on PATH.  Prints a line of JSON
for each that is not the same, and the sums.  DIR/NUMBER/ is kept of those.
"""
import collections
import json
import os
import random
import shutil
import subprocess
import sys
import warnings

import numpy as np
import peft
import torch
import transformers
from safetensors.torch import save_file

import families

transformers.utils.logging.disable_progress_bar()
ACTS = ["silu", "gelu", "gelu_new", "relu", "gelu_pytorch_tanh", "quick_gelu",
        "relu2"]


def sizes(r, gqa=True, dim=True):
    heads = r.choice([2, 4, 6, 3])
    head = r.choice([4, 8, 12, 6])
    kw = dict(vocab_size=r.choice([40, 61]), hidden_size=heads * head,
              num_hidden_layers=r.choice([1, 2, 3]),
              num_attention_heads=heads, intermediate_size=r.choice([24, 50]),
              max_position_embeddings=r.choice([64, 128]), bos_token_id=1,
              eos_token_id=2, pad_token_id=0,
              tie_word_embeddings=r.random() < 0.4)
    if gqa:
        kw["num_key_value_heads"] = r.choice(
            [k for k in range(1, heads + 1) if heads % k == 0])
    if dim and r.random() < 0.4:
        kw["head_dim"] = r.choice([4, 8, 16, 10])
    return kw


def dim_of(kw):
    return kw.get("head_dim") or kw["hidden_size"] // \
        kw["num_attention_heads"]


def rope(r, kw, kinds="linear dynamic llama3 yarn longrope", partial=None):
    """rope_parameters; partial: what share families allow."""
    kind = r.choice(["default"] + kinds.split())
    p = dict(rope_type=kind, rope_theta=r.choice([50.0, 10000.0, 1e6]))
    if partial:
        p["partial_rotary_factor"] = r.choice(partial)
    if kind != "default":
        p["factor"] = r.choice([1.5, 4.0, 8.0])
    if kind in ("llama3", "yarn", "longrope"):
        p["original_max_position_embeddings"] = r.choice([8, 12, 32])
    if kind == "dynamic":
        kw["max_position_embeddings"] = r.choice([8, 64])
    if kind == "llama3":
        p.update(low_freq_factor=1.0, high_freq_factor=r.choice([2.0, 4.0]))
    if kind == "yarn" and r.random() < 0.5:
        p.update(beta_fast=r.choice([32.0, 8.0]), beta_slow=r.choice([1.0,
                                                                      2.0]))
    if kind == "yarn" and r.random() < 0.5:
        p.update(r.choice([dict(attention_factor=0.8),
                           dict(mscale=0.7, mscale_all_dim=1.1),
                           dict(truncate=False)]))
    if kind == "longrope":
        n = int(dim_of(kw) * p.get("partial_rotary_factor", 1)) // 2
        p.update(short_factor=[1 + 0.1 * i for i in range(n)],
                 long_factor=[1 + 0.7 * i for i in range(n)])
        if r.random() < 0.3:
            p["attention_factor"] = 1.2
        kw["max_position_embeddings"] = 64
    kw["rope_parameters"] = p
    return kw


def maybe(r, **kw):
    return {k: r.choice(v) for k, v in kw.items() if r.random() < 0.6}


def types(r, kw):
    return [r.choice(["sliding_attention", "full_attention"])
            for _ in range(kw["num_hidden_layers"])]


BOOL = [True, False]
WINDOW = [3, 5, 9, None]
MAKERS = {}


def family(*names):
    def deco(fn):
        for n in names:
            MAKERS[n] = (lambda r, n=n: fn(r, n))
        return fn
    return deco


@family("llama", "granite", "nemotron")
def _(r, n):
    kw = sizes(r)
    if n == "nemotron" and dim_of(kw) % 4 > 0:
        kw["head_dim"] = 16         # a half of it is turned
    rope(r, kw, "" if n == "nemotron" else "linear dynamic llama3 yarn",
         [0.5, 1.0] if n == "nemotron" else None)
    kw.update(maybe(r, attention_bias=BOOL, mlp_bias=BOOL))
    if n == "granite":
        kw.update(maybe(r, embedding_multiplier=[3.0, 0.5],
                        logits_scaling=[2.0, 0.3], residual_multiplier=[0.4],
                        attention_multiplier=[0.2, 0.01]))
    kw.update(maybe(r, hidden_act=ACTS))
    return kw


@family("mistral", "starcoder2", "mixtral")
def _(r, n):
    kw = rope(r, sizes(r), "linear dynamic yarn llama3")
    kw["sliding_window"] = r.choice(WINDOW)
    if n == "starcoder2":
        kw.update(maybe(r, use_bias=BOOL, hidden_act=ACTS,
                        norm_epsilon=[1e-3]))
    if n == "mixtral":
        k = r.choice([2, 3, 5])
        kw.update(num_local_experts=k, num_experts_per_tok=r.randint(1, k))
    return kw


@family("qwen2", "qwen3", "smollm3")
def _(r, n):
    kw = rope(r, sizes(r), "linear dynamic yarn llama3")
    kw.update(use_sliding_window=r.choice(BOOL), sliding_window=r.choice(
        WINDOW[:3]))
    if n == "smollm3":
        kw.update(maybe(r, no_rope_layer_interval=[2, 3], attention_bias=BOOL,
                        mlp_bias=BOOL))
    else:
        kw.update(max_window_layers=r.choice([0, 1, 2]))
    if n == "qwen3":
        kw.update(maybe(r, attention_bias=BOOL))
    return kw


@family("gemma", "gemma2", "gemma3_text")
def _(r, n):
    kw = sizes(r)
    kw["head_dim"] = r.choice([4, 8, 16])
    kw.update(maybe(r, attention_bias=BOOL))
    if n == "gemma":
        kw.update(maybe(r, hidden_act=ACTS))
        return rope(r, kw, "linear dynamic yarn")
    kw.update(maybe(r, hidden_activation=ACTS, query_pre_attn_scalar=[4, 20],
                    final_logit_softcapping=[2.0, None]),
              sliding_window=r.choice(WINDOW[:3]))
    if r.random() < 0.4:
        kw["layer_types"] = types(r, kw)
    if n == "gemma2":
        kw.update(maybe(r, attn_logit_softcapping=[1.5, None]))
        return rope(r, kw, "linear yarn")
    kw["rope_parameters"] = {
        "full_attention": r.choice([
            dict(rope_type="linear", factor=8.0, rope_theta=1e6),
            dict(rope_type="default", rope_theta=100.0)]),
        "sliding_attention": dict(rope_type="default", rope_theta=10.0)}
    if r.random() < 0.3:
        kw["sliding_window_pattern"] = 2
    return kw


@family("phi", "stablelm", "glm", "glm4", "phi3")
def _(r, n):
    kw = sizes(r, dim=n in ("glm", "glm4"))
    kw["hidden_size"] = kw["num_attention_heads"] * 8
    kw.pop("head_dim", 0) if n in ("phi", "stablelm", "phi3") else \
        kw.update(head_dim=r.choice([8, 16]))
    rope(r, kw, {"phi3": "longrope linear yarn", "glm": "linear",
                 "glm4": "linear"}.get(n, "linear dynamic"),
         [0.5, 0.25, 1.0] if n != "phi3" else [0.5, 1.0])
    if n == "phi3":
        kw["sliding_window"] = r.choice(WINDOW)
        o = kw["rope_parameters"].get("original_max_position_embeddings")
        if o:
            kw["original_max_position_embeddings"] = o
    if n == "phi":      # whose head has a bias, and is nobody's
        kw.update(tie_word_embeddings=False, **maybe(r, qk_layernorm=BOOL, hidden_act=ACTS,
                        layer_norm_eps=[1e-2]))
    if n == "stablelm":
        kw.update(maybe(r, use_qkv_bias=BOOL, use_parallel_residual=BOOL))
    if n in ("glm", "glm4"):
        kw.update(maybe(r, attention_bias=BOOL))
    return kw


@family("olmo", "olmo2", "olmoe")
def _(r, n):
    kw = rope(r, sizes(r, dim=False), "linear dynamic yarn")
    kw.update(maybe(r, attention_bias=BOOL))
    if n != "olmo2":
        kw["clip_qkv"] = r.choice([None, 0.5])
    if n == "olmoe":
        kw.update(num_experts=4, num_experts_per_tok=r.choice([1, 2, 4]),
                  norm_topk_prob=r.choice(BOOL))
    return kw


@family("cohere", "cohere2", "exaone4")
def _(r, n):
    kw = rope(r, sizes(r, dim=False), "linear dynamic")
    if n != "cohere":
        kw["sliding_window"] = r.choice(WINDOW[:3])
        kw["layer_types"] = types(r, kw)
    if n != "exaone4":
        kw.update(maybe(r, logit_scale=[0.5, 2.0], attention_bias=BOOL))
    if n == "cohere":
        kw.update(maybe(r, use_qk_norm=BOOL))
    return kw


def experts_somewhere(r, kw):
    """In one layer at least: PEFT speaks of experts in the adapter's config,
    and that nothing is meant is an error here."""
    if kw["num_hidden_layers"] == 1:
        return dict(decoder_sparse_step=1, mlp_only_layers=[])
    return dict(decoder_sparse_step=r.choice([1, 2]),
                mlp_only_layers=r.choice([[], [0]]))


@family("qwen3_moe", "gpt_oss", "deepseek_v2")
def _(r, n):
    kw = sizes(r)
    kw.update(num_experts_per_tok=r.choice([1, 2, 3]))
    if n == "gpt_oss":
        kw.update(num_local_experts=4, sliding_window=r.choice([3, 6]),
                  head_dim=8, layer_types=types(r, kw), swiglu_limit=0.75)
        return rope(r, kw, "yarn")
    if n == "qwen3_moe":
        kw.update(num_experts=r.choice([3, 5]), moe_intermediate_size=16,
                  norm_topk_prob=r.choice(BOOL), **experts_somewhere(r, kw))
        return rope(r, kw, "yarn linear")
    kw.pop("head_dim", 0)
    kw.update(num_key_value_heads=kw["num_attention_heads"],
              n_routed_experts=4, moe_intermediate_size=12,
              n_shared_experts=r.choice([1, 2]), first_k_dense_replace=r.choice(
                  [0, 1]) if kw["num_hidden_layers"] > 1 else 0, kv_lora_rank=r.choice([8, 12]), q_lora_rank=None,
              qk_nope_head_dim=r.choice([4, 8]), qk_rope_head_dim=4,
              v_head_dim=r.choice([4, 6, 8]), n_group=1, topk_group=1,
              routed_scaling_factor=r.choice([1.0, 1.5]))
    kw["head_dim"] = 4
    rope(r, kw, "yarn")
    del kw["head_dim"]
    return kw


@family("gpt2", "gptj", "gpt_neox", "opt", "bloom", "falcon", "mpt")
def _(r, n):
    s = sizes(r, gqa=False, dim=False)
    heads, d = s["num_attention_heads"], s["hidden_size"]
    flat = {k: s[k] for k in ("vocab_size", "bos_token_id", "eos_token_id",
                              "pad_token_id", "tie_word_embeddings")}
    deep = s["num_hidden_layers"]
    if n in ("gpt2", "gptj"):
        flat.update(n_embd=d, n_layer=deep, n_head=heads, n_positions=64,
                    n_inner=r.choice([None, 30]), **maybe(
                        r, activation_function=ACTS,
                        layer_norm_epsilon=[1e-2]))
        if n == "gptj":
            flat["tie_word_embeddings"] = False
            flat["rotary_dim"] = r.choice([2, 4])
        return flat
    if n == "gpt_neox":
        s.pop("head_dim", 0)
        s["hidden_size"] = heads * 8
        rope(r, s, "linear dynamic", [0.25, 0.5, 1.0])
        s.update(maybe(r, use_parallel_residual=BOOL, attention_bias=BOOL,
                       hidden_act=ACTS, layer_norm_eps=[1e-2]))
        return s
    if n == "opt":
        flat.update(hidden_size=d, num_hidden_layers=deep, ffn_dim=30,
                    num_attention_heads=heads, max_position_embeddings=64,
                    word_embed_proj_dim=d, **maybe(
                        r, activation_function=ACTS, enable_bias=BOOL))
        return flat
    if n == "bloom":
        flat.update(hidden_size=d, n_layer=deep, n_head=heads)
        return flat
    if n == "mpt":
        flat.update(d_model=d, n_layers=deep, n_heads=heads, max_seq_len=64,
                    attn_config=maybe(r, clip_qkv=[0.4, 2.0],
                                      softmax_scale=[0.3]))
        return flat
    flat.update(hidden_size=d, num_hidden_layers=deep,
                num_attention_heads=heads, ffn_hidden_size=r.choice(
                    [None, 30]), bias=r.choice(BOOL))
    how = r.randrange(3)
    if how == 0:
        flat.update(new_decoder_architecture=True, num_kv_heads=r.choice(
            [k for k in range(1, heads + 1) if heads % k == 0]))
        flat.update(maybe(r, num_ln_in_parallel_attn=[1, 2]))
    else:
        flat.update(multi_query=how == 1, parallel_attn=r.choice(BOOL),
                    activation=r.choice(["gelu", "relu", "gelu_new"]))
    flat.update(maybe(r, alibi=BOOL))
    return flat


WIDER = """hidden_size head_dim intermediate_size n_embd n_inner d_model
    word_embed_proj_dim ffn_dim ffn_hidden_size moe_intermediate_size
    kv_lora_rank qk_nope_head_dim qk_rope_head_dim v_head_dim rotary_dim
    query_pre_attn_scalar vocab_size""".split()
LONGER = """max_position_embeddings n_positions max_seq_len
    original_max_position_embeddings sliding_window""".split()


def widen(r, kw, wide, long):
    """The same so many times as wide, at odd sizes where all may be, with
    places and windows for texts so many times as long.  Nothing is clipped:
    among so many values one is within rounding of the bound."""
    for k, v in kw.items():
        if isinstance(v, dict):
            widen(r, v, wide, long)
        elif k in WIDER and v:
            kw[k] = v * wide + r.choice([0, 1, 3]) * (
                k in ("intermediate_size", "n_inner", "ffn_dim",
                      "ffn_hidden_size", "moe_intermediate_size",
                      "vocab_size", "kv_lora_rank"))
        elif k in LONGER and v:
            kw[k] = v * long
        elif k == "clip_qkv":
            kw[k] = None
        elif k == "swiglu_limit":
            kw[k] = 7.0
        elif k == "softmax_scale":
            kw[k] = v * wide ** -0.5
        elif k in ("short_factor", "long_factor"):
            kw[k] = [x for x in v for _ in range(wide)]
    return kw


def tame(m, wide):
    """So many more terms are summed, in loops that take any size."""
    if wide > 1:
        m.set_experts_implementation("eager")
    with torch.no_grad():
        for n, p in m.named_parameters():
            if p.dim() > 1 and "norm" not in n:
                p.mul_(wide ** -0.5)


def target(m, r):
    """Linear layers and a norm or two; of experts' stacks, nothing."""
    lin = sorted({n.split(".")[-1] for n, x in m.named_modules()
                  if type(x).__name__ in ("Linear", "Conv1D",
                                          "FalconLinear") and
                  x is not m.get_output_embeddings()})
    norms = [n for n, x in m.named_modules() if "norm" in
             type(x).__name__.lower() and list(x.parameters())]
    return lin, r.sample(norms, min(len(norms), r.randint(0, 2)))


def make(d, number, names):
    r = random.Random("family %d" % number)
    kind = r.choice(names)
    kw = MAKERS[kind](r)
    wide, long = (r.choice([3, 5, 8, 16]), r.choice([2, 4, 8])) \
        if os.environ.get("FAMILY_WIDE") else (1, 1)
    widen(r, kw, wide, long)
    said = dict(number=number, family=kind, config=kw)
    here = os.path.join(d, str(number))
    try:
        m = families.fresh(kind, kw, number)
        tame(m, wide)
        m.save_pretrained(here + "/model")
        n = r.randint(4, 44) * long
        g = torch.Generator().manual_seed(number)
        ids = torch.randint(3, 40, (2, n), generator=g)
        labels = ids.clone()
        labels[0, :2] = -100
        lin, norms = target(m, r)
        p = peft.get_peft_model(m, peft.LoraConfig(
            r=2, lora_alpha=4, target_modules=lin, modules_to_save=norms or
            None, task_type="CAUSAL_LM")).eval()
        with torch.no_grad():
            for q in p.parameters():
                if q.requires_grad:
                    q.add_(0.1 * torch.randn_like(q))
        p.save_pretrained(here + "/adapter")
        if wide > 1:        # f32 is as far off as we may be
            p = p.double()
        with torch.no_grad(), p.disable_adapter():
            base = p(input_ids=ids).logits
        o = p(input_ids=ids, labels=labels)
        o.loss.backward()
    except Exception as e:
        shutil.rmtree(here, ignore_errors=True)
        return dict(said, theirs="%s: %s" % (type(e).__name__,
                                             str(e)[:200])), None
    t = dict(input_ids=ids, labels=labels, logits=o.logits.detach().float(),
             loss=o.loss.detach().float().reshape(1))
    for k, q in p.named_parameters():
        if q.requires_grad:
            t["grad." + k.replace(".default", "")] = q.grad.float()
    save_file({k: v.contiguous() for k, v in t.items()},
              here + "/golden.safetensors")
    return said, (here, ids, base.float().numpy())


def logits(path, ids):
    lines = "".join(json.dumps({"input_ids": x, "labels": [-100] + x[1:]}) +
                    "\n" for x in ids.tolist())
    r = subprocess.run(["logits-tool", path], input=lines.encode(),
                       capture_output=True, check=False)
    return r.stderr.decode()[-300:] if r.returncode else \
        np.frombuffer(r.stdout, np.float32)


def compare(what, path, ids, want, bad):
    got = logits(path, ids)
    if isinstance(got, str):
        bad.append([what, got])
        return
    off = np.abs(got - want.ravel()).max() / np.abs(want).max()
    if not off < 1e-4:
        bad.append([what, float(off)])


def check(said, here, ids, base, sums):
    bad, model = [], here + "/model"
    compare("base", model, ids, base, bad)
    r = subprocess.run(["peft-unit", model, here + "/adapter",
                        here + "/golden.safetensors"], capture_output=True,
                       text=True, check=False)
    lines = [x for x in r.stdout.splitlines() if x.startswith("not ok") and
             "along a direction" not in x]
    # keys in a cache keep the turn that they were given
    varies = said["config"].get("rope_parameters", {}).get("rope_type") in (
        "dynamic", "longrope")
    if varies:
        lines = [x for x in lines if "through a cache" not in x]
    if lines or "Bail out" in r.stdout + r.stderr or r.returncode not in (
            0, 1):
        bad.append(["unit", r.returncode, lines, (r.stderr or
                                                  r.stdout)[-300:]])
    g = subprocess.run(["peft-quantize", "-q", "-f", "-t", "f32", "-o",
                        here + "/m.gguf", model], capture_output=True,
                       text=True, check=False)
    if g.returncode == 0:
        sums["gguf"] += 1
        compare("gguf", here + "/m.gguf", ids, base, bad)
    elif g.returncode != 2:
        bad.append(["gguf", g.returncode, g.stderr[-300:]])
    else:
        said["gguf"] = g.stderr.strip()[-160:]
    return bad


def main():
    d, first = sys.argv[1], int(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    names = sys.argv[4:] or sorted(MAKERS)
    sums = collections.Counter()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for number in range(first, first + count):
        said, made = make(d, number, names)
        if made is None:
            sums["transformers does not"] += 1
            print(json.dumps(said), flush=True)
            continue
        bad = check(said, *made, sums)
        sums["off" if bad else "same"] += 1
        if bad or os.environ.get("SAY_ALL"):
            print(json.dumps(dict(said, bad=bad)), flush=True)
        if not bad:
            shutil.rmtree(made[0])
    print("#", json.dumps(sums), flush=True)
    sys.exit(sums["off"] > 0)


if __name__ == "__main__":
    main()
