#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/golden/pairs.jsonl: preferences and what TRL and transformers make of them with the tiny model.

usage: pairs.py MODEL >pairs.jsonl

A line is {"record", "args", "prompt", "chosen", "rejected"}: args are peft-tokenize's, the rest lists of tokens: what both begin
with, and what follows in either, by tokenising prompt and answer together.
"""
import json, sys
from transformers import AutoTokenizer
from trl import maybe_apply_chat_template, maybe_extract_prompt

tok = AutoTokenizer.from_pretrained(sys.argv[1])

def pair(record, example, args=()):
    e = maybe_extract_prompt(example)
    chat = not isinstance(e["chosen"], str)
    e = maybe_apply_chat_template(e, tok)
    ids = {}
    for side in ("chosen", "rejected"):
        text = e["prompt"] + e[side] + ("" if chat or e[side].endswith(tok.eos_token) else tok.eos_token)
        t = tok(text, return_offsets_mapping=True, add_special_tokens=not chat)
        ids[side] = list(zip(t["input_ids"], [b >= len(e["prompt"]) for b, _ in t["offset_mapping"]]))
    n = 0
    while n < min(map(len, ids.values())) and ids["chosen"][n] == ids["rejected"][n] and not ids["chosen"][n][1]:
        n += 1
    print(json.dumps({"record": record, "args": list(args), "prompt": [i for i, _ in ids["chosen"][:n]],
        **{s: {"input_ids": [i for i, _ in x[n:]], "labels": [i if on else -100 for i, on in x[n:]]} for s, x in ids.items()}}, ensure_ascii=False))

U, A, S = (lambda t: {"role": "user", "content": t}), (lambda t: {"role": "assistant", "content": t}), (lambda t: {"role": "system", "content": t})
def same(r, args=()): pair(r, dict(r), args)

same({"prompt": "The sky is", "chosen": " blue.", "rejected": " green."})
same({"chosen": "The sky is blue.", "rejected": "The sky is green."})
same({"chosen": "The bläu", "rejected": "The blöd"})
same({"prompt": [U("What colour is the sky?")], "chosen": [A("Blue.")], "rejected": [A("Green.")]})
same({"prompt": [S("Short."), U("a"), A("b"), U("c")], "chosen": [A("d")], "rejected": [A("e")]})
same({"chosen": [U("a"), A("b"), U("c"), A("d")], "rejected": [U("a"), A("b"), U("c"), A("e")]})
r = {"chosen": [U("What?"), A("This.")], "rejected": [U("What?"), A("That.")]}
pair({"prompt": "What?", **r}, dict(r))
m = {"prompt": [U("a")], "chosen": [A("b")], "rejected": [A("c")]}
pair({"prompt": "a", "chosen": "b", "rejected": "c"}, dict(m), ["--chat"])
pair({"input": {"messages": [U("a")], "tools": []}, "preferred_output": [A("b")], "non_preferred_output": [A("c")]}, dict(m))
pair({"instruction": "a", "input": "", "chosen": "b", "rejected": "c"}, dict(m))
pair({"conversations": [{"from": "human", "value": "a"}], "chosen": {"from": "gpt", "value": "b"}, "rejected": {"from": "gpt", "value": "c"}}, dict(m))
