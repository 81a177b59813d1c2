#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What peft-merge --as-lora says is lost, against numpy's SVD.

usage: svd.py BASE MERGED RANK TOLD LORA

MERGED: the base with an adapter folded in, f32; TOLD: what --as-lora RANK -v
said; LORA: what it wrote.  Of each weight: the norm of the change, the norm
that the best approximation of the rank loses, and that of what was written.
"""
import json
import re
import sys

import numpy
from safetensors.numpy import load_file

base, merged, rank, told, lora = sys.argv[1:]
rank = int(rank)
w0 = load_file(base + "/model.safetensors")
w1 = load_file(merged + "/model.safetensors")
ab = load_file(lora + "/adapter_model.safetensors")
with open(lora + "/adapter_config.json") as f:
    c = json.load(f)
scale = c["lora_alpha"] / c["r"]
n, worst, bad = 0, 0.0, 0
for line in open(told):
    m = re.search(r": (\S+): change (\S+), lost (\S+) \(", line)
    if not m:
        continue
    name = m[1]
    d = (w1[name].astype("f8") - w0[name])
    s = numpy.linalg.svd(d, compute_uv=False)
    want = numpy.sqrt((s[rank:] ** 2).sum())
    p = "base_model.model." + name.removesuffix(".weight")
    have = numpy.linalg.norm(d - scale * ab[p + ".lora_B.weight"].astype("f8")
                             @ ab[p + ".lora_A.weight"])
    size = numpy.linalg.norm(d)
    worst = max(worst, abs(have - want) / size)
    # three digits are told
    bad += abs(float(m[3]) - want) > 5.1e-3 * want + 1e-5 * size
    bad += abs(float(m[2]) - size) > 5.1e-3 * size
    n += 1
print(f"# {n} weights, off by {worst:.1e} of the change; {bad} told wrongly")
sys.exit(not (n > 0 and worst < 1e-5 and bad == 0))
