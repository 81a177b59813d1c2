#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Are these the ids that llama.cpp makes of texts?

usage: vocab.py NAME.gguf TEXTS.jsonl  (needs llama-cpp-python)

Left out is what llama.cpp does otherwise than the tokenizers that it stands for: marks where some tell large
letters from small ones, and Hangul in uncased BERT.
"""
import json, os, sys, unicodedata
import llama_cpp

name = os.path.basename(sys.argv[1])[:-5]


def left_out(text):
    if name in ("gpt-4o", "tekken", "kimi-k2", "youtu", "tiny_aya"):
        return any(unicodedata.category(c)[0] == "M" for c in text)
    return name == "bert" and any("\uac00" <= c <= "\ud7a3" for c in text) or "\0" in text


m = llama_cpp.Llama(sys.argv[1], vocab_only=True, verbose=False)
n = bad = 0
with open(sys.argv[2], encoding="utf-8", newline="\n") as f:
    for line in f:
        d = json.loads(line)
        if left_out(d["text"]):
            continue
        n += 1
        ids = m.tokenize(d["text"].encode(), add_bos=False, special=True)
        if name == "bert":      # which puts [CLS] and [SEP] whether asked or not
            ids = [i for i in ids if i not in (2, 3)]
        if ids != d["ids"]:
            bad += 1
            print(repr(d["text"]), ids, d["ids"])
print(n, "texts,", bad, "differ")
sys.exit(bad > 0 or n < 40)
