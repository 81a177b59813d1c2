#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/golden/tiny/imatrix.txt: what goes into the linear layers of the tiny model while it reads token records, by hooks in transformers.

usage: imatrix_sums.py MODEL TOKENS >OUT        (TOKENS: of tests/golden/tiny/test.jsonl, by peft-tokenize)

All arithmetic in f64.  A line a matrix: its name in GGUF, the number of tokens, the sum of squares of each column.
"""
import json, sys
import torch
from transformers import AutoModelForCausalLM

NAMES = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate", "up_proj": "ffn_up",
         "down_proj": "ffn_down"}
sums = {}
model = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float64, attn_implementation="eager").eval()
for name, module in model.named_modules():
    part = name.split(".")
    if part[-1] in NAMES:
        def hook(module, args, name="blk.%s.%s.weight" % (part[2], NAMES[part[-1]])):
            x = args[0].double().reshape(-1, args[0].shape[-1])
            s = sums.setdefault(name, [torch.zeros(x.shape[1], dtype=torch.float64), 0])
            s[0] += (x * x).sum(0)
            s[1] += len(x)
        module.register_forward_pre_hook(hook)
with torch.no_grad():
    for line in open(sys.argv[2]):
        r = json.loads(line)
        if "input_ids" in r:
            model(input_ids=torch.tensor([r["input_ids"]]))
for name in sorted(sums):
    print(name, sums[name][1], *("%.7g" % v for v in sums[name][0].tolist()))
