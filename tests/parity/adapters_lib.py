#!/usr/bin/env python3
"""Adapters in the format of the `adapters` library (AdapterHub), with what
that library computes; and what is saved here, loaded there.

usage: adapters_lib.py golden BASE OUT [NAME...]
       adapters_lib.py load BASE DIR [NAME...]
       adapters_lib.py stack BASE OUT GOLDEN
       adapters_lib.py fuse BASE OUT GOLDEN
       adapters_lib.py heads BASE OUT
       adapters_lib.py load-heads BASE DIR

golden: OUT/NAME/ adapter_config.json, adapter.safetensors as the library
saves them, golden.safetensors: input_ids, labels, logits, loss, grad.NAME,
merged.NAME where it merges.  load: trains each kind with peft-train (on
PATH, as logits-tool), loads the result with the library, and compares the
logits.  stack: OUT/A+B.logits, f32 in the machine's order, of the ids below
with Stack(A, B) of adapters in GOLDEN.  fuse: OUT/NAME, fusions of those in
NAMES with random weights, as the library saves them, and their logits.
heads: OUT/NAME, adapters beside a head for classes, and what heads-unit.c
looks for; load-heads: such ones, trained with peft-train, loaded by the
library.  BASE: tests/golden/methods/base.  Needs the packages adapters (1.3)
and the transformers it asks for.
"""
import json
import os
import random
import re
import subprocess
import sys
import warnings

import numpy as np
import torch
import adapters
from adapters import (BnConfig, CompacterConfig, CompacterPlusPlusConfig,
                      ConfigUnion, DoubleSeqBnConfig, IA3Config, LoRAConfig,
                      MAMConfig, ParBnConfig, PrefixTuningConfig,
                      SeqBnConfig, UniPELTConfig)
from safetensors.torch import save_file
from transformers import LlamaForCausalLM

R = dict(reduction_factor=4)
F = ["--set", "reduction_factor=4"]
CONFIGS = {
    "seq_bn": lambda: SeqBnConfig(**R),
    "seq_bn_map": lambda: SeqBnConfig(
        reduction_factor={"1": 8, "default": 2}, non_linearity="gelu_new",
        scaling="learned"),
    "seq_bn_ln": lambda: SeqBnConfig(
        ln_before=True, ln_after=True, original_ln_before=False,
        non_linearity="leakyrelu", init_weights="houlsby", **R),
    "seq_bn_post": lambda: SeqBnConfig(
        residual_before_ln=False, original_ln_after=False, ln_after=True,
        adapter_residual_before_ln=True, non_linearity="tanh",
        scaling="channel", **R),
    "double_seq_bn": lambda: DoubleSeqBnConfig(leave_out=[0], **R),
    "double_seq_bn_double": lambda: DoubleSeqBnConfig(
        original_ln_before=True, residual_before_ln=False,
        non_linearity="sigmoid", **R),
    "par_bn": lambda: ParBnConfig(reduction_factor=2),
    "compacter": lambda: CompacterConfig(phm_dim=2, **R),
    "compacter++": lambda: CompacterPlusPlusConfig(
        phm_dim=4, factorized_phm_rule=True, phm_rank=2, ln_before=True, **R),
    "compacter_own": lambda: CompacterPlusPlusConfig(
        phm_dim=2, shared_phm_rule=False, factorized_phm_W=False,
        phm_bias=False, **R),
    "compacter_fixed": lambda: CompacterConfig(
        phm_dim=2, shared_phm_rule=False, factorized_phm_rule=True,
        learn_phm=False, **R),
    "compacter_shared": lambda: CompacterPlusPlusConfig(
        phm_dim=2, shared_W_phm=True, is_parallel=True, **R),
    "lora": lambda: LoRAConfig(r=2, alpha=3, leave_out=[1],
                               intermediate_lora=True),
    "lora_all": lambda: LoRAConfig(
        r=2, alpha=8, attn_matrices=["q", "k", "v"], output_lora=True,
        init_weights="bert"),
    "lora_gated": lambda: LoRAConfig(r=2, alpha=4, use_gating=True),
    "ia3": lambda: IA3Config(alpha=2),
    "prefix": lambda: PrefixTuningConfig(prefix_length=3, bottleneck_size=8),
    "prefix_flat": lambda: PrefixTuningConfig(prefix_length=3, flat=True),
    "prefix_gated": lambda: PrefixTuningConfig(
        prefix_length=3, bottleneck_size=8, non_linearity="relu",
        use_gating=True),
    "prefix_gates": lambda: PrefixTuningConfig(
        prefix_length=3, flat=True, use_gating=True, shared_gating=False),
    "bn_gated": lambda: DoubleSeqBnConfig(use_gating=True, **R),
    "par_bn_gated": lambda: ParBnConfig(use_gating=True, scaling="learned",
                                        **R),
    "mam": lambda: MAMConfig(PrefixTuningConfig(
        prefix_length=3, bottleneck_size=8), ParBnConfig(**R)),
    "unipelt": lambda: UniPELTConfig(
        PrefixTuningConfig(prefix_length=3, bottleneck_size=8),
        SeqBnConfig(**R), LoRAConfig(r=2, alpha=2)),
    "union": lambda: ConfigUnion(
        CompacterPlusPlusConfig(phm_dim=2, **R),
        BnConfig(mh_adapter=True, output_adapter=False,
                 non_linearity="relu", **R),
        IA3Config(intermediate_lora=True)),
    "scaled_par_bn": lambda: ParBnConfig(
        scaling="learned", mh_adapter=True, non_linearity="gelu", **R),
}

# by the names that peft-train has for them
SMALL = [{"architecture": "prefix_tuning", "prefix_length": 3,
          "bottleneck_size": 8},
         {"is_parallel": True, "reduction_factor": 4, "scaling": 4}]
LOAD = {
    "seq-bn": F, "double-seq-bn": F + ["--set", "leave_out=[0]"],
    "par-bn": F + ["--set", "scaling=4"], "scaled-par-bn": F,
    "bottleneck": F + ["--set", "ln_after=true", "--set", "ln_before=true"],
    "compacter": F, "compacter++": F,
    "ah-lora": ["--rank", "2", "--set", "output_lora=true"], "ah-ia3": [],
    "ah-prefix-tuning": ["--set", "prefix_length=3"], "mam": [],
    "unipelt": [], "ah-union": ["--set", "configs=" + json.dumps(SMALL)],
}


def base(path):
    m = LlamaForCausalLM.from_pretrained(
        path, dtype=torch.float32, attn_implementation="eager").eval()
    m.config.use_cache = False
    adapters.init(m)
    return m


def perturb(m):
    torch.manual_seed(2)
    with torch.no_grad():
        for n, q in sorted(m.named_parameters()):
            if q.requires_grad:
                q.add_(0.1 * torch.randn_like(q))


def save(m, d):
    """As the library does, which cannot write safetensors where one tensor
    has several names (ln_before, prefixes): then one of them."""
    try:
        m.save_adapter(d, "demo", use_safetensors=True)
    except RuntimeError:
        m.save_adapter(d, "demo")
        f = os.path.join(d, "pytorch_adapter.bin")
        w = torch.load(f, weights_only=True)
        save_file({k: v for k, v in w.items() if
                   "adapter_norm_before" not in k and ".pool." not in k},
                  os.path.join(d, "adapter.safetensors"))
        os.remove(f)
        f = os.path.join(d, "pytorch_model_head.bin")
        if os.path.exists(f):
            save_file(torch.load(f, weights_only=True),
                      os.path.join(d, "model_head.safetensors"))
            os.remove(f)


def golden(path, out, name):
    d = os.path.join(out, name)
    torch.manual_seed(1)
    ids = torch.randint(3, 40, (2, 9))
    labels = ids.clone()
    labels[:, :2] = -100
    m = base(path)
    m.add_adapter("demo", config=CONFIGS[name]())
    m.train_adapter("demo")
    m.set_active_adapters("demo")
    m.eval()
    perturb(m)
    save(m, d)
    for f in ("head_config.json", "model_head.safetensors"):
        if os.path.exists(os.path.join(d, f)):
            os.remove(os.path.join(d, f))
    g = {"input_ids": ids, "labels": labels}
    o = m(input_ids=ids, labels=labels)
    o.loss.backward()
    g["logits"], g["loss"] = o.logits.detach(), o.loss.detach().reshape(1)
    seen = set()
    for n, q in m.named_parameters():
        if q.requires_grad and q.grad is not None and id(q) not in seen:
            n = re.sub(r"layers\.\d+\.self_attn\.prefix_tuning\.pool",
                       "prefix_tuning", n)
            g["grad." + n.replace("adapter_norm_before",
                                  "adapter_down.0")] = q.grad
            seen.add(id(q))
    try:
        was = {n: q.clone() for n, q in m.named_parameters()}
        m.merge_adapter("demo")
        for n, q in m.named_parameters():
            if "layers.0." in n and not torch.equal(was[n], q):
                g["merged." + n] = q.detach()
    except ValueError as e:
        print(name, "has no merge:", e)
    save_file({k: v.detach().clone().contiguous() for k, v in g.items()},
              os.path.join(d, "golden.safetensors"))
    print(name, "loss %.6f" % g["loss"].item(), len(g), "tensors",
          sum(k.startswith("merged.") for k in g), "merged")


def records(path):
    random.seed(1)
    rows = [[random.randrange(3, 40) for _ in range(14)] for _ in range(8)]
    with open(path, "w", encoding="utf-8") as f:
        for ids in rows:
            f.write(json.dumps({"input_ids": ids,
                                "labels": [-100] + ids[1:]}) + "\n")
    return torch.tensor(rows)


def run(*args):
    subprocess.run(args, check=True, stdout=subprocess.DEVNULL)


def load(path, d, name):
    """True if the library computes what we compute with what we wrote."""
    out, tokens = os.path.join(d, "our-" + name), os.path.join(d, "tokens")
    rows = records(tokens)
    run("peft-train", "-q", "-m", path, "--method", name, *LOAD[name],
        "--lr", "1e-1", "--steps", "10", "--batch", "4", "-f", "-o",
        out + "/", tokens)
    return agrees(path, out, out, tokens, rows, name)


CONVERT = {
    "lora": ["--rank", "3", "--alpha", "5", "--target", "q_proj,v_proj"],
    "lora of layers": ["--rank", "2", "--set", "layers_to_transform=[1]",
                       "--target", "q_proj,up_proj,down_proj"],
    "rslora": ["--rank", "4", "--set", "use_rslora=true", "--target",
               "k_proj,v_proj,down_proj"],
    "ia3": [],
    "ia3 of outputs": ["--target", "q_proj,v_proj,up_proj", "--set",
                       "feedforward_modules=[]"],
    "prefix-tuning": ["--set", "num_virtual_tokens=3"],
    "prefix-tuning by two layers": [
        "--set", "num_virtual_tokens=5", "--set", "prefix_projection=true"],
}


def convert(path, d, name):
    """The same of PEFT's methods, whose logits are those of before."""
    peft, tokens = os.path.join(d, "peft"), os.path.join(d, "tokens")
    rows, out = records(tokens), os.path.join(d, "converted")
    run("peft-train", "-q", "-m", path, "--method", name.split()[0].replace(
        "rslora", "lora"), *CONVERT[name], "--lr", "1e-1", "--steps", "10",
        "--batch", "4", "-f", "-o", peft + "/", tokens)
    run("peft-merge", "-q", "-f", "-m", path, "-a", peft, "--layout",
        "adapters", "-o", out + "/")
    return agrees(path, peft, out, tokens, rows, name + " of PEFT's")


def agrees(path, ours, out, tokens, rows, name):
    """Our logits with one, the library's with the other."""
    m = base(path)
    info = {}
    m.load_adapter(out, use_safetensors=True, set_active=True,
                   loading_info=info)
    m.set_active_adapters("default")
    with open(tokens, "rb") as f:
        raw = subprocess.run(["logits-tool", path, ours], stdin=f, check=True,
                             capture_output=True).stdout
    ours = np.frombuffer(raw, np.float32).reshape(len(rows), -1, 40)
    bare = subprocess.run(["logits-tool", path], input=open(
        tokens, "rb").read(), check=True, capture_output=True).stdout
    bare = np.frombuffer(bare, np.float32).reshape(ours.shape)
    with torch.no_grad():
        theirs = m(input_ids=rows).logits.numpy()
    # a norm before, and what all layers share, have several names there and
    # one in safetensors
    info = {k: [n for n in v if "adapter_norm_before" not in n and
                ".prefix_tuning.pool." not in n] for k, v in info.items()}
    top = np.abs(theirs).max()
    off, far = np.abs(ours - theirs).max() / top, \
        np.abs(ours - bare).max() / top
    good = off < 1e-4 < far and not any(info.values())
    print("%sok - %s: the library computes the same logits (%.1e; the base "
          "is off by %.1e) %s" % ("" if good else "not ", name, off, far,
                                  info if any(info.values()) else ""),
          flush=True)
    return good


STACKS = [("seq_bn", "seq_bn_map"), ("seq_bn", "double_seq_bn_double"),
          ("double_seq_bn", "seq_bn"), ("seq_bn", "lora")]
STACK_IDS = [5, 17, 33, 8, 21, 39, 3, 12]


def stack(path, out, golden_dir):
    from adapters.composition import Stack
    for pair in STACKS:
        m = base(path)
        for name in pair:
            m.load_adapter(os.path.join(golden_dir, name), load_as=name,
                           use_safetensors=True)
        m.active_adapters = Stack(*pair)
        with torch.no_grad():
            logits = m(input_ids=torch.tensor([STACK_IDS])).logits
        logits.numpy().astype("<f4").tofile(
            os.path.join(out, "+".join(pair) + ".logits"))


FUSIONS = {
    "dynamic": ("dynamic", ["seq_bn", "seq_bn_map", "compacter_own"], {}),
    "static": ("static", ["seq_bn", "seq_bn_post"], {}),
    "before": ("dynamic", ["seq_bn_map", "seq_bn"],
               {"residual_before": True, "query_before_ln": True,
                "value_before_softmax": False}),
}


def fuse(path, out, golden_dir):
    from adapters import AdapterFusionConfig
    from adapters.composition import Fuse
    for name, (kind, members, more) in FUSIONS.items():
        m = base(path)
        for a in members:
            m.load_adapter(os.path.join(golden_dir, a), load_as=a,
                           use_safetensors=True)
        setup = Fuse(*members)
        torch.manual_seed(5)
        m.add_adapter_fusion(setup, AdapterFusionConfig.load(kind, **more))
        torch.manual_seed(4)
        with torch.no_grad():
            for n, q in sorted(m.named_parameters()):
                if "adapter_fusion_layer" in n:
                    q.add_(0.3 * torch.randn_like(q))
        m.active_adapters = setup
        m.eval()
        d = os.path.join(out, name)
        m.save_adapter_fusion(d, setup, use_safetensors=True)
        with torch.no_grad():
            logits = m(input_ids=torch.tensor([STACK_IDS])).logits
        logits.numpy().astype("<f4").tofile(os.path.join(d, "logits"))
        with open(os.path.join(d, "members"), "w") as f:
            f.write(" ".join(members) + "\n")
        curve(m, setup, os.path.join(d, "curve"))


def curve(m, setup, path):
    """Losses of the first steps of plain SGD, with the term that the
    library's trainer adds."""
    m.train_adapter_fusion(setup)
    m.set_active_adapters(setup)
    m.eval()
    ids = torch.tensor([STACK_IDS])
    opt = torch.optim.SGD([p for p in m.parameters() if p.requires_grad], 0.2)
    with open(path, "w") as f:
        for _ in range(6):
            opt.zero_grad()
            loss = m(input_ids=ids, labels=ids).loss
            more = m.base_model.get_fusion_regularization_loss()
            loss = loss if more is None else loss + more
            f.write("%.9g\n" % loss.item())
            loss.backward()
            opt.step()


HEADS = {
    "seq_bn_single": ("SEQ_CLS", 5, lambda: SeqBnConfig(**R)),
    "union_single": ("SEQ_CLS", 3, lambda: ConfigUnion(
        LoRAConfig(r=2, alpha=3),
        BnConfig(mh_adapter=True, output_adapter=True, is_parallel=True,
                 non_linearity="relu", **R))),
    "double_seq_bn_tokens": ("TOKEN_CLS", 4, lambda: DoubleSeqBnConfig(**R)),
}


def headed(path, task, n):
    from transformers import (AutoModelForSequenceClassification,
                              AutoModelForTokenClassification)
    auto = {"SEQ_CLS": AutoModelForSequenceClassification,
            "TOKEN_CLS": AutoModelForTokenClassification}[task]
    m = auto.from_pretrained(path, num_labels=n, dtype=torch.float32,
                             attn_implementation="eager").eval()
    m.config.use_cache = False
    adapters.init(m)
    return m


def heads(path, out):
    """One sequence after the other: there is no padding here."""
    for k, (name, (task, n, config)) in enumerate(HEADS.items()):
        torch.manual_seed(60 + k)
        m = headed(path, task, n)
        m.add_adapter("demo", config=config())
        m.train_adapter("demo")
        m.set_active_adapters("demo")
        m.eval()
        perturb(m)
        d = os.path.join(out, name)
        save(m, d)
        g, total, count = {}, 0, 0
        for i, length in enumerate((7, 4, 9, 6)):
            ids = torch.randint(3, 32, (length,))
            labels = torch.randint(0, n, (length if task == "TOKEN_CLS"
                                          else 1,))
            if task == "TOKEN_CLS":
                labels[::3] = -100
            used = int((labels >= 0).sum())
            o = m(input_ids=ids[None], labels=labels[None] if
                  task == "TOKEN_CLS" else labels)
            total, count = total + used * o.loss, count + used
            g["ids.%d" % i] = ids.to(torch.int32)
            g["labels.%d" % i] = labels.float()
            g["logits.%d" % i] = o.logits[0].detach()
        loss = total / count
        loss.backward()
        g["loss"] = loss.detach().reshape(1)
        for p, q in m.named_parameters():
            if q.requires_grad and q.grad is not None:
                g["grad." + p] = q.grad
        save_file({p: v.clone().contiguous() for p, v in g.items()},
                  os.path.join(d, "golden.safetensors"))
        print(name, "loss %.6f" % g["loss"].item(), len(g), "tensors")


def load_heads(path, d):
    good = True
    for method, each in (("seq-bn", False), ("unipelt", False),
                         ("double-seq-bn", True)):
        random.seed(2)
        tokens, out = os.path.join(d, "t"), os.path.join(d, "h-" + method)
        rows = [[random.randrange(3, 32) for _ in range(9)] for _ in range(8)]
        with open(tokens, "w", encoding="utf-8") as f:
            for i, ids in enumerate(rows):
                c = {"classes": [t % 3 for t in ids]} if each else \
                    {"class": "abc"[i % 3]}
                f.write(json.dumps({"input_ids": ids, **c}) + "\n")
        run("peft-train", "-q", "-m", path, "--method", method, "--lr",
            "1e-1", "--steps", "6", "--batch", "4", "-f", "-o", out + "/",
            tokens)
        m = headed(path, "TOKEN_CLS" if each else "SEQ_CLS", 3)
        m.load_adapter(out, use_safetensors=True, set_active=True)
        m.eval()
        told = json.loads(subprocess.run(
            ["peft-eval", "-q", "-m", path, "-a", out, "--no-base",
             "--summary", tokens], check=True, capture_output=True).stdout)
        total = 0
        for i, ids in enumerate(rows):
            with torch.no_grad():
                z = m(input_ids=torch.tensor([ids])).logits[0]
            want = torch.tensor([t % 3 for t in ids] if each else [i % 3])
            total += float(torch.nn.functional.cross_entropy(
                z.reshape(len(want), -1), want)) / len(rows)
        ours = told["summary"]["loss"]
        names = m.config.id2label
        ok = abs(ours - total) < 1e-4 * total and (each or [
            names[i] for i in range(3)] == ["a", "b", "c"])
        good = good and ok
        print("%sok - %s beside a head: the library's loss is %.6f, ours "
              "%.6f" % ("" if ok else "not ", method, total, ours))
    return good


def load_fusion(path, d):
    """One that is trained here, over members of the library's."""
    from adapters.composition import Fuse
    members, paths = ["seq_bn", "seq_bn_post"], []
    tokens, out = os.path.join(d, "f"), os.path.join(d, "fusion")
    rows = records(tokens)
    for a in members:
        paths.append(os.path.join(os.path.dirname(os.path.dirname(path)),
                                  "adapters", a))
    run("peft-train", "-q", "-m", path, "--method", "ah-fusion", "--frozen",
        paths[0], "--frozen", paths[1], "--lr", "5e-2", "--steps", "10",
        "--batch", "4", "-f", "-o", out + "/", tokens)
    m = base(path)
    for a, p in zip(members, paths):
        m.load_adapter(p, load_as=a, use_safetensors=True)
    m.load_adapter_fusion(out, use_safetensors=True)
    m.active_adapters = Fuse(*members)
    m.eval()
    with open(tokens, "rb") as f:
        raw = subprocess.run(["logits-tool", path, *paths, out], stdin=f,
                             check=True, capture_output=True).stdout
    ours = np.frombuffer(raw, np.float32).reshape(len(rows), -1, 40)
    with torch.no_grad():
        theirs = m(input_ids=rows).logits.numpy()
    off = np.abs(ours - theirs).max() / np.abs(theirs).max()
    print("%sok - a fusion trained here: the library computes the same "
          "logits (%.1e)" % ("" if off < 1e-4 else "not ", off))
    return off < 1e-4


def main():
    what, path, out = sys.argv[1:4]
    warnings.simplefilter("ignore")
    os.makedirs(out, exist_ok=True)
    if what == "golden":
        for name in sys.argv[4:] or CONFIGS:
            golden(path, out, name)
        return
    if what == "stack":
        stack(path, out, sys.argv[4])
        return
    if what == "fuse":
        fuse(path, out, sys.argv[4])
        return
    if what == "heads":
        heads(path, out)
        return
    if what == "convert":
        sys.exit(not all([convert(path, out, name) for name in CONVERT]))
    if what == "load-heads":
        sys.exit(not (load_heads(path, out) and load_fusion(path, out)))
    names = sys.argv[4:] or LOAD
    good = [load(path, out, name) for name in names]
    good += [convert(path, out, name) for name in CONVERT]
    good += [load_heads(path, out), load_fusion(path, out)]
    print("1..%d" % len(good))
    sys.exit(not all(good))


if __name__ == "__main__":
    main()
