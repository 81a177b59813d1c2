#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print tests/golden/tok/unicode.sums: what Hugging Face tokenizers make of
each character, stage by stage, as hashes.

A line has a stage of tokenizer.json and the SHA-256 of what it makes of the
characters, a line each: of a normalizer the text, of a pre_tokenizer where in
"a" + character + "b" the pieces begin and end.
"""
import hashlib
import json
from tokenizers import Tokenizer

POINTS = [c for c in [*range(1, 0x40000), *range(0xe0000, 0xe0200)] if not 0xd800 <= c <= 0xdfff]
BERT = {"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False,
        "strip_accents": False, "lowercase": False}
NORMALIZERS = [{"type": t} for t in
               ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt", "ByteLevel")] + [
    {"type": "Strip", "strip_left": True, "strip_right": True},
    {**BERT, "clean_text": True}, {**BERT, "handle_chinese_chars": True},
    {**BERT, "strip_accents": True}, {**BERT, "lowercase": True, "strip_accents": None}]
PRE = [{"type": t} for t in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer", "UnicodeScripts")] + [
    {"type": "Punctuation", "behavior": "Removed"}, {"type": "Digits", "individual_digits": True}]


def tokenizer(**stage):
    return Tokenizer.from_str(json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
        "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
        "model": {"type": "WordLevel", "vocab": {"<unk>": 0}, "unk_token": "<unk>"}, **stage}))


def show(kind, stage, line):
    h = hashlib.sha256()
    for c in POINTS:
        h.update((line(chr(c)) + "\n").encode())
    print(json.dumps({kind: stage, "sum": h.hexdigest()}))


for stage in NORMALIZERS:
    show("normalizer", stage, tokenizer(normalizer=stage).normalizer.normalize_str)
for stage in PRE:
    pre = tokenizer(pre_tokenizer=stage).pre_tokenizer.pre_tokenize_str
    show("pre_tokenizer", stage, lambda c: " ".join("%d-%d" % o for _, o in pre("a" + c + "b")))
