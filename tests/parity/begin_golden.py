#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How PEFT begins a LoRA from data: EVA, CorDA, LoRA-GA.

usage: begin_golden.py BASE OUT [KIND...]

BASE is methods_golden.py's model.  OUT/records holds the token records;
OUT/KIND.json the config to begin from, OUT/KIND.safetensors PATH.A and PATH.B
of each module as it begins, and of eva OUT/KIND.ranks.json what the config
has become.
"""
import dataclasses
import json
import os
import random
import sys
import warnings

import torch
import peft

sys.modules.setdefault("attr", dataclasses)     # all that corda.py asks of it
from peft.tuners.lora.config import CordaConfig, LoraGAConfig
from peft.tuners.lora.corda import preprocess_corda
from peft.tuners.lora.eva import initialize_lora_eva_weights
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

ALL = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
       "down_proj"]
BATCH = 4


def eva(**kw):
    return dict(r=6, lora_alpha=12, init_lora_weights="eva", eva_config=kw)


def corda(method):
    return dict(r=3, lora_alpha=6, init_lora_weights="corda",
                corda_config={"corda_method": method})


def ga(direction, scale, **kw):
    return dict(r=4, lora_alpha=6, init_lora_weights="lora_ga",
                lora_ga_config=dict(direction=direction, scale=scale, **kw))


KINDS = {
    "eva": eva(rho=2.0),
    "eva_zero": dict(eva(rho=10.0, use_label_mask=False,
                         adjust_scaling_factors=False), r=1, lora_alpha=1),
    # PEFT whitens a shared input once for each module that has it
    "eva_whiten": dict(eva(rho=1.5, whiten=True),
                       target_modules=["o_proj", "down_proj"],
                       rank_pattern={"o_proj": 3}),
    "corda_ipm": corda("ipm"), "corda_kpm": corda("kpm"),
    "ga_stable": ga("ArB2r", "stable", stable_gamma=9),
    "ga_gd": ga("A2rBr", "gd_scale"),
    "ga_svd": ga("ArBr", "weight_svd"),
}


def svd(x, q, **kw):
    """What svd_lowrank() estimates, up to 1e-3 and at random."""
    u, s, vh = torch.linalg.svd(x.double(), full_matrices=False)
    return tuple(t[..., :q].to(x.dtype) for t in (u, s, vh.mT))


def records(path):
    random.seed(5)
    rows = [[random.randrange(3, 40) for _ in range(random.randrange(9, 21))]
            for _ in range(12)]
    with open(path, "w", encoding="utf-8") as f:
        for ids in rows:
            f.write(json.dumps({"input_ids": ids,
                                "labels": [-100, -100] + ids[2:]}) + "\n")
    return rows


def batches(rows):
    out = []
    for i in range(0, len(rows), BATCH):
        some = rows[i:i + BATCH]
        n = max(map(len, some))
        ids = torch.tensor([r + [0] * (n - len(r)) for r in some])
        mask = torch.tensor([[1] * len(r) + [0] * (n - len(r)) for r in some])
        labels = ids.clone()
        labels[:, :2] = -100
        labels[mask == 0] = -100
        out.append(dict(input_ids=ids, attention_mask=mask, labels=labels))
    return out


def begin(m, c, rows):
    kind = c["init_lora_weights"]
    kw = dict(c, task_type="CAUSAL_LM")
    if kind == "eva":
        kw["eva_config"] = peft.EvaConfig(**c["eva_config"])
    elif kind == "corda":
        kw["corda_config"] = CordaConfig(**c["corda_config"])
    else:
        kw["lora_ga_config"] = LoraGAConfig(**c["lora_ga_config"])
    config = peft.LoraConfig(**kw)
    if kind == "corda":
        preprocess_corda(m, config, lambda: [
            m(input_ids=torch.tensor([r])) for r in rows])
    if kind == "lora_ga":
        peft.tuners.lora.loraga.preprocess_loraga(m, config, lambda: [
            m(**b).loss.backward() for b in batches(rows)])
    p = peft.get_peft_model(m, config)
    if kind == "eva":
        initialize_lora_eva_weights(p, batches(rows), show_progress_bar=False)
    return p


def write(base, out, name, rows):
    m = AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.float32, attn_implementation="eager")
    c = dict(dict(target_modules=ALL), **KINDS[name])
    p = begin(m, c, rows)
    g = {}
    for n, q in p.named_parameters():
        if "lora_" in n:
            part = "A" if "lora_A" in n else "B"
            path = n[len("base_model.model."):n.index(".lora_")]
            if part == "A" or c["init_lora_weights"] != "eva":
                g["%s.%s" % (path, part)] = q.detach().contiguous()
    save_file(g, os.path.join(out, name + ".safetensors"))
    with open(os.path.join(out, name + ".json"), "w") as f:
        json.dump(c, f, sort_keys=True)
        f.write("\n")
    if c["init_lora_weights"] == "eva":
        q = p.peft_config["default"]
        with open(os.path.join(out, name + ".ranks.json"), "w") as f:
            json.dump(dict(alpha=q.alpha_pattern, rank=q.rank_pattern,
                           targets=sorted(q.target_modules)), f,
                      sort_keys=True)
            f.write("\n")
    print(name, len(g), "tensors")


if __name__ == "__main__":
    torch.svd_lowrank = svd
    warnings.simplefilter("ignore")
    os.makedirs(sys.argv[2], exist_ok=True)
    recs = records(os.path.join(sys.argv[2], "records"))
    for each in sys.argv[3:] or KINDS:
        write(sys.argv[1], sys.argv[2], each, recs)
