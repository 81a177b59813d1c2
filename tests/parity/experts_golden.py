#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""LoRA on the parameters of experts (target_parameters), as PEFT has it, over
the models that families.py made.

usage: experts_golden.py FAMILIES OUT [NAME...]

FAMILIES holds NAME.tar.zst; OUT/NAME.tar.zst then an adapter/ over its model/
and another golden.safetensors.
"""
import os, subprocess, sys, tempfile
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM
from peft import LoraConfig, get_peft_model
from families import shorten

C = dict(r=2, lora_alpha=4, task_type="CAUSAL_LM")
UP, DOWN = "mlp.experts.gate_up_proj", "mlp.experts.down_proj"
KINDS = {
    "mixtral": dict(C, target_modules=["q_proj"], target_parameters=[
        UP, DOWN, "gate.weight"], rank_pattern={"gate_up_proj": 3},
        alpha_pattern={"down_proj": 6}),
    "qwen3_moe": dict(C, target_modules="all-linear"),
    "olmoe": dict(C, target_modules=[], target_parameters=[
        "layers.1." + DOWN, "o_proj.weight"]),
    "gpt_oss": dict(C, target_modules=["o_proj"], target_parameters=[
        UP, DOWN, "router.weight"], rank_pattern={"down_proj": 3}),
    "deepseek_v2": dict(C, target_modules=["q_proj"], use_rslora=True,
                        target_parameters=[UP]),
}


def write(families, out, name):
    d = tempfile.mkdtemp()
    subprocess.run("zstd -dqc '%s/%s.tar.zst' | tar -C '%s' -xf -" % (
        families, name, d), shell=True, check=True)
    m = AutoModelForCausalLM.from_pretrained(
        os.path.join(d, "model"), dtype=torch.float32,
        attn_implementation="eager").eval()
    old = load_file(os.path.join(d, "golden.safetensors"))
    g = {k: old[k] for k in ("input_ids", "labels", "logits", "loss")}
    p = get_peft_model(m, LoraConfig(**KINDS[name]))
    torch.manual_seed(7)
    with torch.no_grad():
        for n, q in p.named_parameters():
            if "lora_" in n:
                q.normal_(0, 0.15)
                q.copy_((q * 64).round() / 64)
    subprocess.run(["rm", "-rf", os.path.join(d, "adapter")], check=True)
    p.save_pretrained(os.path.join(d, "adapter"))
    os.unlink(os.path.join(d, "adapter", "README.md"))
    shorten(os.path.join(d, "adapter", "adapter_model.safetensors"))
    o = p(input_ids=g["input_ids"], labels=g["labels"])
    o.loss.backward()
    g["adapter_logits"] = o.logits.detach()
    g["adapter_loss"] = o.loss.detach().reshape(1)
    for n, q in p.named_parameters():
        if q.requires_grad:
            g["grad." + n.replace(".default", "")] = q.grad.clone()
    save_file({k: v.contiguous() for k, v in g.items()},
              os.path.join(d, "golden.safetensors"))
    subprocess.run("tar --sort=name --mtime=@0 --owner=0 --group=0 "
                   "--numeric-owner -C '%s' -cf - adapter golden.safetensors"
                   " | zstd -q -19 -f -o '%s/%s.tar.zst'" % (d, out, name),
                   shell=True, check=True)
    print("%s: loss %.6f" % (name, g["adapter_loss"].item()))


if __name__ == "__main__":
    for each in sys.argv[3:] or KINDS:
        write(sys.argv[1], sys.argv[2], each)
