# SPDX-License-Identifier: Apache-2.0
"""Steps of LoRA with PEFT: rank 16 on all linear layers, AdamW, a batch of records of equal length.

usage: peer.py HOW MODEL_DIR TOKENS.jsonl BATCH STEPS      prints {"load": seconds, "seconds": [of each step]}
HOW: f32, bf16, compile (bf16, torch.compile: minutes), nf4 (the folder is of bitsandbytes' NF4, the rest bf16), nf4-recompute (gradient
checkpointing)
"""
import json, sys, time
import torch
from transformers import AutoModelForCausalLM
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training

how, model, tokens, batch, steps = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
rows = [json.loads(line)["input_ids"] for line in open(tokens)]
start = time.monotonic()
m = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32 if how == "f32" else torch.bfloat16)
if how.startswith("nf4"):
    m = prepare_model_for_kbit_training(m, use_gradient_checkpointing=how == "nf4-recompute")
names = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
m = get_peft_model(m, LoraConfig(r=16, lora_alpha=32, target_modules=names, task_type="CAUSAL_LM"))
m.train()
m.config.use_cache = False
learnt = [p for p in m.parameters() if p.requires_grad]
if how == "compile":
    m = torch.compile(m)
optimizer = torch.optim.AdamW(learnt, lr=2e-4)
load = time.monotonic() - start
seconds = []
for s in range(steps):
    ids = torch.tensor([rows[(s * batch + i) % len(rows)] for i in range(batch)])
    start = time.monotonic()
    m(input_ids=ids, labels=ids).loss.backward()
    torch.nn.utils.clip_grad_norm_(learnt, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    seconds.append(time.monotonic() - start)
print(json.dumps({"load": load, "seconds": seconds}))
