#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Twenty losses of each method as PEFT trains it, from an adapter that both
begin from (methods.py compares the same with the values at the end).

usage: losses_golden.py BASE OUT [METHOD...]

OUT/tokens holds the records; OUT/METHOD/ the adapter, and losses.  (Of
P-tuning PEFT saves what its encoder makes, and trains no further from that:
there is nothing that both could begin from.)
"""
import os
import sys
import warnings

import torch
import peft

from methods import TRAIN, model, records, steps

NAMES = ["lora", "dora", "ia3", "loha", "lokr", "oft", "vera",
         "prompt_tuning", "prefix_tuning", "ln_tuning", "adalora"]


def write(base, out, name):
    d = os.path.join(out, name)
    rows = records(os.path.join(out, "tokens"))
    torch.manual_seed(3)
    p = peft.get_peft_model(model(base), TRAIN[name]())
    with torch.no_grad():
        for n, q in p.named_parameters():
            if q.requires_grad and "ranknum" not in n:
                q.add_(0.05 * torch.randn_like(q))
    p.save_pretrained(d)
    os.unlink(os.path.join(d, "README.md"))
    losses = steps(p, rows, 20, 1e-2)
    with open(os.path.join(d, "losses"), "w") as f:
        f.writelines("%.7f\n" % x for x in losses)
    print(name, losses[0], losses[-1])


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.makedirs(sys.argv[2], exist_ok=True)
    for each in sys.argv[3:] or NAMES:
        write(sys.argv[1], sys.argv[2], each)
