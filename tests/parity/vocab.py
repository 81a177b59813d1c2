#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Are these the ids that llama.cpp makes of texts?

usage: vocab.py NAME.gguf TEXTS.jsonl  (needs llama-cpp-python)

Left out is what llama.cpp does otherwise than the tokenizers that it stands for, which are right: the expressions that
their models were trained with, run by tokenizers (kimi-k2: and by the regex module), give the ids expected here.
- Where large letters are told from small ones it tells only the letters of ASCII (its issue 21675): "CaféBar" and
  marks.
- Where numbers are cut before the rest it looks at what stands beside them, which a later expression must not see:
  blanks before a number, letters behind it.
- Hangul in uncased BERT, and NUL.
"""
import json, os, re, sys, unicodedata
import llama_cpp

name = os.path.basename(sys.argv[1])[:-5]
CASED = ("gpt-4o", "tekken", "kimi-k2", "youtu", "tiny_aya")


def left_out(text):
    if name in CASED and any(unicodedata.category(c)[0] == "M" or (ord(c) > 127 and c.islower() and d.isupper())
                             for c, d in zip(text, text[1:] + " ")):
        return True
    if name == "tiny_aya" and re.search(r"\d\w", re.sub(r"\d+", "1", text)):
        return True
    if name == "afmoe" and re.search(r"\s\s\d", text):
        return True
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
