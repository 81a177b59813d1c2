#!/usr/bin/env python3
"""Methods against PEFT: what peft-train writes, PEFT loads and computes the
same logits; and twenty steps from the same adapter end where PEFT's do.

usage: methods.py BASE DIR [load|train] [METHOD...]

BASE is a small model's folder (tests/golden/methods/base), DIR for scratch;
peft-train and logits-tool are on PATH.  Prints a TAP line a comparison.
"""
import json
import os
import random
import subprocess
import sys
import time
import warnings

import numpy as np
import torch
import peft
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

C = dict(task_type="CAUSAL_LM")
QV = ["q_proj", "v_proj"]
CPT = dict(cpt_token_ids=[4, 5, 6, 7, 9, 11, 6, 8],
           cpt_tokens_type_mask=[1, 2, 3, 4, 5, 6, 8, 8],
           opt_weighted_loss_type="decay", opt_loss_decay_factor=0.7,
           opt_projection_epsilon=0.5)
TRAIN = {
    "lora": lambda: peft.LoraConfig(r=2, target_modules=QV, **C),
    "dora": lambda: peft.LoraConfig(r=2, use_dora=True, target_modules=QV,
                                    **C),
    "ia3": lambda: peft.IA3Config(
        target_modules=["k_proj", "v_proj", "down_proj"],
        feedforward_modules=["down_proj"], **C),
    "loha": lambda: peft.LoHaConfig(r=2, target_modules=QV, **C),
    "lokr": lambda: peft.LoKrConfig(r=2, target_modules=QV, **C),
    "oft": lambda: peft.OFTConfig(oft_block_size=4, r=0, target_modules=QV,
                                  **C),
    "vera": lambda: peft.VeraConfig(r=4, target_modules=QV, **C),
    "prompt_tuning": lambda: peft.PromptTuningConfig(num_virtual_tokens=3,
                                                     **C),
    "prefix_tuning": lambda: peft.PrefixTuningConfig(num_virtual_tokens=3,
                                                     **C),
    "ln_tuning": lambda: peft.LNTuningConfig(
        target_modules=["input_layernorm", "post_attention_layernorm"], **C),
    "adalora": lambda: peft.AdaLoraConfig(
        init_r=4, target_r=2, total_step=20, tinit=3, tfinal=5,
        target_modules=QV, **C),
    "hra": lambda: peft.HRAConfig(r=2, target_modules=QV, **C),
    "road": lambda: peft.RoadConfig(group_size=4, target_modules=QV, **C),
    "delora": lambda: peft.DeloraConfig(r=2, target_modules=QV, **C),
    "miss": lambda: peft.MissConfig(r=4, target_modules=QV, **C),
    "adaption_prompt": lambda: peft.AdaptionPromptConfig(
        adapter_len=3, adapter_layers=1, **C),
    "cpt": lambda: peft.CPTConfig(**CPT, **C),
}
ENCODERS = {            # of which PEFT saves only what they make
    "p_tuning": dict(encoder_hidden_size=8),
    "p_tuning_lstm": dict(encoder_hidden_size=8, encoder_num_layers=2,
                          encoder_reparameterization_type="LSTM"),
}
LOAD = {
    "lora": [], "ia3": [], "loha": [], "lokr": [], "oft": [], "hra": [],
    "vera": ["--rank", "4"], "randlora": ["--rank", "4"], "delora": [],
    "miss": ["--rank", "4"], "shira": ["--rank", "2"], "hira": ["--rank", "4"],
    "road": ["--set", "group_size=4"], "c3a": ["--set", "block_size=4"],
    "fourierft": ["--set", "n_frequency=20"], "ln-tuning": [],
    "vblora": ["--set", "vector_length=8", "--set", "num_vectors=6"],
    "trainable-tokens": ["--set", "token_indices=[5,9,30]"],
    "prompt-tuning": [], "p-tuning": [], "prefix-tuning": [],
    "multitask-prompt-tuning": [],
    "poly": ["--rank", "2", "--set", "n_skills=2", "--set", "n_splits=2"],
    "xlora": ["--set", 'adapters={"0":"BASE/../xlora/0",'
              '"1":"BASE/../xlora/1"}'],
    "adaption-prompt": ["--set", "adapter_len=3", "--set",
                        "adapter_layers=1"],
    "cpt": [x for k, v in CPT.items() for x in (
        "--set", "%s=%s" % (k, json.dumps(v)))],
    "adalora": ["--set", "total_step=10", "--set", "tinit=2", "--set",
                "tfinal=3", "--set", "init_r=4", "--set", "target_r=2"],
}
count = failed = 0


def ok(good, what):
    global count, failed
    count += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", count, what), flush=True)


def model(base):
    return AutoModelForCausalLM.from_pretrained(
        base, dtype=torch.float32, attn_implementation="eager").eval()


def records(path):
    random.seed(1)
    rows = [[random.randrange(3, 40) for _ in range(14)] for _ in range(8)]
    with open(path, "w", encoding="utf-8") as f:
        for ids in rows:
            f.write(json.dumps({"input_ids": ids, "task_id": 0,
                                "labels": [-100] + ids[1:]}) + "\n")
    return torch.tensor(rows)


def run(*args):
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)


def check_load(base, d, name):
    out, tokens = os.path.join(d, "our-" + name), os.path.join(d, "tokens")
    rows = records(tokens)
    run("peft-train", "-q", "-m", base, "--method", name,
        *(a.replace("BASE", base) for a in LOAD[name]),
        "--lr", "1e-2", "--steps", "10", "--batch", "4", "-f", "-o",
        out + "/", tokens)
    p = peft.PeftModel.from_pretrained(model(base), out).eval()
    with open(tokens, "rb") as f:
        raw = subprocess.run(["logits-tool", base, out], stdin=f, check=True,
                             capture_output=True).stdout
    ours = np.frombuffer(raw, np.float32).reshape(len(rows), -1, 40)
    more = {"task_ids": torch.zeros(len(rows), dtype=torch.long)} \
        if name.startswith("multitask") or name == "poly" else {}
    with torch.no_grad():
        theirs = p(input_ids=rows, attention_mask=torch.ones_like(rows),
                   **more).logits[:, -rows.shape[1]:].numpy()
    off = np.abs(ours - theirs).max() / np.abs(theirs).max()
    ok(off < 1e-4, "%s: PEFT computes the same logits (%.1e)" % (name, off))


def steps(p, rows, n, lr):
    todo = [q for q in p.parameters() if q.requires_grad]
    opt = torch.optim.AdamW(todo, lr=lr, weight_decay=0)
    losses = []
    for i in range(n):
        ids = rows[i % 2 * 4:i % 2 * 4 + 4]
        labels = ids.clone()
        labels[:, 0] = -100
        o = p(input_ids=ids, labels=labels,
              attention_mask=torch.ones_like(ids))
        opt.zero_grad()
        o.loss.backward()
        losses.append(o.loss.item())
        torch.nn.utils.clip_grad_norm_(todo, 1.0)
        opt.step()
        if hasattr(p.base_model, "update_and_allocate"):
            p.base_model.update_and_allocate(i + 1)
    return losses


def begun(base, d, name, tokens):
    """An encoder as peft-train begins one, from a checkpoint before which
    nothing moved; and what makes the same again."""
    ck = os.path.join(d, "ck-" + name)
    args = ["peft-train", "-q", "-m", base, "--method", "p-tuning", "-f",
            "--set", "num_virtual_tokens=3"]
    for k, v in ENCODERS[name].items():
        args += ["--set", "%s=%s" % (k, v)]
    p = subprocess.Popen(args + ["--lr", "1e-30", "--steps", "1000000",
                                 "--save-every", "1", "--checkpoint", ck,
                                 "-o", ck + ".none", tokens])
    while p.poll() is None and not os.path.exists(ck):
        time.sleep(0.01)
    p.terminate()
    p.wait()
    return args, {k[len("value/prompt_encoder."):]: torch.from_numpy(v)
                  for k, v in load_file(ck).items()
                  if k.startswith("value/")}


def put(encoder, values):
    """Into PEFT's: an LSTM's weights lie one behind the other."""
    with torch.no_grad():
        for n, q in encoder.named_parameters():
            if not n.startswith("lstm_head"):
                q.copy_(values[n].view_as(q))
        if "lstm_head" in values:
            flat = values["lstm_head"]
            for q in encoder.lstm_head._flat_weights:
                q.copy_(flat[:q.numel()].view_as(q))
                flat = flat[q.numel():]
            assert flat.numel() == 0


def start_of(base, d, name, tokens):
    """PEFT's model, and how peft-train begins with the same."""
    start = os.path.join(d, "start-" + name)
    if name in ENCODERS:
        p = peft.get_peft_model(model(base), peft.PromptEncoderConfig(
            num_virtual_tokens=3, **ENCODERS[name], **C))
        args, values = begun(base, d, name, tokens)
        put(p.prompt_encoder["default"], values)
        return p, args
    torch.manual_seed(3)
    p = peft.get_peft_model(model(base), TRAIN[name]())
    with torch.no_grad():
        for n, q in p.named_parameters():
            if q.requires_grad and "ranknum" not in n:
                q.add_(0.05 * torch.randn_like(q))
    p.save_pretrained(start)
    if name == "cpt":       # a file's prompt is where its delta begins anew
        e = p.prompt_encoder["default"]
        with torch.no_grad():
            e.embedding.weight += e.get_projection()
            e.delta_embedding.weight.zero_()
    return p, ["peft-train", "-q", "-m", base, "-f", "--init", start]


def check_train(base, d, name):
    end, ours = os.path.join(d, "end-" + name), os.path.join(d, "ours-" + name)
    tokens, log = os.path.join(d, "tokens"), os.path.join(d, "log-" + name)
    lr = 1e-2
    rows = records(tokens)
    p, args = start_of(base, d, name, tokens)
    losses = steps(p, rows, 20, lr)
    p.save_pretrained(end)
    run(*args, "--lr", str(lr),
        "--steps", "20", "--batch", "4", "--no-shuffle", "--schedule",
        "constant", "--warmup", "0", "--log", log, "-o", ours + "/", tokens)
    with open(log, encoding="utf-8") as f:
        mine = [j["loss"] for j in map(json.loads, f) if "loss" in j]
    off = max(abs(a - b) / abs(b) for a, b in zip(mine, losses))
    ok(len(mine) == 20 and off < 1e-4,
       "%s: twenty losses as PEFT's (%.1e)" % (name, off))
    a = load_file(os.path.join(ours, "adapter_model.safetensors"))
    b = load_file(os.path.join(end, "adapter_model.safetensors"))
    ok(a.keys() == b.keys() and all(
        a[k].shape == b[k].shape and (a[k].size == 0 or
        np.abs(a[k] - b[k]).max() <= 2e-3 * np.abs(b[k]).max())
        for k in a),
       "%s: and the adapter, too" % name)


def main():
    base, d = sys.argv[1:3]
    what = sys.argv[3] if len(sys.argv) > 3 else ""
    warnings.simplefilter("ignore")
    os.makedirs(d, exist_ok=True)
    for name in sys.argv[4:] or LOAD:
        if what in ("", "load"):
            check_load(base, d, name)
    for name in sys.argv[4:] or [*TRAIN, *ENCODERS]:
        if what in ("", "train"):
            check_train(base, d, name)
    print("1..%d" % count)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
