#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print lib/text/unicode-tables.inc: the general category of each code point.

Pre-tokenizers must split as Hugging Face tokenizers do, whatever Unicode is
current, so its own Oniguruma is asked (needs the package tokenizers; 0.23.3,
whose Oniguruma knows Unicode 16.0, made the committed file).  Two letters are
not general categories: W, a control character that is white space, and n,
what the pre-tokenizer Digits takes for a number although \\p{N} does not (its
Rust is of another Unicode).
"""
import sys
import tokenizers
from tokenizers import Regex
from tokenizers.pre_tokenizers import Digits, Split

CATEGORIES = ("Cn Cc Cf Cs Co Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No "
              "Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs").split()
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVXYZabcde"	# of CATEGORIES, without W
LIMIT, BLOCK = 0x40000, 64	# above: unicode.c
POINTS = [c for c in range(1, 0x110000) if not 0xd800 <= c <= 0xdfff]


def matched(pattern):
    split, got = Split(Regex(pattern), "removed"), set()
    for i in range(0, len(POINTS), 4096):
        some = POINTS[i:i + 4096]
        left = set()
        for t, _ in split.pre_tokenize_str("".join(map(chr, some))):
            left.update(t)
        got.update(c for c in some if chr(c) not in left)
    return got


def numbers():
    digits, got = Digits(individual_digits=True), set()
    for i in range(0, len(POINTS), 4096):
        s = "a".join(map(chr, POINTS[i:i + 4096]))
        got.update(ord(t) for t, _ in digits.pre_tokenize_str(s)
                   if len(t) == 1 and t != "a")
    return got


gc = ["A"] * 0x110000
gc[0] = LETTERS[CATEGORIES.index("Cc")]
for name, letter in zip(CATEGORIES[1:], LETTERS[1:]):
    if name != "Cs":
        for c in matched(r"\p{%s}" % name):
            gc[c] = letter
for c in matched(r"\s"):
    if gc[c] == LETTERS[CATEGORIES.index("Cc")]:
        gc[c] = "W"
for c in numbers() - matched(r"\p{N}"):
    assert gc[c] == "A"
    gc[c] = "n"
high = {c: gc[c] for c in range(LIMIT, 0xf0000) if gc[c] != "A"}
assert all(v == ("M" if 0xe0100 <= c <= 0xe01ef else "C") for c, v in high.items()), high
assert sorted(high) == [0xe0001, *range(0xe0020, 0xe0080), *range(0xe0100, 0xe01f0)]

blocks, index = {}, []
for at in range(0, LIMIT, BLOCK):
    index.append(blocks.setdefault("".join(gc[at:at + BLOCK]), len(blocks)))
print("/* SPDX-License-Identifier: Apache-2.0 */")
print("/* Made by tests/parity/unicode_tables.py with tokenizers %s. */\n"
      % tokenizers.__version__)
print("static const char blocks[][%d] = {" % (BLOCK + 1))
for b in blocks:
    print('\t"%s",' % b)
print("};\n\nstatic const unsigned short block_of[] = {", end="")
for i, n in enumerate(index):
    print("%s%d," % ("\n\t" if i % 16 == 0 else " ", n), end="")
print("\n};")
