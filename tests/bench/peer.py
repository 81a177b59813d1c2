# SPDX-License-Identifier: Apache-2.0
"""Steps of LoRA with PEFT, eager, in f32: rank 16 on all linear layers, AdamW, a batch of records of equal length.

usage: peer.py MODEL_DIR TOKENS.jsonl BATCH STEPS      prints {"seconds": [of each step]}
"""
import json, sys, time
import torch
from transformers import AutoModelForCausalLM
from peft import LoraConfig, get_peft_model

model, tokens, batch, steps = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
rows = [json.loads(line)["input_ids"] for line in open(tokens)]
m = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
m = get_peft_model(m, LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"))
m.train()
m.config.use_cache = False
learnt = [p for p in m.parameters() if p.requires_grad]
optimizer = torch.optim.AdamW(learnt, lr=2e-4)
seconds = []
for s in range(steps):
    ids = torch.tensor([rows[(s * batch + i) % len(rows)] for i in range(batch)])
    start = time.monotonic()
    m(input_ids=ids, labels=ids).loss.backward()
    torch.nn.utils.clip_grad_norm_(learnt, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    seconds.append(time.monotonic() - start)
print(json.dumps({"seconds": seconds}))
