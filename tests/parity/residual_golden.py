#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What peft-quantize --residual-rank has to reach, by numpy's SVD.

residual_golden.py MODEL >residuals.json

{TYPE: {ITERS: {WEIGHT: [without, with]}}}: the norm of W - Q, and that of
W - Q - B A, over the norm of W, for nf4 (bitsandbytes' own quantiser, blocks
of 64) and q4_0 (gguf's), rank 4, of every linear layer.

PEFT's loftq_init, made to run on the CPU, is held to the same numbers: it
quantises with bitsandbytes too.  How far it is from them goes to standard
error.
"""
import inspect
import json
import sys

import bitsandbytes.functional as bnb
import numpy as np
import torch
from gguf import GGMLQuantizationType, quants
from peft.utils import loftq_utils
from safetensors.numpy import load_file

RANK = 4


def nf4(w):
    q, state = bnb.quantize_4bit(torch.from_numpy(w), blocksize=64,
                                 quant_type="nf4")
    return bnb.dequantize_4bit(q, state).numpy()


def q4_0(w):
    kind = GGMLQuantizationType.Q4_0
    return quants.dequantize(quants.quantize(w, kind), kind)


def low_rank(x, r):
    u, s, vt = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    root = np.sqrt(s[:r])
    return (u[:, :r] * root), (root[:, None] * vt[:r])


def loftq(w, quantise, iters):
    rest, without = w, None
    for _ in range(iters):
        q = quantise(np.ascontiguousarray(rest, dtype=np.float32))
        if without is None:
            without = np.linalg.norm(w.astype(np.float64) - q)
        b, a = low_rank(w - q, RANK)
        rest = (w - b @ a).astype(np.float32)
    return without, np.linalg.norm(w.astype(np.float64) - q - b @ a)


tensors = load_file(sys.argv[1] + "/model.safetensors")
out = {}
for kind, quantise in (("nf4", nf4), ("q4_0", q4_0)):
    for iters in (1, 3):
        rows = out.setdefault(kind, {}).setdefault(str(iters), {})
        for name, w in sorted(tensors.items()):
            if name.endswith("_proj.weight"):
                rows[name] = [float("%.9g" % (x / np.linalg.norm(
                    w.astype(np.float64)))) for x in
                    loftq(w, quantise, iters)]
json.dump(out, sys.stdout, indent=0, sort_keys=True)

text = inspect.getsource(loftq_utils).replace('"cuda"', '"cpu"')
peft = {"__name__": "peft.utils.loftq_utils"}
exec(compile(text, loftq_utils.__file__, "exec"), peft)
peft["is_bnb_4bit_available"] = lambda: True
most = 0
for iters in (1, 3):
    for name, want in out["nf4"][str(iters)].items():
        w = torch.from_numpy(tensors[name])
        q, a, b = peft["loftq_init"](w, 4, RANK, iters)
        left = (w - q - b @ a).norm() / w.norm()
        most = max(most, abs(float(left) / want[1] - 1))
print("loftq_init leaves the same, within %.1e" % most, file=sys.stderr)
assert most < 1e-5
