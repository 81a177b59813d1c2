#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Configurations at random, over tiny models of several families: what PEFT
computes with an adapter, and what we do with the files it saves.

usage: hunt.py DIR FIRST[,NUMBER...] [COUNT] [METHOD[,METHOD...]]
    [FAMILY[,FAMILY...]]

A number is a configuration; FIRST .. FIRST+COUNT-1 are tried, or those that
are listed.  Some are over a quantised base, and PEFT's then over what is in
it.  peft-unit (logits, loss, gradients, out and in again), peft-merge,
peft-train (three steps as PEFT takes them, of records of different length;
and to the same bytes after an interruption), peft-quantize and logits-tool
are on PATH.  Prints a line of JSON for each that is not the same, and the
sums at the end.  DIR/NUMBER/ is kept of those.
"""
import collections
import copy
import json
import os
import random
import re
import shutil
import subprocess
import sys
import warnings

import numpy as np
import peft
import torch
import transformers
from safetensors.torch import load_file, save_file

transformers.utils.logging.disable_progress_bar()
import families
from hunt_configs import MAKERS, facts

BASES = {k: families.FAMILIES[k] for k in (
    "qwen2", "gemma2", "gpt2", "phi", "bloom", "opt", "gpt_neox", "gptj",
    "falcon_7b", "falcon_40b", "mixtral", "qwen3_moe", "qwen3", "phi3",
    "stablelm", "starcoder2", "cohere", "olmo2", "gemma3", "granite", "mpt",
    "glm4", "deepseek_v2")}
BASES["llama"] = ("llama", dict(families.GQA))
BASES["llama_tied"] = ("llama", dict(families.GQA, head_dim=12,
                                     tie_word_embeddings=True,
                                     attention_bias=True, mlp_bias=True))
MOE = "mixtral", "qwen3_moe", "deepseek_v2"
CENTRED = ("gpt2", "phi", "bloom", "opt", "gpt_neox", "gptj", "falcon_7b",
           "falcon_40b", "stablelm", "starcoder2", "cohere", "mpt")
FROZEN = "ranknum", "w_norm", "prototype"
# how the base is stored, besides f32, and the end of its name
STORES = {"nf4": "/", "fp4": "/", "int8": "/", "q8_0": ".gguf",
          "q5_1": ".gguf"}
kept, resumed = {}, [0]


def base_of(d, name, store=None):
    """The model, and the folder or file it is in."""
    if (name, store) not in kept:
        kind, kw = BASES[name]
        m, path = families.fresh(kind, kw, 0), os.path.join(d, "base", name)
        if not os.path.isdir(path):
            m.save_pretrained(path + ".new")
            os.rename(path + ".new", path)
        if store:
            m, path = stored_as(path, store) or (m, path)
        kept[name, store] = m, path, facts(m)
    m, path, f = kept[name, store]
    return copy.deepcopy(m), path, f


def stored_as(path, store):
    """The model as what is left of it in that type, if it can be."""
    to = path + "-" + store + STORES[store].rstrip("/")
    plain = to + "-f32"
    for kind, out, what in (store, to + STORES[store].strip(".guf"), path), (
            "f32", plain + "/", to):
        if subprocess.run(["peft-quantize", "-q", "-f", "-t", kind, "-o", out,
                           what], check=False).returncode != 0:
            return None
    # GGUF has special tokens beside a tokenizer, and here is none; those that
    # transformers takes then are not in so small a vocabulary
    with open(os.path.join(path, "config.json"), encoding="utf-8") as f:
        marks = {k: v for k, v in json.load(f).items()
                 if k in ("bos_token_id", "eos_token_id", "pad_token_id")}
    m = transformers.AutoModelForCausalLM.from_pretrained(
        plain, dtype=torch.float32, attn_implementation="eager",
        **marks).eval()
    m.config.use_cache = False
    return m, to


def shake(p, much):
    with torch.no_grad():
        for n, q in p.named_parameters():
            if q.requires_grad and q.is_floating_point() and \
                    not any(f in n for f in FROZEN):
                q.add_(much * torch.randn_like(q))


def prune(p, ids):
    """AdaLoRA after steps: ranks have gone from it."""
    todo = [q for q in p.parameters() if q.requires_grad]
    opt = torch.optim.AdamW(todo, lr=1e-2)
    for i in range(p.peft_config["default"].total_step):
        p(input_ids=ids, labels=ids).loss.backward()
        opt.step()
        p.base_model.update_and_allocate(i)
        opt.zero_grad()


def apart(method, family, kw, tied):
    """Why the two are not compared, or None."""
    names = [str(kw.get(k)) for k in ("target_modules",
                                      "trainable_token_indices")]
    if method == "alora" and family == "mpt":
        return "PEFT's forward of mpt looks for no invocation"
    if method in ("trainable_tokens", "lora_tokens") and \
            family in ("gptj", "phi") and any("lm_head" in n for n in names):
        return "refused here: PEFT leaves out the head's bias"
    if method == "adaption" and family == "gpt2":
        return "not done here: fused projections"
    if method == "lora_tokens" and "lm_head" in names[1]:
        return "a tied head's rows are the embedding's here"
    if kw.get("init_lora_weights") in ("pissa", "olora") and any(
            "lm_head" in n for n in names) and tied:
        return "PEFT takes the part from the embedding, too"
    if method == "miss" and kw.get("init_weights") == "mini" and \
            kw["mini_r"] == 1 and (any("lm_head" in n for n in names) or
                                   family in CENTRED):
        return "the same is added to all that a softmax or a norm takes " \
            "the mean of: its gradient is rounding alone"
    names.append(str(kw.get("modules_to_save")))
    if tied and kw.get("ensure_weight_tying") and family in (
            "gpt2", "bloom", "falcon_7b", "mpt") and any(
            "lm_head" in n for n in names):
        return "the config that PEFT saves does not name the head any more"
    if tied and kw.get("ensure_weight_tying") and (kw.get("use_dora") or (
            kw.get("alpha_pattern") or kw.get("rank_pattern"))):
        return "refused here: what tells two apart that are one"
    return None


def one_of_two(g, head):
    """Gradients of what PEFT has in one place of memory twice."""
    name = "grad.base_model.model.%s.lora_%%s.weight" % head
    for a in [k for k in g if "lora_embedding_A" in k]:
        b = a[:-1] + "B"
        if name % "A" in g:
            g[a] = g[a] + g.pop(name % "B").T
            g[b] = g[b] + g.pop(name % "A").T
            return True
    return False


def make(d, number, methods, names):
    """The configuration of that number, PEFT's model of it and numbers."""
    rng = random.Random(number)
    method = rng.choice(methods)
    family = rng.choice(names)
    store = random.Random("store %d" % number).choice(
        [None] * len(STORES) + list(STORES))
    base, path, f = base_of(d, family, store)
    kw = MAKERS[method](rng, f)
    said = dict(number=number, method=method, family=family, store=store)
    more = kw.pop("_tasks", None)
    pruned = kw.pop("_prune", False)
    much = kw.pop("_shake", 0.1)
    kind = kw.pop("_class")
    said["config"] = {k: repr(v) for k, v in kw.items() if k != "task_type"}
    why = apart(method, family, kw, base.config.tie_word_embeddings)
    if why is not None:
        return dict(said, apart=why), path, None, None, None
    here = os.path.join(d, str(number))
    os.makedirs(here, exist_ok=True)
    torch.manual_seed(number)
    ids, labels = families.batch(number)
    if "alora_invocation_tokens" in kw and rng.random() < 0.8:
        n, at = len(kw["alora_invocation_tokens"]), rng.randrange(9)
        kw["alora_invocation_tokens"] = ids[0, at:at + n].tolist()
    try:
        p = peft.get_peft_model(base, kind(**kw)).eval()
        shake(p, much)
        if pruned:
            prune(p, ids)
            p.save_pretrained(here)
            p = peft.PeftModel.from_pretrained(
                base_of(d, family, store)[0], here, is_trainable=True).eval()
        p.save_pretrained(here)
    except Exception as e:
        said["peft"] = "%s: %s" % (type(e).__name__, str(e)[:300])
        return said, path, here, None, None
    g = {"input_ids": ids, "labels": labels}
    args = {}
    if more:
        g["task_ids"] = args["task_ids"] = torch.tensor(
            [rng.randrange(more) for _ in range(len(ids))])
    if method != "cpt" or max(kw["cpt_tokens_type_mask"]) % 4 == 0:
        args["labels"] = labels
    try:
        o = p(input_ids=ids, attention_mask=torch.ones_like(ids), **args)
    except Exception as e:
        said["peft"] = "forward: %s: %s" % (type(e).__name__, str(e)[:300])
        return said, path, here, None, None
    g["logits"] = o.logits.detach()
    if "labels" in args:
        try:
            o.loss.backward()
        except Exception as e:
            said["peft"] = "backward: %s: %s" % (type(e).__name__, str(e)[:300])
            return said, path, here, None, None
        g["loss"] = o.loss.detach().reshape(1)
    for n, q in p.named_parameters():
        if q.requires_grad and q.grad is not None:
            g["grad." + n.replace(".default", "")] = q.grad
    logits = o.logits.detach()
    merged = None
    twice = kw.get("ensure_weight_tying") and \
        base.config.tie_word_embeddings and one_of_two(g, f.head)
    try:
        if twice:
            raise ValueError("the change of both would be added twice")
        if method == "xlora":
            raise ValueError("its experts would act")
        merged = dict(p.merge_and_unload().state_dict())
    except Exception as e:
        said["nomerge"] = "%s: %s" % (type(e).__name__, str(e)[:100])
    clean = {k: v.detach().clone().contiguous() for k, v in g.items()}
    save_file(clean, os.path.join(here, "golden.safetensors"))
    return said, path, here, logits, merged


def run(args, **kw):
    try:
        r = subprocess.run(args, capture_output=True, text=True, timeout=120,
                           **kw)
    except subprocess.TimeoutExpired:
        return -99, "", "timeout"
    return r.returncode, r.stdout, r.stderr


def settled(here):
    """The same without dropout, which PEFT's numbers are without."""
    to = os.path.join(here, "settled")
    os.makedirs(to, exist_ok=True)
    with open(os.path.join(here, "adapter_config.json"), "rb") as f:
        c = json.load(f)
    c.update({k: 0.0 for k, v in c.items() if "dropout" in k and
              isinstance(v, float)})
    with open(os.path.join(to, "adapter_config.json"), "w",
              encoding="utf-8") as f:
        json.dump(c, f)
    shutil.copy(os.path.join(here, "adapter_model.safetensors"), to)
    return to


def check_unit(path, here, alora, moe, bad):
    rc, out, err = run(["peft-unit", path, settled(here),
                        os.path.join(here, "golden.safetensors")])
    # the second part of a sequence may invoke what the first had already
    lines = [x for x in out.splitlines() if x.startswith("not ok") and
             "gains 0, the gradients say 0" not in x and
             not ("through a cache" in x and alora)]
    if moe or re.search("^ok .*gradients: off by", out, re.M):
        # of PEFT's, too, a difference is not always fine enough; and a step
        # may send a token to other experts
        lines = [x for x in lines if "along a direction" not in x]
    if lines or "Bail out" in out + err or rc not in (0, 1):
        bad.append(["unit", rc, lines, (err or out)[-300:]])
    return "peft-unit:" not in err


def stored(path):
    w = {}
    for f in os.listdir(path):
        if f.endswith(".safetensors"):
            w.update(load_file(os.path.join(path, f)))
    return w


def logits_of(model, adapter, ids, tasks=None):
    """Ours, of whole sequences; or what is said instead."""
    lines = "".join(json.dumps({"input_ids": row, "labels": [-100] + row[1:],
                                "task_id": tasks[i] if tasks else 0}) + "\n"
                    for i, row in enumerate(ids.tolist()))
    r = subprocess.run(["logits-tool", model, *adapter], input=lines.encode(),
                       capture_output=True, check=False)
    if r.returncode != 0:
        return r.stderr.decode()[-300:]
    return np.frombuffer(r.stdout, np.float32)


def check_untied(to, ids, want, bad):
    """PEFT's embedding changes with a head that was tied: what counts is
    what the merged model says."""
    got = logits_of(to, [], ids)
    if isinstance(got, str):
        bad.append(["merged, untied", got])
        return
    want = want.numpy().reshape(-1)
    off = np.abs(got - want).max() / np.abs(want).max()
    if not off < 1e-4:
        bad.append(["merged, untied", float(off)])


def check_merge(path, here, theirs, g, quirk, bad):
    """quirk: PEFT's LN tuning forgets modules_to_save when it is merged."""
    to = os.path.join(here, "merged")
    rc, _, err = run(["peft-merge", "-q", "-f", "-t", "f32", "-m", path, "-a",
                      here, "-o", to + "/"])
    if rc != 0:
        bad.append(["merge", rc, err[-300:]])
        return
    was = path + "-f32" if os.path.isdir(path + "-f32") else path
    ours, was = ({k.replace("embed_out.", "lm_head.").replace(
        "block_sparse_moe.", "mlp."): v for k, v in stored(p).items()}
        for p in (to, was))
    worst = 0, None
    tied = [k for k in ours if "lm_head.weight" in ours and k not in was or
            any(e in k for e in ("embed_tokens", "wte", "word_embeddings"))]
    if "lm_head.weight" in ours and "lm_head.weight" not in was:
        check_untied(to, g["input_ids"], g["logits"], bad)
    else:
        tied = []
    for k, v in theirs.items():
        if k not in ours:
            continue
        if k in tied:
            del ours[k]
            continue
        a, b = ours.pop(k).float(), v.float()
        if a.shape != b.shape:
            bad.append(["merged shape", k, list(a.shape), list(b.shape)])
            continue
        off = ((a - b).abs().max() / b.abs().max().clamp_min(1e-9)).item()
        worst = max(worst, (off, k), key=lambda x: x[0])
    changed = [k for k, v in ours.items()
               if k in was and ".experts." not in k and
               not torch.equal(was[k].float(), v.float())]
    if worst[0] > 1e-5:
        bad.append(["merged", worst])
    if changed and not quirk:
        bad.append(["merged, not in PEFT's", changed[:4]])
    shutil.rmtree(to)


def write_tokens(here, rows, tasks):
    to = os.path.join(here, "tok")
    with open(to, "w", encoding="utf-8") as f:
        for i, row in enumerate(rows):
            f.write(json.dumps({"input_ids": row, "labels": [-100] + row[1:],
                                "task_id": tasks[i] if tasks else 0}) + "\n")
    return to


def uneven(ids, number):
    """Of different lengths, at random."""
    rng = random.Random("uneven %d" % number)
    rows = ids.tolist()
    cut = rng.randrange(len(rows))
    rows[cut] = rows[cut][:rng.randint(2, len(rows[cut]) - 1)]
    return rows


def padded(rows):
    n = max(map(len, rows))
    x = torch.tensor([r + [0] * (n - len(r)) for r in rows])
    mask = torch.tensor([[1] * len(r) + [0] * (n - len(r)) for r in rows])
    return x, mask


def peft_steps(p, rows, tasks, n):
    """Losses of PEFT's, and the model behind them."""
    x, mask = padded(rows)
    labels = x.masked_fill(mask == 0, -100)
    labels[:, 0] = -100
    more = {"task_ids": torch.tensor(tasks)} if tasks else {}
    todo = [q for q in p.parameters() if q.requires_grad]
    opt = torch.optim.AdamW(todo, lr=1e-2, weight_decay=0)
    losses = []
    for i in range(n):
        opt.zero_grad()
        loss = p(input_ids=x, attention_mask=mask, labels=labels, **more).loss
        loss.backward()
        losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(todo, 1.0)
        opt.step()
        if hasattr(p.base_model, "update_and_allocate"):
            p.base_model.update_and_allocate(i + 1)
    return losses


def check_train(d, said, path, here, ids, tasks, bad):
    """Three steps; what comes of them, PEFT loads."""
    start, to = settled(here), os.path.join(here, "trained")
    log = os.path.join(here, "log")
    base = lambda: base_of(d, said["family"], said["store"])[0]
    rows = uneven(ids, said["number"])
    args = ["peft-train", "-q", "-m", path, "--init", start, "--lr", "1e-2",
            "--steps", "3", "--batch", "2", "--no-shuffle", "--schedule",
            "constant", "--warmup", "0", "--log", log, "-f", "-o", to + "/",
            write_tokens(here, rows, tasks)]
    rc, _, err = run(args)
    if rc != 0:
        bad.append(["train", rc, err[-300:]])
        return
    more = {"task_ids": torch.tensor(tasks)} if tasks else {}
    try:
        p = peft.PeftModel.from_pretrained(base(), to).eval()
        with torch.no_grad():
            want = p(input_ids=ids, attention_mask=torch.ones_like(ids),
                     **more).logits[:, -ids.shape[1]:].numpy()
    except Exception as e:
        bad.append(["PEFT does not load ours", "%s: %s" %
                    (type(e).__name__, str(e)[:400])])
        return
    got = logits_of(path, [to], ids, tasks)
    if isinstance(got, str):
        bad.append(["ours does not load ours", got])
        return
    got = got.reshape(want.shape)
    off = np.abs(got - want).max() / np.abs(want).max()
    if not off < 1e-4:
        bad.append(["after training", float(off)])
    check_steps(base, said, start, log, rows, tasks, bad)
    if said["number"] % 3 == 0:
        check_resume(args, here, to, bad)
    shutil.rmtree(to)


def trainable(m, start):
    """PEFT refuses to go on with prompts, for no reason."""
    with open(os.path.join(start, "adapter_config.json"),
              encoding="utf-8") as f:
        prompt = "num_virtual_tokens" in json.load(f)
    p = peft.PeftModel.from_pretrained(m, start,
                                       is_trainable=not prompt).eval()
    if prompt:
        for n, q in p.named_parameters():
            if n.startswith("prompt_encoder.") and "transformer" not in n:
                q.requires_grad_(True)
    return p


def check_steps(base, said, start, log, rows, tasks, bad):
    """The three losses are PEFT's."""
    if said["method"] in ("cpt", "poly") or "rank_pattern" in json.load(
            open(os.path.join(start, "adapter_config.json"))) and \
            said["method"] == "adalora":
        return          # more than a file says, or what is drawn
    try:
        p = trainable(base(), start)
        want = peft_steps(p, rows, tasks, 3)
    except Exception as e:
        said["nosteps"] = "%s: %s" % (type(e).__name__, str(e)[:200])
        return
    with open(log, encoding="utf-8") as f:
        got = [j["loss"] for j in map(json.loads, f) if "loss" in j]
    off = [abs(a - b) / abs(b) for a, b in zip(got, want)]
    if len(got) != 3 or not max(off) < 1e-3 or not off[0] < 1e-5:
        bad.append(["steps", got, want])


def check_resume(args, here, to, bad):
    """Stopped and gone on with: the same bytes."""
    args, ck = list(args), os.path.join(here, "ckpt")
    part = os.path.join(here, "part")
    args[args.index("3")] = "150"
    whole = run(args)
    args[args.index(to + "/")] = part + "/"
    args[1:1] = ["--save-every", "1", "--checkpoint", ck]
    p = subprocess.Popen(args, stderr=subprocess.DEVNULL)
    while p.poll() is None and not os.path.exists(ck):
        pass
    p.terminate()
    p.wait()
    if os.path.exists(ck) and not os.path.isdir(part):
        rc, _, err = run(["peft-train", "--resume"] + args[1:])
        a, b = (os.path.join(x, "adapter_model.safetensors")
                for x in (to, part))
        if rc != whole[0] or rc == 0 and \
                open(a, "rb").read() != open(b, "rb").read():
            bad.append(["resume", rc, err[-300:]])
        resumed[0] += 1
    shutil.rmtree(part, ignore_errors=True)


def attempt(d, number, methods, names):
    said, path, here, logits, merged = make(d, number, methods, names)
    bad = []
    if logits is None:
        if here is not None:
            shutil.rmtree(here)
        return said, None
    g = load_file(os.path.join(here, "golden.safetensors"))
    ids = g["input_ids"]
    tasks = g["task_ids"].tolist() if "task_ids" in g else None
    if check_unit(path, here, said["method"] == "alora",
                  said["family"] in MOE, bad):
        if merged is not None:
            check_merge(path, here, merged, g, said["method"] ==
                        "ln_tuning" and "modules_to_save" in said["config"],
                        bad)
        if said["method"] != "xlora" and "loss" in g and \
                said["config"].get("save_only_topk_weights") != "True":
            check_train(d, said, path, here, ids, tasks, bad)
    if not bad:
        shutil.rmtree(here)
    return said, bad


def main():
    d, numbers = sys.argv[1], [int(i) for i in sys.argv[2].split(",")]
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    if len(numbers) == 1:
        numbers = range(numbers[0], numbers[0] + n)
    methods = sys.argv[4].split(",") if len(sys.argv) > 4 and sys.argv[4] \
        else sorted(MAKERS)
    names = sys.argv[5].split(",") if len(sys.argv) > 5 else sorted(BASES)
    sums = collections.Counter()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for number in numbers:
        try:
            said, bad = attempt(d, number, methods, names)
        except Exception as e:
            said, bad = {"number": number}, ["hunt: %s: %s" % (
                type(e).__name__, str(e)[:300])]
        what = "apart" if "apart" in said else "refused by PEFT" \
            if bad is None else "off" if bad else "same"
        sums[what] += 1
        if bad or "peft" in said or "apart" in said or "nosteps" in said:
            print(json.dumps(dict(said, bad=bad)), flush=True)
    sums["resumed"] = resumed[0]
    print("#", json.dumps(sums), flush=True)
    sys.exit(sums["off"] > 0)


if __name__ == "__main__":
    main()
