#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The pipelines that well-known models publish in tokenizer.json, over small
vocabularies that are trained here, against Hugging Face tokenizers.

usage: pipelines.py TOKENIZER-UNIT SEED COUNT [NAME ...]  (needs tokenizers,
sentencepiece)

COUNT texts of hostile Unicode for each; where we differ, NAME.json and
NAME.jsonl are left in the current folder.
"""
import io
import json
import os
import random
import subprocess
import sys

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders as D, models, normalizers as N, pre_tokenizers as P
from tokenizers import processors as X, trainers

UNIT, SEED, COUNT = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
CORPUS = [
    "The quick Brown fox doesn't jump over 12345 lazy dogs; it's 3.14159 o'clock!\n\n",
    "Grüße aus München, naïve CaféBar à la carte.  Œuvre, ÅngströmX, Dvořák…\r\n",
    "def main(argv):\n    for i in range(10):\n\t\tprint(i, argv[i])\n    return 0\n",
    "世界 こんにちは 안녕하세요 Привет мир مرحبا שלום नमस्ते 世界，世界。ﬁnal ½ Ⅻ\n",
    "WE'LL see: they've said I'D better not.  HTTP/1.1 200 OK\r\n\r\n{\"a\": [1, 2]} `a` $5 + <b> ~^|",
] * 4
POOLS = ["abcdefgh ' ", "ABCXYZİ", " \t\n\r\u00a0\u3000\u2003\u0085", "0123456789٣½²", "éèàçœßÅ\u0301\u0308\u0323ǅʰ", "世界日本語か",
         "각가힣\u1100\u1161\u11a8", "'sS't'T're'RE'll'LL'd'm've", "!?.,;:-_()[]{}<>|/\\\"#$%&*+=~^`…。，、؟", "👋🏽👨‍👩\ufe0f",
         "Хабрمرحباनमस्ते۔،", "\x00\x01\x7f\u200b\u200d\ufeff\ufffd\u00ad", "ﬁﬂﾊﾟ①㌔™Ⅻſ", "▁_Ġ#@"]
WORDS = [w for s in CORPUS[:5] for w in s.split(" ")] + ["  ", "\n\n", "1234567", "don't", "I'LL", "``x''", "<s>", "</s>", "<mask>",
         "<mask> ", " <mask>", "<|end|>", "<|end|>\n x", "[MASK]", "▁<PRE>", "<extra_id_0>", "</w>", "##a", "\u1100\u1161", "e\u0301"]
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
UP, LOW = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
HEAD, END = r"[^\r\n\p{L}\p{N}]?", r"\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = HEAD + UP + "*" + LOW + "+|" + HEAD + UP + "+" + LOW + r"*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|" + END
ALPHABET = P.ByteLevel.alphabet()


def varint(b, i):
    n = shift = 0
    while True:
        n |= (b[i] & 127) << shift
        shift, i = shift + 7, i + 1
        if b[i - 1] < 128:
            return n, i


def field(b, want):
    """The bytes of a field of a protobuf message."""
    i = 0
    while i < len(b):
        key, i = varint(b, i)
        n, i = varint(b, i) if key & 7 in (0, 2) else (0, i)
        size = {0: 0, 1: 8, 2: n, 5: 4}[key & 7]
        if key == want << 3 | 2:
            return b[i:i + size]
        i += size
    raise KeyError(want)


def charsmap(name):
    """SentencePiece's own map, as Precompiled takes it."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(CORPUS), model_writer=out, vocab_size=260, minloglevel=9,
                                             normalization_rule_name=name, hard_vocab_limit=False)
    return N.Precompiled(field(field(out.getvalue(), 3), 2))     # normalizer_spec.precompiled_charsmap


NMT = charsmap("nmt_nfkc")
NMT_CF = charsmap("nmt_nfkc_cf")
TWO = N.Replace(Regex(" {2,}"), " ")


def bytelevel(prefix=False, regex=True):
    return P.ByteLevel(add_prefix_space=prefix, use_regex=regex)


def bpe(norm, pre, post, dec, special=("<unk>", "<s>", "</s>", "<mask>"), size=500, alphabet=ALPHABET, **model):
    t = Tokenizer(models.BPE(**model))
    t.normalizer, t.pre_tokenizer = norm, pre
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, special_tokens=list(special), show_progress=False,
        **{k: model[k] for k in ("end_of_word_suffix", "continuing_subword_prefix") if model.get(k)}))
    finish(t, post, dec)
    return t


def unigram(norm, pre, post, dec, special=("<unk>", "<s>", "</s>", "<mask>"), **model):
    t = Tokenizer(models.Unigram())
    t.normalizer, t.pre_tokenizer = norm, pre
    t.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=300, special_tokens=list(special), unk_token="<unk>",
                                                          show_progress=False))
    finish(t, post, dec)
    return t


def wordpiece(norm, post, special=("[UNK]", "[CLS]", "[SEP]", "[MASK]"), pre=None, **more):
    t = Tokenizer(models.WordPiece(unk_token="[UNK]", **more))
    t.normalizer, t.pre_tokenizer = norm, pre or P.BertPreTokenizer()
    t.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=list(special), show_progress=False))
    finish(t, post, D.WordPiece(prefix="##"))
    return t


def finish(t, post, dec):
    if post is not None:
        t.post_processor = post(t)
    if dec is not None:
        t.decoder = dec


def template(single, *tokens):
    return lambda t: X.TemplateProcessing(single=single, special_tokens=[(x, t.token_to_id(x)) for x in tokens])


def pair(kind, a, b, **more):
    return lambda t: kind((b, t.token_to_id(b)), (a, t.token_to_id(a)), **more)


def add(t, *tokens):
    for text, special, how in tokens:
        token = AddedToken(text, **how)
        (t.add_special_tokens if special else t.add_tokens)([token])
    return t


def llama(norm, pre, dec, *tokens):
    """Characters and bytes, as SentencePiece's BPE becomes."""
    t = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = N.Replace(" ", "▁")
    t.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=520, show_progress=False, max_token_length=9,
        special_tokens=["<unk>", "<s>", "</s>"] + ["<0x%02X>" % i for i in range(256)]))
    j = json.loads(t.to_str())
    j["added_tokens"] = [x for x in j["added_tokens"] if not x["content"].startswith("<0x")]
    t = Tokenizer.from_str(json.dumps(j))
    if norm is not None:
        t.normalizer = norm
    else:
        t.normalizer = N.Sequence([])
    if pre is not None:
        t.pre_tokenizer = pre
    finish(t, template("<s> $A", "<s>"), dec)
    return add(t, *tokens)


STRIP = D.Sequence([D.Replace("▁", " "), D.ByteFallback(), D.Fuse(), D.Strip(" ", 1, 0)])
FILL = N.Sequence([N.Prepend("▁"), N.Replace(" ", "▁")])
ROBERTA = pair(X.RobertaProcessing, "<s>", "</s>", trim_offsets=True, add_prefix_space=False)
BERT = template("[CLS] $A [SEP]", "[CLS]", "[SEP]")
MASK = ("<mask>", True, {"lstrip": True})
KINDS = {
    "clip": lambda: bpe(N.Sequence([N.NFC(), N.Replace(Regex(r"\s+"), " "), N.Lowercase()]), P.Sequence([
        P.Split(Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"), "removed", invert=True), bytelevel()]),
        pair(X.RobertaProcessing, "<s>", "</s>", trim_offsets=False, add_prefix_space=False), D.ByteLevel(),
        unk_token="<unk>", end_of_word_suffix="</w>", continuing_subword_prefix=""),
    "gpt1": lambda: bpe(N.BertNormalizer(lowercase=True), P.BertPreTokenizer(), None, D.BPEDecoder(suffix="</w>"), alphabet=[],
                        unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=False),
    "herbert": lambda: bpe(N.BertNormalizer(lowercase=False, strip_accents=False), P.BertPreTokenizer(),
                           pair(X.BertProcessing, "<s>", "</s>"), D.BPEDecoder(suffix="</w>"), alphabet=[],
                           unk_token="<unk>", end_of_word_suffix="</w>"),
    "xlm": lambda: bpe(N.Sequence([N.Replace(Regex("[，、]"), ","), N.Replace(Regex(r"。 *"), ". "), N.Replace("“", '"'), N.NFKC(),
                                   N.Lowercase(), N.StripAccents(), N.Strip()]), P.Whitespace(), template("<s> $A </s>", "<s>", "</s>"),
                       D.BPEDecoder(suffix="</w>"), alphabet=[], unk_token="<unk>", end_of_word_suffix="</w>", fuse_unk=True),
    "roberta": lambda: add(bpe(None, bytelevel(), ROBERTA, D.ByteLevel()), MASK),
    "bart_prefix": lambda: add(bpe(None, bytelevel(True), pair(X.RobertaProcessing, "<s>", "</s>", trim_offsets=True,
                                                                add_prefix_space=True), D.ByteLevel()), MASK),
    "deberta": lambda: add(bpe(None, bytelevel(), BERT, D.ByteLevel(), special=("[CLS]", "[SEP]", "[MASK]", "<unk>")),
                           ("[MASK]", True, {"lstrip": True, "normalized": True})),
    "neox": lambda: add(bpe(N.NFC(), bytelevel(), lambda t: X.ByteLevel(trim_offsets=True), D.ByteLevel()),
                        *((" " * n, False, {"normalized": True}) for n in range(24, 1, -1)), ("|||IP|||", False, {})),
    "modernbert": lambda: add(bpe(N.NFC(), bytelevel(), template("[CLS] $A:0 [SEP]:0", "[CLS]", "[SEP]"), D.ByteLevel(), special=(
        "[CLS]", "[SEP]", "[MASK]")), ("[MASK]", True, {"lstrip": True}), *((" " * n, False, {}) for n in range(2, 9))),
    "bloom": lambda: bpe(None, P.Sequence([P.Split(Regex(r" ?[^(\s|[.,!?…。，、।۔،])]+"), "isolated"), bytelevel(regex=False)]),
                         lambda t: X.ByteLevel(trim_offsets=False), D.ByteLevel()),
    "falcon": lambda: bpe(None, P.Sequence([P.Punctuation("contiguous"), bytelevel(), P.Digits(False),
                                            P.Split(Regex("[0-9][0-9][0-9]"), "isolated")]), None, D.ByteLevel()),
    "starcoder": lambda: bpe(None, P.Sequence([P.Digits(True), bytelevel()]), lambda t: X.ByteLevel(trim_offsets=True), D.ByteLevel()),
    "cohere": lambda: bpe(N.NFC(), P.Sequence([P.Digits(True), bytelevel()]), template("<s> $A", "<s>"), D.ByteLevel()),
    "nemotron": lambda: add(bpe(None, P.Sequence([P.Split(Regex(TEKKEN.replace(r"\p{N}|", r"\p{N}{1,3}|")), "isolated"),
                                                  bytelevel(regex=False)]), template("<s> $A", "<s>"), D.ByteLevel()),
                            ("<|end|>", True, {"rstrip": True})),
    "tekken": lambda: bpe(None, P.Sequence([P.Split(Regex(TEKKEN), "isolated"), bytelevel(regex=False)]), template("<s> $A", "<s>"),
                          D.ByteLevel(), ignore_merges=True),
    "whisper": lambda: bpe(None, bytelevel(), template("<s> <mask> $A </s>", "<s>", "<mask>", "</s>"), D.ByteLevel(), unk_token="<unk>"),
    "llama2": lambda: llama(FILL, None, STRIP),
    "codellama": lambda: llama(FILL, None, STRIP, *(("▁<%s>" % x, True, {"normalized": False}) for x in ("PRE", "MID", "SUF", "EOT"))),
    "llama_first": lambda: llama(None, P.Metaspace(prepend_scheme="first", split=False), STRIP),
    "llama_never": lambda: llama(None, P.Metaspace(prepend_scheme="never", split=False), STRIP),
    "mistral_first": lambda: llama(N.Sequence([N.Replace(" ", "▁")]), P.Metaspace(prepend_scheme="first", split=True), STRIP),
    "phi3": lambda: llama(FILL, None, STRIP, *((x, True, {"rstrip": True, "normalized": False}) for x in ("<|end|>", "<|user|>")),
                          ("</s>", False, {"rstrip": True})),
    "gemma": lambda: llama(N.Replace(" ", "▁"), P.Split(" ", "merged_with_previous"), D.Sequence([
        D.Replace("▁", " "), D.ByteFallback(), D.Fuse()]), ("\n\n", False, {"normalized": False}), ("▁▁▁", False, {"normalized": False}),
        ("<b>", False, {"normalized": False})),
    "t5": lambda: add(unigram(NMT, P.Sequence([P.WhitespaceSplit(), P.Metaspace()]), template("$A </s>", "</s>"), D.Metaspace()),
                      ("<extra_id_0>", True, {"lstrip": True, "rstrip": True})),
    "flan": lambda: add(unigram(N.Sequence([NMT, TWO]), P.Metaspace(), template("$A </s>", "</s>"), D.Metaspace()),
                        ("<extra_id_0>", True, {})),
    "mbart": lambda: add(unigram(N.Sequence([NMT, TWO]), P.Sequence([P.WhitespaceSplit(), P.Metaspace()]),
                                 template("$A </s> <s>", "</s>", "<s>"), D.Metaspace()), MASK),
    "camembert": lambda: add(unigram(N.Sequence([NMT, N.Replace(Regex(" {2,}"), "▁")]), P.Metaspace(),
                                     template("<s> $A </s>", "<s>", "</s>"), D.Metaspace()), MASK, ("<s>", True, {})),
    "albert": lambda: add(unigram(N.Sequence([N.Replace("``", '"'), N.Replace("''", '"'), N.NFKD(), N.StripAccents(), N.Lowercase(), NMT,
                                              TWO]), P.Metaspace(), BERT, D.Metaspace(), special=("<unk>", "[CLS]", "[SEP]", "[MASK]")),
                          ("[MASK]", True, {"lstrip": True, "normalized": False})),
    "xlnet": lambda: unigram(N.Sequence([N.Replace("``", '"'), N.Replace("''", '"'), NMT, TWO]), P.Metaspace(),
                             template("$A:0 </s>:0 <s>:2", "</s>", "<s>"), D.Metaspace()),
    "deberta_v2": lambda: add(unigram(N.Sequence([N.Lowercase(), N.Strip(), NMT, TWO]), P.Sequence([P.Punctuation("isolated"),
                              P.Metaspace()]), BERT, D.Metaspace(), special=("<unk>", "[CLS]", "[SEP]", "[MASK]")),
                              ("[MASK]", True, {"lstrip": True, "rstrip": True})),
    "pegasus": lambda: add(unigram(N.Sequence([NMT_CF, TWO]), P.Sequence([P.WhitespaceSplit(), P.Metaspace()]), template(
        "$A </s>", "</s>"), D.Metaspace()), ("<mask_1>", True, {})),
    "nllb": lambda: add(bpe(N.Sequence([NMT, N.Replace(Regex(" {2,}"), "▁")]), P.Metaspace(), template("<s> $A </s>", "<s>", "</s>"),
                            D.Metaspace(), alphabet=[], unk_token="<unk>", fuse_unk=True), MASK),
    "bert": lambda: wordpiece(N.BertNormalizer(), BERT),
    "bert_japanese": lambda: wordpiece(N.Sequence([N.NFKC(), N.BertNormalizer(handle_chinese_chars=False, lowercase=False,
                                                                             strip_accents=False)]), BERT,
                                       pre=P.Sequence([P.BertPreTokenizer(), P.UnicodeScripts()])),
    "bert_characters": lambda: wordpiece(N.BertNormalizer(lowercase=False), BERT, pre=P.Sequence([P.BertPreTokenizer(),
                                         P.FixedLength(1)])),
    "mpnet": lambda: add(wordpiece(N.BertNormalizer(), pair(X.RobertaProcessing, "[CLS]", "[SEP]", trim_offsets=True,
                         add_prefix_space=False)), ("[MASK]", True, {"lstrip": True})),
    "funnel": lambda: wordpiece(N.BertNormalizer(strip_accents=True), template("[CLS]:2 $A:0 [SEP]:0", "[CLS]", "[SEP]")),
    "word_ctc": lambda: ctc(),
}


def ctc():
    t = Tokenizer(models.WordLevel({c: i for i, c in enumerate(["<unk>", "<s>", "</s>", "|", *"abcdefghilmnorstuvwxyz'"])}, "<unk>"))
    t.normalizer = N.Sequence([N.Replace(" ", "|"), N.Lowercase()])
    t.pre_tokenizer = P.FixedLength(1)
    t.decoder = D.CTC(pad_token="<s>", word_delimiter_token="|", cleanup=True)
    return t


def text(rng):
    return "".join(rng.choice([rng.choice(WORDS), " " + rng.choice(WORDS), rng.choice(rng.choice(POOLS)), rng.choice(rng.choice(POOLS))])
                   for _ in range(rng.randint(0, 12)))


def lines(t, rng):
    for _ in range(COUNT):
        s = text(rng)
        e, full = t.encode(s, add_special_tokens=False), t.encode(s)
        yield json.dumps({"text": s, "ids": e.ids, "ids_special": full.ids, "offsets": e.offsets, "decoded": t.decode(
            e.ids, skip_special_tokens=False), "decoded_clean": t.decode(full.ids, skip_special_tokens=True)}, ensure_ascii=False)


bad = 0
for name in sys.argv[4:] or KINDS:
    rng = random.Random("%d %s" % (SEED, name))
    j = KINDS[name]().to_str()
    want = "".join(x + "\n" for x in lines(Tokenizer.from_str(j), rng))
    with open(name + ".json", "w", encoding="utf-8") as f:
        f.write(j)
    r = subprocess.run([UNIT, name + ".json"], input=want.encode(), capture_output=True)
    if r.returncode == 0:
        os.unlink(name + ".json")
        continue
    bad += 1
    with open(name + ".jsonl", "w", encoding="utf-8") as f:
        f.write(want)
    print(name + ":", r.stdout.decode(errors="replace"))
print("%d of %d differ" % (bad, len(sys.argv[4:] or KINDS)))
sys.exit(bad != 0)
