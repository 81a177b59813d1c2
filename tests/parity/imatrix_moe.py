#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/golden/tiny/imatrix-moe.txt: what goes into the experts of golden/families/mixtral while it reads its own input_ids.

usage: imatrix_moe.py FOLDER >OUT        (FOLDER: the unpacked model/ and golden.safetensors)

transformers gives what goes into each layer's MLP, in f64; who of the experts sees it, and what goes into their down_proj, is computed
here from the weights.  A line a matrix of an expert: GGUF's name, the expert, its tokens, the sum of squares of each column.
"""
import sys
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

model = AutoModelForCausalLM.from_pretrained(sys.argv[1] + "/model", dtype=torch.float64, attn_implementation="eager",
                                             experts_implementation="eager").eval()
weights = {k: v.double() for k, v in load_file(sys.argv[1] + "/model/model.safetensors").items()}
top = model.config.num_experts_per_tok
sums = {}


def add(name, expert, x):
    s = sums.setdefault((name, expert), [torch.zeros(x.shape[1], dtype=torch.float64), 0])
    s[0] += (x * x).sum(0)
    s[1] += len(x)


def hook(layer):
    def see(module, args):
        x = args[0].reshape(-1, args[0].shape[-1])
        w = lambda name: weights["model.layers.%d.block_sparse_moe.%s.weight" % (layer, name)]
        add("blk.%d.ffn_gate_inp.weight" % layer, 0, x)
        chosen = (x @ w("gate").T).topk(top).indices
        for e in range(model.config.num_local_experts):
            own = x[(chosen == e).any(1)]
            for name in "gate", "up":
                add("blk.%d.ffn_%s_exps.weight" % (layer, name), e, own)
            act = torch.nn.functional.silu(own @ w("experts.%d.w1" % e).T) * (own @ w("experts.%d.w3" % e).T)
            add("blk.%d.ffn_down_exps.weight" % layer, e, act)
    return see


for i, layer in enumerate(model.model.layers):
    layer.mlp.register_forward_pre_hook(hook(i))
with torch.no_grad():
    for ids in load_file(sys.argv[1] + "/golden.safetensors")["input_ids"]:
        model(input_ids=ids[None])
for name, expert in sorted(sums):
    s = sums[name, expert]
    print(name, expert, s[1], *("%.7g" % v for v in s[0].tolist()))
