#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What peft-inspect tells of an adapter, by numpy: one JSON object.

inspect_ranks.py ADAPTER >ranks.json

{"delta_norm": n, "modules": {PATH: [norm, largest, effective rank,
stable rank]}, "layers": {N: [norm, mean effective rank]}} of scale * B A,
which is made here as the matrix that it is.
"""
import json
import re
import sys

import numpy as np
from safetensors.numpy import load_file

folder = sys.argv[1]
config = json.load(open(folder + "/adapter_config.json"))
tensors = load_file(folder + "/adapter_model.safetensors")
modules, layers = {}, {}
for name in tensors:
    m = re.fullmatch(r"base_model\.model\.(.*)\.lora_A\.weight", name)
    if not m:
        continue
    a = tensors[name].astype(np.float64)
    b = tensors[name.replace("lora_A", "lora_B")].astype(np.float64)
    r = a.shape[0]
    alpha = config["lora_alpha"]
    scale = alpha / r ** 0.5 if config["use_rslora"] else alpha / r
    s = np.linalg.svd(scale * b @ a, compute_uv=False)[:r]
    p = s / s.sum()
    modules[m[1]] = [np.sqrt((s ** 2).sum()), s[0],
                     np.exp(-(p * np.log(p)).sum()),
                     (s ** 2).sum() / s[0] ** 2]
    n = re.search(r"\.(\d+)\.", m[1])[1]
    layers.setdefault(n, []).append(modules[m[1]])
json.dump({"delta_norm": np.sqrt(sum(v[0] ** 2 for v in modules.values())),
           "modules": modules,
           "layers": {n: [np.sqrt(sum(v[0] ** 2 for v in vs)),
                          np.mean([v[2] for v in vs])]
                      for n, vs in layers.items()}},
          sys.stdout, indent=1)
