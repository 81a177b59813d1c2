#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Heads for classes over very small models: what transformers and PEFT
compute.

usage: heads.py golden OUT
       heads.py load BASE ADAPTER IDS [MERGED]

golden: OUT/BASE/ (models of causal LMs), OUT/CASE/ (adapters as PEFT saves
them, and golden.safetensors: ids.N of each sequence, labels.N, logits.N,
loss, grad.NAME of every trained tensor), OUT/scored/ (a model that has its
head).

load: an adapter (and a merged model) that this toolkit wrote, loaded by
PEFT's AutoPeftModelForSequenceClassification or ...TokenClassification (and
by transformers): prints the logits of the token ids in the file IDS, one
JSON list of numbers a line, as JSON lines.
"""
import json
import os
import sys
import warnings

import torch
import peft
import transformers
from safetensors.torch import save_file
from transformers import (AutoModelForSequenceClassification,
                          AutoModelForTokenClassification, GPT2Config,
                          GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM)

warnings.filterwarnings("ignore")
transformers.logging.set_verbosity_error()
PAD = 3
BASES = {
    "llama": lambda: LlamaForCausalLM(LlamaConfig(
        vocab_size=64, hidden_size=16, intermediate_size=24,
        num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=64, pad_token_id=PAD, bos_token_id=1,
        eos_token_id=2, initializer_range=0.3)),
    "gpt2": lambda: GPT2LMHeadModel(GPT2Config(
        vocab_size=64, n_embd=16, n_inner=24, n_layer=2, n_head=4,
        n_positions=64, pad_token_id=PAD, bos_token_id=1, eos_token_id=2,
        initializer_range=0.3)),
}
# case: base, task, labels, problem
CASES = {
    "llama_single": ("llama", "SEQ_CLS", 5, "single_label_classification"),
    "llama_multi": ("llama", "SEQ_CLS", 4, "multi_label_classification"),
    "llama_value": ("llama", "SEQ_CLS", 1, "regression"),
    "llama_tokens": ("llama", "TOKEN_CLS", 5, None),
    "llama_prompt": ("llama", "SEQ_CLS", 5, "single_label_classification"),
    "gpt2_single": ("gpt2", "SEQ_CLS", 3, "single_label_classification"),
    "gpt2_tokens": ("gpt2", "TOKEN_CLS", 4, None),
    "llama_tasks": ("llama", "SEQ_CLS", 3, "single_label_classification"),
}
PROMPTS = {
    "llama_prompt": peft.PromptTuningConfig,
    "llama_tasks": lambda **kw: peft.MultitaskPromptTuningConfig(
        num_tasks=2, num_ranks=2, **kw),
}
AUTO = {"SEQ_CLS": AutoModelForSequenceClassification,
        "TOKEN_CLS": AutoModelForTokenClassification}


def sequences(g):
    """One ends in what is the pad token, which is not looked at."""
    ids = [torch.randint(4, 64, (n,), generator=g) for n in (7, 4, 9, 1)]
    ids[2][-2:] = PAD
    return ids


def labels_of(ids, task, n, problem, g):
    if task == "TOKEN_CLS":
        out = [torch.randint(0, n, (len(i),), generator=g) for i in ids]
        for l in out:
            l[::3] = -100
        return out
    if problem == "regression":
        return [torch.randn(1, generator=g) for _ in ids]
    if problem == "multi_label_classification":
        return [torch.randint(0, 2, (n,), generator=g).float() for _ in ids]
    return [torch.randint(0, n, (1,), generator=g) for _ in ids]


def batch(ids, labels, task):
    n = max(len(i) for i in ids)
    x = torch.full((len(ids), n), PAD)
    mask = torch.zeros(len(ids), n, dtype=torch.long)
    y = torch.full((len(ids), n), -100)
    for k, i in enumerate(ids):
        x[k, :len(i)] = i
        mask[k, :len(i)] = 1
        if task == "TOKEN_CLS":
            y[k, :len(i)] = labels[k]
    if task != "TOKEN_CLS":
        y = torch.stack(labels)
        if y.dtype == torch.long or y.shape[1] == 1:
            y = y[:, 0]
    return x, mask, y


def case(name, seed):
    base, task, n, problem = CASES[name]
    g = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = AUTO[task].from_pretrained(
        base, num_labels=n, problem_type=problem,
        attn_implementation="eager", dtype=torch.float32)
    prompt, tasks = name in PROMPTS, [0, 1, 1, 0]
    config = PROMPTS[name](
        task_type=task, num_virtual_tokens=3) if prompt else peft.LoraConfig(
            task_type=task, r=2, lora_alpha=3, target_modules=[
                "q_proj", "down_proj"] if base == "llama" else
            ["c_attn", "c_proj"], fan_in_fan_out=base == "gpt2")
    more = [{"task_ids": torch.tensor([i])} if name == "llama_tasks" else {}
            for i in tasks]
    model = peft.get_peft_model(model, config).eval()
    for key, p in model.named_parameters():
        if p.requires_grad:
            p.data += torch.randn(p.shape, generator=g) * 0.1
    ids = sequences(g)
    if prompt:                  # transformers looks at the last embedding
        ids[2] = ids[2][:-2]
    labels = labels_of(ids, task, n, problem, g)
    x, mask, y = batch(ids, labels, task)
    if prompt:                  # one by one, for it is a pad token else
        r = [model(input_ids=i[None], labels=l, **m)
             for i, l, m in zip(ids, labels, more)]
        loss = sum(one.loss for one in r) / len(r)
        logits = [one.logits[0] for one in r]
    else:
        r = model(input_ids=x, attention_mask=mask, labels=y)
        loss, logits = r.loss, r.logits
    loss.backward()
    t = {"loss": loss.detach().reshape(1)}
    for k, i in enumerate(ids):
        t[f"ids.{k}"] = i.to(torch.int32)
        if name == "llama_tasks":
            t[f"task.{k}"] = torch.tensor([tasks[k]], dtype=torch.int32)
        t[f"labels.{k}"] = labels[k].float()
        z = logits[k]
        t[f"logits.{k}"] = (z[:len(i)] if task == "TOKEN_CLS" else
                            z).detach().contiguous()
    for key, p in model.named_parameters():
        if p.requires_grad:
            key = key.replace(".modules_to_save.default", "").replace(
                "prompt_encoder.default.embedding.weight",
                "prompt_embeddings").replace("prompt_encoder.default.", "")
            t["grad." + key.replace(".default", "")] = p.grad.clone()
    d = name
    model.save_pretrained(d)
    os.unlink(os.path.join(d, "README.md"))
    save_file(t, os.path.join(d, "golden.safetensors"))
    if name == "llama_single":
        merged = model.merge_and_unload()
        merged.config.id2label = {i: "abcde"[i] for i in range(n)}
        merged.config.label2id = {"abcde"[i]: i for i in range(n)}
        merged.save_pretrained("scored")


def golden(out):
    os.makedirs(out, exist_ok=True)
    os.chdir(out)               # so that no path is in the configs
    for k, (name, make) in enumerate(BASES.items()):
        torch.manual_seed(40 + k)
        make().save_pretrained(name)
    for k, name in enumerate(CASES):
        case(name, 50 + k)


def show(model, path):
    for line in open(path):
        x = torch.tensor([json.loads(line)])
        with torch.no_grad():
            z = model.eval()(input_ids=x).logits[0]
        print(json.dumps(z.flatten().tolist()))


def load(base, adapter, ids, merged=None):
    with open(os.path.join(adapter, "adapter_config.json")) as f:
        task = json.load(f)["task_type"]
    tensors = peft.utils.save_and_load.load_peft_weights(adapter)
    head = [v for k, v in tensors.items() if v.ndim == 2 and
            k.endswith((".score.weight", ".classifier.weight"))]
    auto = {"SEQ_CLS": peft.AutoPeftModelForSequenceClassification,
            "TOKEN_CLS": peft.AutoPeftModelForTokenClassification}[task]
    del base        # the adapter's config names it
    show(auto.from_pretrained(adapter, num_labels=len(head[0])), ids)
    if merged is not None:
        show(AUTO[task].from_pretrained(merged), ids)


if __name__ == "__main__":
    {"golden": golden, "load": load}[sys.argv[1]](*sys.argv[2:])
