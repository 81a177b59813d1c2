#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random stages around the models of tests/golden/tok, against Hugging Face
tokenizers.

usage: random_tokenizers.py GOLDENS TOKENIZER-UNIT SEED COUNT

Patterns that match nothing are left out: behind them Hugging Face's doubles
text.  Each of COUNT tokenizers has normalizers, pre-tokenizers, a post-processor,
decoders and added tokens drawn by lot.  Those that Hugging Face's cannot do
(it panics on some) are passed over; where we differ the file and the texts
are left in the current folder.
"""
import json
import os
import random
import subprocess
import sys
from tokenizers import Tokenizer

GOLD, UNIT, SEED, COUNT = sys.argv[1:3] + [int(x) for x in sys.argv[3:5]]
MODELS = [n[:-5] for n in sorted(os.listdir(GOLD)) if n.endswith(".json")]
WORDS = ["a", "the", " ", "  ", "\n", "Hello", "WORLD", "é", "e\u0301", "ǅ", "İ", "ß", "123", "٣", "½", "Ⅻ", "世界", "ﾊﾟ",
         "가", "\u1100\u1161", "▁", "_", "<s>", "[M]", "don't", "...", "!?", "👋🏽", "\u200d", "\ufeff", "\t", "\x00", "\x7f",
         "Ġ", "xx", "``", "''", "\u0323\u0301", "Straße", "ﬁ", "q", "\u3000", "\r\n", "café", "naïve", "Ã©", "##a", "</w>"]


with open(os.path.join(GOLD, "t5.json"), encoding="utf-8") as f:
    CHARSMAP = json.load(f)["normalizer"]


def lot(rng, *choices):
    return rng.choice(choices)


def behavior(rng):
    return lot(rng, "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")


def pattern(rng):
    return lot(rng, {"String": lot(rng, " ", "a", "''", "e", "é")},
               {"Regex": lot(rng, r"\s+", r"[aeiou]", r"\d{1,2}", r"\p{L}+", r"^.", r"\w+|[^\w\s]+", r"(?i:HE)",
                             r"[^\s\p{L}]+$", r"\bx")})


def normalizer(rng):
    return lot(rng, CHARSMAP, {"type": "ByteLevel"},
               {"type": lot(rng, "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt")},
               {"type": "Strip", "strip_left": lot(rng, True, False), "strip_right": lot(rng, True, False)},
               {"type": "Replace", "pattern": pattern(rng), "content": lot(rng, "", "▁", "-é", "b")},
               {"type": "Prepend", "prepend": lot(rng, "▁", "xy")},
               {"type": "BertNormalizer", "clean_text": lot(rng, True, False), "lowercase": lot(rng, True, False),
                "handle_chinese_chars": lot(rng, True, False), "strip_accents": lot(rng, True, False, None)},
               {"type": "Replace", "pattern": {"String": " "}, "content": "▁"})


def pre(rng):
    return lot(rng, {"type": lot(rng, "Whitespace", "WhitespaceSplit", "BertPreTokenizer", "UnicodeScripts")},
               {"type": "Punctuation", "behavior": behavior(rng)},
               {"type": "Digits", "individual_digits": lot(rng, True, False)},
               {"type": "Split", "pattern": pattern(rng), "behavior": behavior(rng), "invert": lot(rng, True, False)},
               {"type": "Metaspace", "replacement": lot(rng, "▁", "_"), "split": lot(rng, True, False),
                "prepend_scheme": lot(rng, "first", "always", "never")},
               {"type": "CharDelimiterSplit", "delimiter": lot(rng, "e", " ")},
               {"type": "FixedLength", "length": rng.randint(1, 6)},
               {"type": "ByteLevel", "add_prefix_space": lot(rng, True, False), "trim_offsets": True,
                "use_regex": lot(rng, True, False)})


def post(rng, names):
    a, b = rng.choice(names), rng.choice(names)
    return lot(rng, None, {"type": "ByteLevel", "add_prefix_space": lot(rng, True, False), "trim_offsets": True,
                           "use_regex": True},
               {"type": "BertProcessing", "cls": a, "sep": b},
               {"type": "RobertaProcessing", "cls": a, "sep": b, "trim_offsets": lot(rng, True, False),
                "add_prefix_space": lot(rng, True, False)},
               {"type": "TemplateProcessing", "pair": [], "single": [
                   {"SpecialToken": {"id": "x", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "special_tokens": {"x": {"id": "x", "ids": [a[1], b[1]], "tokens": [a[0], b[0]]}}})


def decoder(rng):
    return lot(rng, {"type": lot(rng, "ByteLevel", "ByteFallback", "Fuse")},
               {"type": "Replace", "pattern": pattern(rng), "content": lot(rng, "", " ", "zz")},
               {"type": "WordPiece", "prefix": "##", "cleanup": lot(rng, True, False)},
               {"type": "Metaspace", "replacement": lot(rng, "▁", "_"), "prepend_scheme": lot(rng, "always", "never"),
                "split": True},
               {"type": "BPEDecoder", "suffix": lot(rng, "</w>", "a")},
               {"type": "CTC", "pad_token": lot(rng, "<unk>", "a"), "word_delimiter_token": "e",
                "cleanup": lot(rng, True, False)},
               {"type": "Strip", "content": lot(rng, " ", "a"), "start": rng.randint(0, 2), "stop": 0})


def sequence(rng, make, key, most):
    list_ = [make(rng) for _ in range(rng.randint(0, most))]
    return None if not list_ else list_[0] if len(list_) == 1 else {"type": "Sequence", key: list_}


def added(rng, next_id):
    out = []
    for text in rng.sample(["<s>", "[M]", "Hello", "a", "é", " q", "xx ", "the", "WORLD", "世"], rng.randint(0, 6)):
        out.append({"content": text, "special": lot(rng, True, False), "normalized": lot(rng, True, False),
                    "lstrip": lot(rng, True, False), "rstrip": lot(rng, True, False),
                    "single_word": lot(rng, True, False), "id": next_id})
        next_id += 1
    return out


def make(rng):
    with open(os.path.join(GOLD, rng.choice(MODELS) + ".json"), encoding="utf-8") as f:
        model = json.load(f)["model"]
    vocab = model["vocab"]
    known = {v[0]: i for i, v in enumerate(vocab)} if isinstance(vocab, list) else vocab
    tokens = [t for t in added(rng, max(known.values()) + 1) if t["content"] not in known]
    for i, t in enumerate(tokens):
        t["id"] = max(known.values()) + 1 + i
    if model["type"] == "BPE":
        model["fuse_unk"], model["ignore_merges"] = lot(rng, True, False), lot(rng, True, False)
        model["byte_fallback"] = lot(rng, True, False)
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
            "normalizer": sequence(rng, normalizer, "normalizers", 4),
            "pre_tokenizer": sequence(rng, pre, "pretokenizers", 3),
            "post_processor": post(rng, sorted(known.items(), key=lambda x: x[1])[:9]),
            "decoder": sequence(rng, decoder, "decoders", 3), "model": model}


def lines(t, rng):
    for _ in range(40):
        s = "".join(rng.choice(WORDS) for _ in range(rng.randint(1, 9)))
        e = t.encode(s, add_special_tokens=False)
        yield json.dumps({"text": s, "ids": e.ids, "ids_special": t.encode(s).ids, "offsets": e.offsets,
                          "decoded": t.decode(e.ids, skip_special_tokens=False)}, ensure_ascii=False)


bad = passed = 0
for seed in range(SEED, SEED + COUNT):
    rng = random.Random(seed)
    j = json.dumps(make(rng), ensure_ascii=False)
    try:
        t = Tokenizer.from_str(j)
        texts = "".join(x + "\n" for x in lines(t, rng))
    except BaseException as e:
        if isinstance(e, KeyboardInterrupt):
            raise
        passed += 1
        continue
    name = "random-%d" % seed
    with open(name + ".json", "w", encoding="utf-8") as f:
        f.write(j)
    r = subprocess.run([UNIT, name + ".json"], input=texts.encode(), capture_output=True)
    if r.returncode == 0:
        os.unlink(name + ".json")
        continue
    if b"there twice" in r.stdout or b"leaves nothing" in r.stdout:
        passed += 1         # added tokens of which Hugging Face's takes any
        os.unlink(name + ".json")
        continue
    bad += 1
    with open(name + ".jsonl", "w", encoding="utf-8") as f:
        f.write(texts)
    print(name + ":", r.stdout.decode(errors="replace").splitlines()[1:3])
print("%d of %d differ, %d passed over" % (bad, COUNT, passed))
sys.exit(bad != 0)
