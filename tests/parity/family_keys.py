#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each key of each family's config, at another value and left out: either we
compute what transformers computes, or we refuse and name the key.

usage: family_keys.py DIR [-a] [FAMILY...]

-a: and those keys that others have.

logits-tool is on PATH.  Prints a line of JSON for each key that is neither
honoured nor refused by its name, and the sums at the end.
"""
import collections
import copy
import json
import os
import shutil
import subprocess
import sys
import warnings

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

transformers.utils.logging.disable_progress_bar()
import families

# what is not of the arithmetic of one forward pass, or only names things
SKIP = {"model_type", "architectures", "transformers_version", "id2label",
        "label2id", "_name_or_path", "dtype", "torch_dtype", "problem_type",
        "is_encoder_decoder", "output_hidden_states", "output_attentions",
        "return_dict", "auto_map", "quantization_config",
        "chunk_size_feed_forward"}
SIZES = {"vocab_size", "hidden_size", "n_embd", "d_model", "n_embed",
         "num_hidden_layers", "n_layer", "n_layers", "intermediate_size",
         "num_attention_heads", "n_head", "n_heads"}
OTHERS = {"hidden_act": ["relu", "gelu", "gelu_new", "silu", "relu2",
                         "quick_gelu", "gelu_pytorch_tanh"],
          "topk_method": ["group_limited_greedy", "noaux_tc"]}
for k in ("hidden_activation", "activation_function", "activation"):
    OTHERS[k] = OTHERS["hidden_act"]
# what a refusal speaks of instead of the key
SPEAKS = {"rope_parameters": ["rope scaling", "partial_rotary_factor"],
          "rope_scaling": ["rope scaling", "partial_rotary_factor"],
          "hidden_size": ["head_dim"], "n_embd": ["head_dim"],
          "num_attention_heads": ["head_dim", "attention heads"],
          "n_head": ["head_dim"],
          "num_key_value_heads": ["key-value heads", "the config calls for"],
          "num_hidden_layers": ["no_rope_layers", "layer_types"]}
# what transformers writes into a key: gone from the file with it
INTO = {"rope_parameters": ("partial_rotary_factor", "rotary_pct")}
# nested: rope parameters of each kind
ROPES = [dict(rope_type="default", rope_theta=777.0),
         dict(rope_type="linear", rope_theta=50.0, factor=2.5),
         dict(rope_type="dynamic", rope_theta=50.0, factor=2.5),
         dict(rope_type="llama3", rope_theta=50.0, factor=4.0,
              low_freq_factor=1.0, high_freq_factor=3.0,
              original_max_position_embeddings=20),
         dict(rope_type="yarn", rope_theta=50.0, factor=4.0,
              original_max_position_embeddings=8),
         dict(rope_type="yarn", rope_theta=50.0, factor=4.0, beta_fast=5.0,
              beta_slow=0.5, attention_factor=0.7, truncate=False,
              original_max_position_embeddings=8),
         dict(rope_type="yarn", rope_theta=50.0, factor=4.0, mscale=0.8,
              mscale_all_dim=0.5, original_max_position_embeddings=8),
         dict(rope_type="proportional", rope_theta=50.0, factor=2.0),
         dict(rope_type="default", rope_theta=50.0,
              partial_rotary_factor=0.5)]


def values(key, v, kw):
    """Other values for a key."""
    if key in ("rope_parameters", "rope_scaling"):
        return copy.deepcopy(ROPES)
    if key in OTHERS:
        return [x for x in OTHERS[key] if x != v]
    if isinstance(v, bool):
        return [not v]
    if isinstance(v, int):
        return [x for x in (v + 1, v * 2, v // 2, 1, 5, 0) if x != v]
    if isinstance(v, float):
        return [v * 2, v / 2, 0.3, 1.0] if v else [0.3, 1.0]
    if v is None:
        return [True, 2, 0.5, 3]
    if isinstance(v, list) and key == "layer_types":
        return [["full_attention"] * len(v), ["sliding_attention"] * len(v)]
    if isinstance(v, list) and v and all(isinstance(x, int) for x in v):
        return [v[::-1], [0], [1]]
    if isinstance(v, str):
        return ["other"]
    return []


def model_of(config):
    how = "sdpa" if getattr(config, "alibi", False) else "eager"
    m = AutoModelForCausalLM.from_config(config, attn_implementation=how,
                                         dtype=torch.float32)
    g = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for n, p in sorted(m.named_parameters()):
            s = torch.randn(p.shape, generator=g)
            p.copy_(1 + 0.2 * s if p.dim() == 1 and "bias" not in n
                    else 0.2 * s)
    return m.eval()


def ids_of(vocab):
    g = torch.Generator().manual_seed(5)
    return torch.randint(3, min(vocab, 40), (2, 22), generator=g)


def ours(path, ids):
    lines = "".join(json.dumps({"input_ids": r, "labels": [-100] + r[1:]}) +
                    "\n" for r in ids.tolist())
    r = subprocess.run(["logits-tool", path], input=lines.encode(),
                       capture_output=True, check=False)
    if r.returncode:
        return r.stderr.decode().strip()
    return np.frombuffer(r.stdout, np.float32)


def say(config, path, change=None, drop=None):
    """The folder of a model with that config (its keys as they are)."""
    shutil.rmtree(path, ignore_errors=True)
    m = model_of(config)
    m.config.use_cache = False
    m.save_pretrained(path)
    p = os.path.join(path, "config.json")
    with open(p, encoding="utf-8") as f:
        c = json.load(f)
    if drop is not None:
        c.pop(drop, None)
    if change:
        c.update(change)
    with open(p, "w", encoding="utf-8") as f:
        json.dump(c, f)
    ids = ids_of(config.vocab_size)
    with torch.no_grad():
        want = m(input_ids=ids).logits.numpy()
    return ids, want


def verdict(path, key, ids, want):
    got = ours(path, ids)
    if isinstance(got, str):
        said = [key] + SPEAKS.get(key, [])
        return "refused" if any(s in got for s in said) else "refused, key not named: " + got
    if got.size != want.size:
        return "shapes"
    off = np.abs(got.reshape(want.shape) - want).max() / np.abs(want).max()
    if not np.isfinite(want).all():
        return "not finite"
    return "same" if off < 1e-4 else "OFF %.1e" % off


def attempt(d, kind, kw, key, val, drop):
    try:
        if drop:
            gone = (key,) + INTO.get(key, ())
            c = AutoConfig.for_model(kind, **{k: v for k, v in kw.items()
                                              if k not in gone})
            change = {}
        elif isinstance(key, tuple):
            sub = copy.deepcopy(kw.get(key[0]) or {})
            sub[key[1]] = val
            c = AutoConfig.for_model(kind, **dict(kw, **{key[0]: sub}))
            change = {}
        else:
            c = AutoConfig.for_model(kind, **dict(kw, **{
                key: copy.deepcopy(val)}))
            change = {key: val} if not hasattr(c, key) else {}
        ids, want = say(c, d, change, key if drop else None)
    except Exception as e:
        return "transformers: %s" % str(e)[:80].replace("\n", " ")
    return verdict(d, key[1] if isinstance(key, tuple) else key, ids, want)


def main():
    d, names = sys.argv[1], sys.argv[2:]
    others = "-a" in names
    names = [n for n in names if n != "-a"]
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    sums, bad = collections.Counter(), 0
    union = {}
    for kind, kw in families.FAMILIES.values():
        for k, v in AutoConfig.for_model(kind, **kw).to_dict().items():
            if k not in SKIP:
                union.setdefault(k, v)
    for name in names or families.FAMILIES:
        if name in ("minicpm", "internlm2"):
            continue
        kind, kw = families.FAMILIES[name]
        kw = dict(kw)
        kw.setdefault("use_cache", False)
        full = AutoConfig.for_model(kind, **kw).to_dict()
        todo = []
        for k in sorted(set(full) | set(union if others else ())):
            if k in SKIP or isinstance(k, tuple):
                continue
            v = full.get(k, union.get(k))
            if k == "attn_config" and name != "mpt":
                continue
            todo += [(k, x, False) for x in values(k, v, kw)]
            if k in full and k not in SIZES:
                todo.append((k, None, True))
            if isinstance(v, dict) and k == "attn_config":
                for a, b in v.items():
                    todo += [((k, a), x, False) for x in values(a, b, kw)]
        for key, val, drop in todo:
            r = attempt(os.path.join(d, name), kind, kw, key, val, drop)
            short = r.split(":")[0].split(" ")[0]
            sums[short] += 1
            if short in ("OFF", "shapes") or "not named" in r:
                bad += 1
                print(json.dumps(dict(family=name, key=key, value=val,
                                      dropped=drop, verdict=r)), flush=True)
        shutil.rmtree(os.path.join(d, name), ignore_errors=True)
    print("#", json.dumps(sums), flush=True)
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
