#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write tests/golden/tok and the seeds of fuzz-tokenizer: small tokenizers of
each kind, trained here, and what Hugging Face tokenizers make of texts.

usage: tiny_tokenizers.py OUTDIR SEEDDIR [SEED [KIND...]]  (needs tokenizers)

Other SEEDs than the empty one make other texts, to be tried by hand.  KINDs
are made alone: training does not give all of them the same again.
"""
import base64
import json
import os
import random
import subprocess
import sys
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models
from tokenizers import normalizers as N, pre_tokenizers as P
from tokenizers import processors, trainers

OUT, SEEDS = sys.argv[1:3]
SEED = sys.argv[3] if len(sys.argv) > 3 else ""
CORPUS = [
    "The quick brown fox doesn't jump over 12 lazy dogs; it's 3.14159 o'clock.",
    "Grüße aus München, naïve café à la carte.  Œuvre, Ångström, Dvořák.",
    "def main(argv):\n    for i in range(10):\n\t\tprint(i, argv[i])\n    return 0\n",
    "世界 こんにちは 안녕하세요 Привет мир مرحبا שלום नमस्ते",
    "We'll see: they've said I'd better not.  HTTP/1.1 200 OK\r\n\r\n{\"a\": [1, 2]}",
    "How do I block my card?  My card was stolen yesterday at the station.",
] * 3
GPT2 = P.ByteLevel(add_prefix_space=False)
SPECIAL = ["<|begin|>", "<|end|>"]


def split(digits):
    return P.Sequence([P.Split(Regex(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + digits +
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"), "isolated"),
        P.ByteLevel(add_prefix_space=False, use_regex=False)])


def template(special):
    return processors.TemplateProcessing(
        single="<|begin|> $A <|end|>", pair="$A $B", special_tokens=special)


def train(pre, normaliser=None, size=420, **model):
    t = Tokenizer(models.BPE(**model))
    t.pre_tokenizer = pre
    if normaliser:
        t.normalizer = normaliser
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=P.ByteLevel.alphabet()))
    t.decoder = decoders.ByteLevel()
    return t


def characters():
    """Like Llama 2 and Gemma: characters, bytes for the others."""
    fallback = ["<unk>"] + SPECIAL + ["<0x%02X>" % i for i in range(256)]
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")])
    t.train_from_iterator([" ".join(s.split(" ")) for s in CORPUS[:3]],
                          trainers.BpeTrainer(vocab_size=480, special_tokens=fallback,
                                              show_progress=False, limit_alphabet=40))
    j = json.loads(t.to_str())
    j["added_tokens"] = j["added_tokens"][:3]
    j["pre_tokenizer"] = None
    t = Tokenizer.from_str(json.dumps(j))
    t.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(),
                                   decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return t


def pieces(fallback):
    """Unigram, as SentencePiece makes it."""
    t = Tokenizer(models.Unigram())
    t.pre_tokenizer = P.Metaspace()
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(
        vocab_size=200, special_tokens=["<unk>"] + SPECIAL, unk_token="<unk>",
        show_progress=False))
    t.decoder = decoders.Metaspace()
    if fallback:
        j = json.loads(t.to_str())
        j["model"]["byte_fallback"] = True
        j["model"]["vocab"] += [["<0x%02X>" % i, 0.0] for i in range(256)]
        j["model"]["vocab"] += [["da", -3.5], ["ab", -7.0], ["ab", -1.0], ["q", -30.0]]
        t = Tokenizer.from_str(json.dumps(j))
        t.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return t


def affixed(trainer=trainers.BpeTrainer, pre=None, size=300, **model):
    kind = {trainers.BpeTrainer: models.BPE, trainers.WordPieceTrainer: models.WordPiece,
            trainers.WordLevelTrainer: models.WordLevel}[trainer]
    t = Tokenizer(kind(unk_token="<unk>", **model))
    t.pre_tokenizer = pre or P.Split(" ", "merged_with_previous")
    how = {k: v for k, v in model.items() if "fix" in k}
    t.train_from_iterator(CORPUS, trainer(
        vocab_size=size, special_tokens=["<unk>"] + SPECIAL, show_progress=False, **how))
    return t


def charsmap(pairs):
    """A precompiled_charsmap: a double array of the strings, and the texts."""
    texts, tree = b"", {}
    for old, new in pairs:
        node = tree
        for byte in old.encode():
            node = node.setdefault(byte, {})
        node[None] = len(texts)
        texts += new.encode() + b"\0"
    units, used = {0: 0}, {0}

    def place(at, node):
        labels = [0 if k is None else k for k in node]
        base = next(b for b in range(1, 1 << 20) if not used & {b ^ k for k in labels})
        used.update(base ^ k for k in labels)
        units[at] |= (at ^ base) << 10 | (None in node) << 8
        for k, child in node.items():
            units[base ^ (k or 0)] = child | 1 << 31 if k is None else k
        for k, child in node.items():
            if k is not None:
                place(base ^ k, child)
    place(0, tree)
    size = max(units) // 256 * 256 + 256
    array = b"".join(units.get(i, 0).to_bytes(4, "little") for i in range(size))
    return base64.b64encode(len(array).to_bytes(4, "little") + array + texts).decode()


CHARSMAP = charsmap(
    [("\t", " "), ("\n", " "), ("\r", " "), ("\u3000", " "), ("\u00a0", " "), ("ſ", "s"), ("½", "1⁄2"),
     ("Ⅻ", "XII"), ("ﾊﾟ", "パ"), ("か\u3099", "が"), ("e\u0301", "é"), ("a\u0301", "á"), ("\u1100\u1161", "가"),
     ("\u200b", ""), ("\ufeff", ""), ("\x7f", ""), ("😀", ":)"), ("Å", "Å"), ("\u0323", ""), ("²", "2"),
     ("é", "é"), ("🏽", "")])


def piecewise(pre, norm=None, decoder=None):
    """Words of a list: what is no word shows in its offsets."""
    t = affixed(trainers.WordLevelTrainer, pre, 90)
    if norm:
        t.normalizer = norm
    if decoder:
        t.decoder = decoder
    return t


def bert(cased):
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=20))
    t.normalizer = N.BertNormalizer(lowercase=not cased)
    t.pre_tokenizer = P.BertPreTokenizer() if not cased else P.Sequence(
        [P.WhitespaceSplit(), P.Punctuation("contiguous")])
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(
        vocab_size=300, special_tokens=special, show_progress=False))
    t.add_special_tokens([AddedToken("[MASK]", lstrip=True, special=True)])
    t.add_tokens([AddedToken("Hello WORLD", normalized=True), AddedToken("étå", normalized=True)])
    t.decoder = decoders.WordPiece(cleanup=not cased)
    t.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)) if not cased else \
        processors.Sequence([processors.TemplateProcessing(
            single="[CLS] [MASK]:1 $A [SEP]", pair="$A $B", special_tokens=[
                ("[CLS]", 2), ("[SEP]", 3), ("[MASK]", 4)]), processors.ByteLevel()])
    return t


CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
BEFORE, SPACES = r"[^\r\n\p{L}\p{N}]?", r"\s*[\r\n]+|\s+(?!\S)|\s+"
FAMILIES = {
    "o200k": [BEFORE + UPPER + "*" + LOWER + "+" + CONTRACTION + "?|" + BEFORE + UPPER + "+" + LOWER + "*" +
              CONTRACTION + r"?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES],
    "tekken": [BEFORE + UPPER + "*" + LOWER + "+|" + BEFORE + UPPER + "+" + LOWER +
               r"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + SPACES],
    "qwen35": [CONTRACTION + "|" + BEFORE + r"[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + SPACES],
    "deepseek3": [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+",
                  r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|"""
                  "[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|" + SPACES],
    "bloom": [r" ?[^(\s|[.,!?…。，、।۔،])]+"],
}


class Written(str):
    """A tokenizer.json whose numbers are to stay as they are."""

    def save(self, path, pretty):
        with open(path, "w", encoding="utf-8") as f:
            f.write(self)


def ties():
    """Paths of the same tokens in another order: rounding decides."""
    rng, vocab = random.Random(28), [["<unk>", 0.0]]
    vocab += [[c, -12.0] for c in "abcdefghij ▁éxo"]
    vocab += [[c * n, -rng.random() * 3 * n - 1] for c in "x é" for n in range(2, 7)]
    vocab += [[w, -rng.random() * 9] for w in ("abc", "ab", "bc", "ca", "cab", "bca", "abca")]
    return Written(json.dumps({"added_tokens": [], "model": {
        "type": "Unigram", "unk_id": 0, "vocab": vocab}}))


def more_kinds():
    yield "ties", ties()
    for name, patterns in FAMILIES.items():
        yield name, train(P.Sequence([P.Split(Regex(p), "isolated") for p in patterns] + [
            P.ByteLevel(add_prefix_space=False, use_regex=False)]))
    yield "bert", bert(False)
    yield "bert_cased", bert(True)
    t = train(P.ByteLevel(add_prefix_space=False), N.Sequence([N.NFKC(), N.Strip(right=False)]))
    t.post_processor = processors.RobertaProcessing(("<|end|>", 1), ("<|begin|>", 0), True, False)
    yield "roberta", t
    t = Tokenizer(models.BPE(unk_token="<|end|>", end_of_word_suffix="</w>"))
    t.normalizer = N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()])
    t.pre_tokenizer = P.Sequence([P.Split(Regex(
        r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True), GPT2])
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=700, special_tokens=SPECIAL, show_progress=False, end_of_word_suffix="</w>",
        initial_alphabet=P.ByteLevel.alphabet()))
    t.decoder = decoders.Sequence([decoders.Replace(Regex("</w>"), " "), decoders.ByteLevel()])
    t.post_processor = processors.RobertaProcessing(("<|end|>", 1), ("<|begin|>", 0), False, False)
    yield "clip", t
    t = pieces(False)
    t.normalizer = N.Sequence([N.Replace("``", '"'), N.NFKD(), N.StripAccents(), N.Lowercase(),
                               N.Replace(Regex(" {2,}"), " "), N.Nmt()])
    t.post_processor = template([("<|begin|>", 1), ("<|end|>", 2)])
    yield "albert", t
    t = pieces(False)
    j = json.loads(t.to_str())
    j["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": CHARSMAP}
    j["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁", "add_prefix_space": True}]}
    yield "t5", Tokenizer.from_str(json.dumps(j))
    t = train(P.Sequence([GPT2, P.Digits(individual_digits=True)]))
    yield "bytes_digits", t
    t = Tokenizer(models.BPE())
    t.normalizer = N.Sequence([N.NFD(), N.ByteLevel()])
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=420, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=P.ByteLevel.alphabet()))
    t.decoder = decoders.ByteLevel()
    yield "bytes_normal", t
    yield "whitespace", piecewise(P.Whitespace(), N.NFKC())
    yield "punctuation", piecewise(P.Sequence([P.WhitespaceSplit(), P.Punctuation("merged_with_previous")]),
                                   N.Strip(), decoders.CTC("<unk>", "a", True))
    yield "scripts", piecewise(P.UnicodeScripts(), N.StripAccents(), decoders.BPEDecoder("e"))
    yield "delimiter", piecewise(P.Sequence([P.CharDelimiterSplit("a"), P.FixedLength(3)]))
    yield "contiguous", piecewise(P.Sequence([
        P.Split(Regex(r"[aeiou]+|\d|[\s]"), "contiguous"), P.Split("l", "merged_with_next")]))
    yield "empty", piecewise(P.Sequence([P.Split(Regex(r"\w*"), "isolated"), P.Split(Regex(r"^.|\bs|$"),
                             "merged_with_previous", invert=True)]), N.Replace(Regex("x*"), "-"))
    yield "underscore", piecewise(P.Metaspace("_", "first"), None, decoders.Metaspace("_", "first"))


def kinds():
    yield from more_kinds()
    yield "unigram", pieces(False)
    yield "unigram_bytes", pieces(True)
    yield "affixed", affixed(continuing_subword_prefix="##", end_of_word_suffix="</w>", fuse_unk=True)
    yield "wordpiece", affixed(trainers.WordPieceTrainer, P.Digits())
    yield "wordlevel", affixed(trainers.WordLevelTrainer, size=60)
    yield "gpt2", train(GPT2)
    t = train(P.Sequence([P.Digits(individual_digits=True), GPT2]))
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    yield "smollm", t
    t = train(split(r"\p{N}{1,3}"))
    t.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False), template([("<|begin|>", 0), ("<|end|>", 1)])])
    j = json.loads(t.to_str())
    j["model"]["ignore_merges"] = True
    yield "llama3", Tokenizer.from_str(json.dumps(j))
    t = train(split(r"\p{N}"), N.NFC())
    t.add_tokens([AddedToken("<tool>", normalized=False), AddedToken("<x>", lstrip=True, rstrip=True),
                  AddedToken("word", single_word=True, normalized=True), AddedToken("é!", normalized=True)])
    t.post_processor = processors.ByteLevel(trim_offsets=True, add_prefix_space=False)
    yield "qwen", t
    t = train(P.ByteLevel(add_prefix_space=True))
    t.post_processor = processors.ByteLevel(trim_offsets=True)
    yield "prefix", t
    yield "llama2", characters()
    t = characters()
    t.normalizer = None
    for name, pre in (("metaspace", P.Metaspace(prepend_scheme="first", split=True)),
                      ("metaspace_whole", P.Metaspace(prepend_scheme="always", split=False))):
        u = Tokenizer.from_str(t.to_str())
        u.normalizer = N.Sequence([])
        u.pre_tokenizer = pre
        u.decoder = decoders.Sequence([decoders.ByteFallback(),
            decoders.Metaspace(prepend_scheme=pre.prepend_scheme)])
        j = json.loads(u.to_str())
        j["normalizer"] = None
        yield name, Tokenizer.from_str(json.dumps(j))
    t = characters()
    t.normalizer = N.Replace(" ", "▁")
    t.pre_tokenizer = P.Split(" ", "merged_with_previous")
    j = json.loads(t.to_str())
    for b in range(0x80, 0x100):        # some bytes without a token: unknown
        j["model"]["vocab"].pop("<0x%02X>" % b, None)
    left = sorted(j["model"]["vocab"], key=j["model"]["vocab"].get)
    j["model"]["vocab"] = {s: i for i, s in enumerate(left)}
    yield "unknown", Tokenizer.from_str(json.dumps(j))


ALPHABETS = ["abcdefgh ' ", " \t\n\r\u00a0\u3000\u2028", "0123456789٣½²Ⅻ",
             "éèàçœßÅ\u0301\u0323\u0308e\u0344\u1e9b\u0f71\u0f72\u0f74", "世界日本語ﾊﾟか\u3099",
             "\u1100\u1161\u11a8각가힣", "'sS't'T're'RE'll'LLſ'd'm've", "!?.,;:-_()[]{}<>|/\\\"#$%&*+=~^`",
             "👋🏽👨‍👩‍👧‍👦🇩🇪\ufe0f", "\x00\x01\x7f\x85\ufeff\u200b\ufffd\U0010ffff", "Хабрمرحباनमस्तेАБВ",
             "▁ĠĊ", "xyzÀÁÂ", "aBcDEf/ǅʰª\n"]
WORDS = [w for s in CORPUS for w in s.split()] + SPECIAL + [
    "<unk>", "<x>", "<tool>", "word", "words", "é!", "e\u0301!", "<0x41>", "<|end", "  ", " ", "\n", "\n\n",
    "'s", "don't", "I'LL", "1234567", "a\u0300\u0316\u0317b"]


def texts(seed):
    yield from ["", " ", "  ", "\n", "\r\n", "a", " a", "a ", "  a  b", "▁", "\x00", "<x>", " <x> ", "a <x> b",
                "word", "a word, swords word", "'", "''s", "1", "12345", "é", "e\u0301", "<|begin|>a<|end|>"]
    yield from CORPUS[:6]
    rng = random.Random(seed)
    for _ in range(110 if not SEED else 3000):
        yield "".join(rng.choice([rng.choice(WORDS), " " + rng.choice(WORDS), rng.choice(rng.choice(ALPHABETS)),
                                  rng.choice(rng.choice(ALPHABETS))])
                      for _ in range(rng.randint(1, 14)))
    yield "x" * 100 + "abc" * 30 + " " * 70 + "é" * 40


for name, t in kinds():
    if sys.argv[4:] and name not in sys.argv[4:]:
        continue
    path = os.path.join(OUT, name + ".json")
    t.save(path, pretty=False)
    t = Tokenizer.from_file(path)       # scores are not always read as written
    lines = []
    for s in texts(name + SEED):
        e = t.encode(s, add_special_tokens=False)
        lines.append(json.dumps({
            "text": s, "ids": e.ids, "ids_special": t.encode(s, add_special_tokens=True).ids,
            "offsets": e.offsets, "decoded": t.decode(e.ids, skip_special_tokens=False)},
            ensure_ascii=False, separators=(",", ":")) + "\n")
    subprocess.run(["zstd", "-q", "-19", "-f", "-o", os.path.join(OUT, name + ".jsonl.zst")],
                   input="".join(lines).encode(), check=True)
    if SEEDS:
        with open(path, encoding="utf-8") as f, \
                open(os.path.join(SEEDS, name), "w", encoding="utf-8", newline="") as out:
            out.write(f.read() + "\n=== text ===\n" + CORPUS[1] + " word<x> <|begin|>'S 1234\n")
