#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How fast tiktoken and Hugging Face tokenizers make tokens of texts, on one thread, whole and line by line, by processor time.

usage: tok-peers.py TOKENIZER.json TEXT...      of byte-level BPE
"""
import json, os, sys, time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tiktoken
from tokenizers import Tokenizer

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_of():
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [b for b in range(256) if b not in keep]
    return {chr(b): b for b in keep} | {chr(256 + i): b for i, b in enumerate(rest)}


def pattern(j):
    """The pre-tokenizer's own pattern, if it has one."""
    pre = j["pre_tokenizer"]
    for p in pre.get("pretokenizers", [pre]):
        if p["type"] == "Split":
            return p["pattern"]["Regex"]
    return LLAMA3


def best(f, times=3):
    seconds = []
    for _ in range(times):
        start = time.process_time()
        f()
        seconds.append(time.process_time() - start)
    return min(seconds)


start = time.process_time()
hf = Tokenizer.from_file(sys.argv[1])
hf.no_truncation()
print(f"tokenizers: loaded in {time.process_time() - start:.3f} s")
j = json.load(open(sys.argv[1], encoding="utf-8"))
decode = byte_of()
ranks = {bytes(decode[c] for c in t): i for t, i in j["model"]["vocab"].items() if all(c in decode for c in t)}
start = time.process_time()
tk = tiktoken.Encoding(name="it", pat_str=pattern(j), mergeable_ranks=ranks, special_tokens={})
print(f"tiktoken: loaded in {time.process_time() - start:.3f} s")
for name in sys.argv[2:]:
    text = open(name, encoding="utf-8", newline="").read()
    lines, mb = text.splitlines(keepends=True), len(text.encode()) / 1e6
    for what, encode in (("tiktoken", tk.encode_ordinary), ("tokenizers", lambda s: hf.encode(s, add_special_tokens=False).ids)):
        n = len(encode(text))
        whole, by_line = best(lambda: encode(text)), best(lambda: [encode(s) for s in lines])
        print(f"{name}: {what}: {n} tokens, {mb / whole:.1f} MB/s whole, {mb / by_line:.1f} MB/s by lines")
