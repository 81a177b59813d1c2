#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/golden/pre/gemma4: a GGUF of that tokenizer, of an architecture
that is not known, and what llama.cpp makes of texts; the rest of a line is
from Hugging Face tokenizers, whose ids must be the same.

usage: tiny_gemma4.py OUTDIR [SEED]  (needs tokenizers, gguf and llama_cpp)
"""
import ctypes
import json
import random
import subprocess
import sys
import gguf
import llama_cpp
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

OUT, SEED = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "0"
CORPUS = [
    "The quick brown fox doesn't jump over 12345 lazy dogs;  it's 3.14159 o'clock!\n\n",
    "Grüße aus München, naïve Café à la carte.\t\tŒuvre, Dvořák…\r\n",
    "def main(argv):\n    for i in range(10):\n        print(i, argv[i])\n\n\n    return 0\n",
    "世界 こんにちは 안녕하세요 Привет мир. 世界，世界。\n",
] * 3
MARKS = ["<pad>", "<eos>", "<bos>", "<unk>", "<|turn>", "<turn|>"]
USER = ["<|tool_call>"]
WORDS = [w for s in CORPUS for w in s.split(" ")] + ["\n\n\n\n", "  ", "👋🏽", "\x01", "ﬀ", "\u2581", "\u00a0"]


def train():
    bpe = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=False))
    bpe.normalizer = normalizers.Replace(" ", "\u2581")
    bpe.pre_tokenizer = pre_tokenizers.Split(Regex(r"\n+"), "isolated")
    own = MARKS + USER + [f"<0x{b:02X}>" for b in range(256)]
    bpe.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=620, special_tokens=own, show_progress=False))
    j = json.loads(bpe.to_str())
    j["added_tokens"] = []
    bpe = Tokenizer.from_str(json.dumps(j))
    bpe.add_special_tokens([AddedToken(m, normalized=False) for m in MARKS])
    bpe.add_tokens([AddedToken(m, normalized=False) for m in USER])
    bpe.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    bpe.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return bpe


def write(bpe, path):
    j = json.loads(bpe.to_str())["model"]
    tokens = sorted(j["vocab"], key=j["vocab"].get)
    w = gguf.GGUFWriter(path, "nobody-knows")
    w.add_tokenizer_model("gemma4")
    w.add_token_list(tokens)
    w.add_token_scores([0.0] * len(tokens))
    w.add_token_types([3 if t in MARKS else 4 if t in USER else 6 if t.startswith("<0x") else 1 for t in tokens])
    w.add_token_merges([" ".join(m) for m in j["merges"]])
    for i, add in enumerate((w.add_pad_token_id, w.add_eos_token_id, w.add_bos_token_id, w.add_unk_token_id)):
        add(i)
    w.add_add_bos_token(False)      # which llama.cpp overrides
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def texts():
    yield from ["", " ", "a", "  a  b ", "\n", "a\n\nb <|turn>c<|tool_call> d<turn|>"] + CORPUS[:4]
    rng = random.Random(SEED)
    for _ in range(80):
        yield "".join(rng.choice(["", " ", "\n"]) + rng.choice(WORDS + USER) for _ in range(rng.randint(1, 14)))


def opened(path):
    # its own architecture does not matter to its vocabulary, but must be one that llama.cpp knows
    known = open(path, "rb").read()
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    with open("known.gguf", "wb") as f:
        f.write(known.replace(b"\x0c\0\0\0\0\0\0\0nobody-knows", b"\x09\0\0\0\0\0\0\0command-r"))
    return llama_cpp.llama_model_load_from_file(b"known.gguf", params)


bpe = train()
write(bpe, "gemma4.gguf")
model = opened("gemma4.gguf")
vocab = llama_cpp.llama_model_get_vocab(model)
with open("gemma4.jsonl", "w", encoding="utf-8") as out:
    for text in texts():
        room = (ctypes.c_int32 * (4 * len(text.encode()) + 16))()
        got = llama_cpp.llama_tokenize(vocab, text.encode(), len(text.encode()), room, len(room), False, True)
        e, s = bpe.encode(text, add_special_tokens=False), bpe.encode(text)
        if list(room[:got]) != e.ids:
            sys.exit(f"{text!r}: {room[:got]} {e.ids}")
        out.write(json.dumps({"text": text, "ids": e.ids, "ids_special": s.ids, "offsets": e.offsets,
                              "decoded": bpe.decode(e.ids, skip_special_tokens=False)}) + "\n")
for name in ("gemma4.gguf", "gemma4.jsonl"):
    subprocess.run(["zstd", "-19", "-qf", name, "-o", f"{OUT}/{name}.zst"], check=True)
