#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/golden/pre: byte-level BPE in GGUF with the pre-tokenizers that
llama.cpp names, and what Hugging Face tokenizers make of texts that are split
by the same expressions.

usage: tiny_pre.py OUTDIR [SEED]  (needs tokenizers and gguf)

OUTDIR/NAME.gguf.zst    a vocabulary with tokenizer.ggml.pre NAME
OUTDIR/bert.gguf.zst    WordPiece as llama.cpp's converter writes it
OUTDIR/NAME.jsonl.zst   texts and their ids
"""
import json
import os
import random
import subprocess
import sys
import gguf
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers as P, processors, trainers

OUT = sys.argv[1]
SEED = sys.argv[2] if len(sys.argv) > 2 else ""
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
END = r"\s*[\r\n]+|\s+(?!\S)|\s+"
SHORT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UP, LOW = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
HEAD = r"[^\r\n\p{L}\p{N}]?"
BLOOM = r" ?[^(\s|.,!?…。，、।۔،)]+"
CL100K = SHORT + "|" + HEAD + r"\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|" + END
# name: what cuts, one after the other; whole tokens are looked up first
KINDS = {
    "gpt-2": ([GPT2], False),
    "smollm": ([r"\p{N}", GPT2], False),
    "llama-bpe": ([CL100K % r"\p{N}{1,3}"], True),
    "dbrx": ([CL100K % r"\p{N}{1,3}"], False),
    "deepseek-r1-qwen": ([CL100K % r"\p{N}"], False),
    "tekken": ([HEAD + UP + "*" + LOW + "+|" + HEAD + UP + "+" + LOW + r"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + END], True),
    "gpt-4o": ([HEAD + UP + "*" + LOW + "+" + SHORT + "?|" + HEAD + UP + "+" + LOW + "*" + SHORT +
                r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + END], False),
    "deepseek-v3": ([r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
                     r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|""" +
                     r" ?[\p{P}\p{S}]+[\r\n]*|" + END], False),
    "deepseek-coder": ([r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥\u0800-一가-\ud7ff]+", r"\p{N}"], False),
    "bailingmoe": ([r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|" +
                    r"\s+(?!\S)|\s+"], False),
    "seed-coder": ([SHORT + "|" + HEAD + r"\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|" + END], False),
    "bloom": ([BLOOM], False),
    "viking": ([BLOOM, r"\p{N}"], False),
    "falcon": ([r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"], False),
    "deepseek-llm": ([r"[\r\n]",
                      "\\s?[A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝ\u1f5f-\u1f7dᾀ-ᾴ"
                      "ᾶ-ᾼ\u1fbeῂ-ῄῆ-ῌῐ-\u1fd3ῖ-\u1fdbῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤ\u2126ℨ\u212a-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ"
                      "𐐀-𐑏𐒰-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃]+",
                      r"\s?[!-/:-~！-／：-～‘-‟　-。]+", r"\s+$", "[一-龥\u0800-一가-\ud7ff]+", r"\p{N}+"], False),
    "kimi-k2": ([r"[\p{Han}]+|" + HEAD + UP[:-1] + r"&&[^\p{Han}]]*" + LOW[:-1] + r"&&[^\p{Han}]]+" + SHORT + "?|" + HEAD +
                 UP[:-1] + r"&&[^\p{Han}]]+" + LOW[:-1] + r"&&[^\p{Han}]]*" + SHORT +
                 r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|" + END], False),
    "qwen35": ([SHORT + "|" + HEAD + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + END], False),
    "youtu": (["[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+", HEAD + UP + "*" + LOW + "+" + SHORT + "?|" + HEAD +
               UP + "+" + LOW + "*" + SHORT + r"?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + END], True),
    "exaone-moe": ([SHORT + "|" + HEAD + r"(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|" +
                    r"\s+(?!\S)|\s+"], False),
    "laguna": ([r"[^\n]+|[\n]+", CL100K % r"\p{N}"], False),
    "superbpe": ([r"\p{N}+", r"(?=(\d{3})+(?!\d))"], False),
    "tiny_aya": ([r"\d{1,3}(?=(?:\d{3})*\b)", HEAD + UP + "*" + LOW + "+" + SHORT + "?|" + HEAD + UP + "+" + LOW + "*" + SHORT +
                  r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + END], False),
    "afmoe": ([r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))", "[一-鿿㐀-䶿豈-﫿぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-๿຀-໿ក-៿က-႟ꩠ-ꩿꧠ-꧿가-힯ᄀ-ᇿ]+",
               r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|""" +
               r" ?[\p{P}\p{S}]+[\r\n]*|" + END], False),
    "default": ([r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"], False),
}
CORPUS = [
    "The quick Brown fox doesn't jump over 12345 lazy dogs; it's 3.14159 o'clock!\n\n",
    "Grüße aus München, naïve CaféBar à la carte.  Œuvre, ÅngströmX, Dvořák…\r\n",
    "def main(argv):\n    for i in range(10):\n\t\tprint(i, argv[i])\n    return 0\n",
    "世界 こんにちは 안녕하세요 Привет мир مرحبا שלום नमस्ते 世界，世界。\n",
    "WE'LL see: they've said I'D better not.  HTTP/1.1 200 OK\r\n\r\n{\"a\": [1, 2]} `a` $5 + <b> ~^|",
] * 3
ALPHABETS = ["abcdefgh ' ", "ABCXYZ", " \t\n\r\u00a0\u3000", "0123456789٣½", "éèàçœßÅ\u0301\u0308ǅʰ", "世界日本語か", "각가힣",
             "'sS't'T're'RE'll'LL'd'm've", "!?.,;:-_()[]{}<>|/\\\"#$%&*+=~^`…。，、", "👋🏽👨‍👩\ufe0f", "Хабрمرحباनमस्ते۔،"]
WORDS = [w for s in CORPUS for w in s.split(" ")] + ["  ", "\n\n", "1234567", "don't", "I'LL", "a/b/\n/"]


def texts(seed):
    yield from ["", " ", "a", "  a  b ", "12345 123", "''s"] + CORPUS[:5]
    rng = random.Random(seed)
    for _ in range(70 if not SEED else 3000):
        yield "".join(rng.choice([rng.choice(WORDS), " " + rng.choice(WORDS), rng.choice(rng.choice(ALPHABETS)),
                                  rng.choice(rng.choice(ALPHABETS))]) for _ in range(rng.randint(1, 14)))


def pack(path, data):
    subprocess.run(["zstd", "-q", "-19", "-f", "-o", path + ".zst"], input=data, check=True)


def begin(path):
    w = gguf.GGUFWriter(path, "llama")
    w.add_context_length(64)
    w.add_embedding_length(8)
    w.add_block_count(1)
    w.add_feed_forward_length(8)
    w.add_head_count(1)
    w.add_layer_norm_rms_eps(1e-5)
    return w


def write_gguf(path, pre, vocab, merges):
    w = begin(path)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(pre)
    w.add_token_list([t.encode() for t in vocab])
    w.add_token_types([gguf.TokenType.NORMAL] * len(vocab))
    w.add_token_merges(merges)
    w.add_add_bos_token(False)
    end(w)


def end(w):
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_words(path, vocab):
    w = begin(path)
    w.add_tokenizer_model("bert")
    w.add_tokenizer_pre("default")
    special = vocab[:5]
    w.add_token_list([(t if t in special else t[2:] if t.startswith("##") else "▁" + t).encode() for t in vocab])
    w.add_token_types([gguf.TokenType.CONTROL if t in special else gguf.TokenType.NORMAL for t in vocab])
    w.add_pad_token_id(0)
    w.add_unk_token_id(1)
    w.add_bos_token_id(2)
    w.add_sep_token_id(3)
    w.add_mask_token_id(4)
    end(w)


def finish(name, tokenizer, write):
    lines = []
    for s in texts(name + SEED):
        lines.append(json.dumps({"text": s, "ids": tokenizer.encode(s, add_special_tokens=False).ids,
                                 "ids_special": tokenizer.encode(s).ids}, ensure_ascii=False, separators=(",", ":")) + "\n")
    path = os.path.join(OUT, name)
    pack(path + ".jsonl", "".join(lines).encode())
    write(path + ".gguf")
    with open(path + ".gguf", "rb") as f:
        pack(path + ".gguf", f.read())
    os.remove(path + ".gguf")


# Merges across everything, so that it shows where texts are cut.
t = Tokenizer(models.BPE())
t.pre_tokenizer = P.ByteLevel(add_prefix_space=False, use_regex=False)
t.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=700, show_progress=False, initial_alphabet=P.ByteLevel.alphabet()))
model = json.loads(t.to_str())["model"]
vocab = sorted(model["vocab"], key=model["vocab"].get)
for name, (cuts, whole) in KINDS.items():
    model["ignore_merges"] = whole
    j = json.loads(t.to_str())
    j["model"] = model
    u = Tokenizer.from_str(json.dumps(j))
    if name == "qwen35":
        u.normalizer = normalizers.NFC()
    u.pre_tokenizer = P.Sequence([P.Split(Regex(c), "isolated") for c in cuts] +
                                 [P.ByteLevel(add_prefix_space=False, use_regex=False)])
    finish(name, u, lambda path: write_gguf(path, name, vocab, [" ".join(m) for m in model["merges"]]))

t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
t.normalizer = normalizers.BertNormalizer()
t.pre_tokenizer = P.BertPreTokenizer()
t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
    vocab_size=300, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
words = sorted(t.get_vocab(), key=t.get_vocab().get)
finish("bert", t, lambda path: write_words(path, words))
