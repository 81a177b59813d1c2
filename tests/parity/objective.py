# SPDX-License-Identifier: Apache-2.0
"""Make tests/golden/llama/objective.safetensors: gradients of a loss with label smoothing 0.1 and z-loss 0.01, by torch.
usage: objective.py tests/golden/llama"""
import sys
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

where = sys.argv[1]
golden = load_file(where + "/golden.safetensors")
model = AutoModelForCausalLM.from_pretrained(where + "/model", dtype=torch.float32, attn_implementation="eager")
model = PeftModel.from_pretrained(model, where + "/adapter", is_trainable=True).eval()
logits = model(input_ids=golden["input_ids"]).logits[:, :-1].flatten(0, 1)
labels = golden["labels"][:, 1:].flatten()
kept = labels != -100
loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.1, ignore_index=-100, reduction="sum")
loss = (loss + 0.01 * (torch.logsumexp(logits[kept], -1) ** 2).sum()) / kept.sum()
loss.backward()
grads = {"grad." + n.replace(".default", ""): p.grad for n, p in model.named_parameters() if p.grad is not None}
few = {k: v for k, v in grads.items() if ".layers.0." in k}
save_file(few, where + "/objective.safetensors")
print(len(grads), len(few))
