#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/golden/spm and the seeds of fuzz-spm: small SentencePiece
models, trained here, and what SentencePiece makes of texts.

usage: tiny_pieces.py OUTDIR SEEDDIR [SEED]  (needs sentencepiece and gguf)

OUTDIR/NAME.model.zst   what SentencePiece's trainer has made
OUTDIR/NAME.jsonl.zst   texts and their ids
OUTDIR/NAME.gguf.zst    the pieces as llama.cpp's converter tells them

Other SEEDs than the empty one make other texts and nothing else, to be tried
by hand.
"""
import io
import json
import os
import random
import subprocess
import sys
import gguf
import sentencepiece as spm

OUT, SEEDS = sys.argv[1:3]
SEED = sys.argv[3] if len(sys.argv) > 3 else ""
CORPUS = [
    "The quick brown fox doesn't jump over 12 lazy dogs; it's 3.14159 o'clock.",
    "Grüße aus München, naïve café à la carte.  Œuvre, Ångström, Dvořák.",
    "def main(argv): for i in range(10): print(i, argv[i]) return 0",
    "世界 こんにちは 안녕하세요 Привет мир مرحبا שלום नमस्ते",
    "We'll see: they've said I'd better not.  HTTP/1.1 200 OK {\"a\": [1, 2]}",
    "How do I block my card?  My card was stolen yesterday at the station.",
    "aaaa aaa aa a abab ababab banana bandana cabana   spaces    runs",
]
SYMBOLS = ["<tool>", "<tool>>", "[x]", "new\nline", "😀"]
RAW = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False}
KINDS = {
    "llama": ("bpe", 500, {**RAW, "byte_fallback": True, "split_digits": True}, []),
    "gemma": ("bpe", 600, {**RAW, "byte_fallback": True, "add_dummy_prefix": False,
                           "allow_whitespace_only_pieces": True}, []),
    "bpe_symbols": ("bpe", 420, {**RAW, "byte_fallback": True}, SYMBOLS),
    "gemma_symbols": ("bpe", 600, {**RAW, "byte_fallback": True, "add_dummy_prefix": False},
                      SYMBOLS + ["▁▁", "▁▁▁", "▁▁▁▁", "a▁b"]),
    "many_symbols": ("bpe", 2800, {**RAW, "byte_fallback": True, "add_dummy_prefix": False},
                     SYMBOLS + ["<unused%d>" % i for i in range(2300)]),
    "bpe_nfkc": ("bpe", 300, {"normalization_rule_name": "nmt_nfkc_cf"}, []),
    "t5": ("unigram", 300, {"normalization_rule_name": "nmt_nfkc", "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}, []),
    "unigram_bytes": ("unigram", 500, {"normalization_rule_name": "identity", "byte_fallback": True}, []),
    "unigram_symbols": ("unigram", 260, RAW, SYMBOLS[:4]),
}
ALPHABETS = ["abcdefgh ' ", "   \t\n\r\u00a0\u3000\u2028", "0123456789٣½²Ⅻ", "éèàçœßÅ\u0301\u0323\u0308eſ",
             "世界日本語ﾊﾟか\u3099ﬁＡＢ", "\u1100\u1161\u11a8각가힣", "!?.,;:-_()[]{}<>|/\\\"#$%&*+=~^`",
             "👋🏽👨‍👩‍👧‍👦🇩🇪\ufe0f😀", "\x01\x7f\x85\ufeff\u200b\ufffd\U0010ffff", "Хабрمرحباनमस्ते", "▁Ġ"]
WORDS = [w for s in CORPUS for w in s.split()] + SYMBOLS * 3 + ["  ", " ", "    ", "\n\n", "HELLO", "aaaaaaa", "1234567"]


def texts(seed):
    yield from ["", " ", "   ", "\n", "a", " a", "a ", "  a  b  ", "▁", "▁▁ ▁", "a▁ ", "<tool>", " <tool> a", "a<tool>>b",
                "x" * 50 + "aba" * 30 + " " * 40 + "é" * 30]
    yield from CORPUS
    rng = random.Random(seed)
    for _ in range(90 if not SEED else 3000):
        yield "".join(rng.choice([rng.choice(WORDS), " " + rng.choice(WORDS), rng.choice(rng.choice(ALPHABETS)),
                                  rng.choice(rng.choice(ALPHABETS))])
                      for _ in range(rng.randint(1, 14)))


def train(kind, size, options, symbols):
    out = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS * 3), model_writer=out, model_type=kind, vocab_size=size, num_threads=1,
        user_defined_symbols=symbols, character_coverage=0.98, hard_vocab_limit=False, minloglevel=2, **options)
    return out.getvalue()


def kind_of(p, i):
    return (gguf.TokenType.UNKNOWN if p.is_unknown(i) else gguf.TokenType.CONTROL if p.is_control(i) else
            gguf.TokenType.UNUSED if p.is_unused(i) else gguf.TokenType.BYTE if p.is_byte(i) else gguf.TokenType.NORMAL)


def pack(path, data):
    subprocess.run(["zstd", "-q", "-19", "-f", "-o", path + ".zst"], input=data, check=True)


def write_gguf(path, model, data, p):
    w = gguf.GGUFWriter(path, "llama")
    w.add_context_length(64)
    w.add_embedding_length(8)
    w.add_block_count(1)
    w.add_feed_forward_length(8)
    w.add_head_count(1)
    w.add_layer_norm_rms_eps(1e-5)
    w.add_vocab_size(p.vocab_size())
    w.add_tokenizer_model(model)
    w.add_tokenizer_pre("default")
    n = p.vocab_size()
    w.add_token_list([p.id_to_piece(i).encode() for i in range(n)])
    w.add_token_scores([p.get_score(i) for i in range(n)])
    w.add_token_types([kind_of(p, i) for i in range(n)])
    from sentencepiece import sentencepiece_model_pb2 as pb
    m = pb.ModelProto.FromString(data)
    w.add_add_space_prefix(m.normalizer_spec.add_dummy_prefix)
    w.add_remove_extra_whitespaces(m.normalizer_spec.remove_extra_whitespaces)
    if m.normalizer_spec.precompiled_charsmap and model == "t5":
        w.add_precompiled_charsmap(m.normalizer_spec.precompiled_charsmap)
    if p.bos_id() >= 0:
        w.add_bos_token_id(p.bos_id())
    w.add_eos_token_id(p.eos_id())
    w.add_unk_token_id(p.unk_id())
    if p.pad_id() >= 0:
        w.add_pad_token_id(p.pad_id())
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


for name, (kind, size, options, symbols) in KINDS.items():
    path = os.path.join(OUT, name)
    if not SEED:
        pack(path + ".model", train(kind, size, options, symbols))
    data = subprocess.run(["zstd", "-dqc", path + ".model.zst"], stdout=subprocess.PIPE, check=True).stdout
    p = spm.SentencePieceProcessor(model_proto=data)
    lines = []
    for s in texts(name + SEED):
        ids = p.encode(s)
        bos, eos = ([p.bos_id()] if kind == "bpe" else []), ([p.eos_id()] if kind != "bpe" else [])
        line = {"text": s, "ids": ids, "ids_special": bos + ids + eos}
        if p.unk_id() not in ids:
            line["decoded"] = p.decode(ids)
        lines.append(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
    pack(path + ".jsonl", "".join(lines).encode())
    if name in ("llama", "gemma", "t5") and not SEED:
        write_gguf(path + ".gguf", "t5" if kind == "unigram" else "llama", data, p)
        with open(path + ".gguf", "rb") as f:
            pack(path + ".gguf", f.read())
        os.remove(path + ".gguf")
    if SEEDS and len(data) < 20000:
        with open(os.path.join(SEEDS, name), "wb") as f:
            f.write(data + b"\n=== text ===\n" + CORPUS[1].encode() + " <tool>>😀".encode())
