#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/golden/tiktoken: ranks as tiktoken keeps them, and what tiktoken
makes of texts.

usage: tiny_tiktoken.py OUTDIR [SEED]  (needs tiktoken and tokenizers)

OUTDIR/ranks            bytes, and merges across everything
OUTDIR/KIND.jsonl.zst   texts and their ids, for each way to split texts
"""
import base64
import json
import os
import random
import subprocess
import sys
import unicodedata
import tiktoken
from tokenizers import Tokenizer, models, pre_tokenizers as P, trainers

OUT = sys.argv[1]
SEED = sys.argv[2] if len(sys.argv) > 2 else ""
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
          r"\s+(?!\S)|\s+")
UP, LOW = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
BEFORE = r"[^\r\n\p{L}\p{N}]?"
PATTERNS = {
    "llama3": LLAMA3,
    "qwen": LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}"),
    "r50k_base": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s",
    "o200k_base": BEFORE + UP + "*" + LOW + "+" + SHORT + "|" + BEFORE + UP + "+" + LOW + "*" + SHORT +
                  r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "cl100k_base": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|"
                   r"\s*[\r\n]|\s+(?!\S)|\s",
}
CORPUS = [
    "The quick Brown fox doesn't jump over 12345 lazy dogs; it's 3.14159 o'clock!\n\n",
    "Grüße aus München, naïve CaféBar à la carte.  Œuvre, ÅngströmX, Dvořák…\r\n",
    "def main(argv):\n    for i in range(10):\n\t\tprint(i, argv[i])\n    return 0\n",
    "世界 こんにちは 안녕하세요 Привет мир مرحبا שלום नमस्ते 世界，世界。\n",
    "WE'LL see: they've said I'D better not.  HTTP/1.1 200 OK\r\n\r\n{\"a\": [1, 2]} `a` $5 + <b> ~^|",
    "aaaa aaa aa a abab ababab banana bandana cabana          runs",
] * 3
ALPHABETS = ["abcdefgh ' ", "ABCXYZ", " \t\n\r\u00a0\u3000", "0123456789٣½", "éèàçœßÅ\u0301\u0308ǅʰ", "世界日本語か", "각가힣",
             "'sS't'T're'RE'll'LL'd'm've", "!?.,;:-_()[]{}<>|/\\\"#$%&*+=~^`…", "👋🏽👨‍👩\ufe0f", "\x01\x7f\u200b"]
WORDS = [w for s in CORPUS for w in s.split(" ")] + ["  ", "\n\n", "1234567", "don't", "I'LL", "a/b/\n/", "aaaaaaa"]


def texts(seed, special):
    yield from ["", " ", "a", "  a  b ", "12345 123", "''s"] + CORPUS[:6]
    rng = random.Random(seed)
    for _ in range(80 if not SEED else 3000):
        yield "".join(rng.choice([rng.choice(WORDS), " " + rng.choice(WORDS), rng.choice(rng.choice(ALPHABETS)),
                                  rng.choice(rng.choice(ALPHABETS)), rng.choice(WORDS) + rng.choice(special)])
                      for _ in range(rng.randint(1, 14)))


def special_of(kind, n):
    if kind == "llama3":
        names = ["begin_of_text", "end_of_text", "reserved_special_token_0", "reserved_special_token_1",
                 "finetune_right_pad_id", "reserved_special_token_2", "start_header_id", "end_header_id", "eom_id", "eot_id",
                 "python_tag"] + ["reserved_special_token_%d" % i for i in range(3, 248)]
    elif kind == "qwen":
        names = ["endoftext", "im_start", "im_end"] + ["extra_%d" % i for i in range(205)]
    else:
        return {"<|odd|>": n, "<|end|>": n + 1}      # told in tokenizer_config.json
    return {"<|%s|>" % s: n + i for i, s in enumerate(names)}


path = os.path.join(OUT, "ranks")
if not SEED:
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = P.ByteLevel(add_prefix_space=False, use_regex=False)
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=700, show_progress=False, initial_alphabet=P.ByteLevel.alphabet()))
    j = json.loads(t.to_str())
    visible = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    rest = [b for b in range(256) if b not in visible]
    back = {chr(b): b for b in visible} | {chr(256 + i): b for i, b in enumerate(rest)}
    vocab = sorted(j["model"]["vocab"], key=j["model"]["vocab"].get)
    with open(path, "wb") as f:
        for i, s in enumerate(vocab):
            f.write(base64.b64encode(bytes(back[c] for c in s)) + b" %d\n" % i)
ranks = {}
with open(path, "rb") as f:
    for line in f:
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
for kind, pattern in PATTERNS.items():
    special = special_of(kind, len(ranks))
    e = tiktoken.Encoding(kind, pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
    first = [special["<|begin_of_text|>"]] if kind == "llama3" else []
    lines = []
    for s in texts(kind + SEED, list(special)[:10]):
        ids = e.encode(unicodedata.normalize("NFC", s) if kind == "qwen" else s, allowed_special="all")
        line = {"text": s, "ids": ids, "ids_special": first + ids}
        if kind != "qwen":
            line["decoded"] = e.decode(ids)
        lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    subprocess.run(["zstd", "-q", "-19", "-f", "-o", os.path.join(OUT, kind + ".jsonl.zst")],
                   input="".join(lines).encode(), check=True)
