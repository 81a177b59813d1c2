#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print lib/text/nfc-tables.inc: combining classes and decompositions.

As in unicode_tables.py the software to be matched is asked: Hugging Face
tokenizers (0.23.3) normalises by an older Unicode than it splits by.  Python's
unicodedata says what there is to ask for.
"""
import unicodedata
import tokenizers
from tokenizers.normalizers import NFC, NFD

nfc, nfd = NFC().normalize_str, NFD().normalize_str
POINTS = [c for c in range(1, 0x110000) if not 0xd800 <= c <= 0xdfff]
HANGUL = range(0xac00, 0xd7a4)


def combining(c):
    """Its class, 0 if it is not moved before or behind another mark."""
    k, ch = unicodedata.combining(chr(c)), chr(c)
    if k and (nfd("a\u0345" + ch) == "a" + ch + "\u0345" or
              k == 240 and nfd("a" + ch + "\u0301") == "a\u0301" + ch):
        return k
    return 0


ranges = []
for c in POINTS:
    k = combining(c)
    if k and ranges and ranges[-1][1] == c - 1 and ranges[-1][2] == k:
        ranges[-1][1] = c
    elif k:
        ranges.append([c, c, k])

rows = []
for c in POINTS:
    if c in HANGUL or nfd(chr(c)) == chr(c):
        continue
    parts = [int(x, 16) for x in unicodedata.decomposition(chr(c)).split()]
    assert nfd("".join(map(chr, parts))) == nfd(chr(c)), hex(c)
    rows.append((c, parts[0], parts[1] if len(parts) > 1 else 0,
                 nfc(chr(c)) == chr(c)))
pairs = sorted((a, b, i) for i, (_, a, b, whole) in enumerate(rows) if whole)
assert all(b for _, b, _ in pairs)
assert len({p[:2] for p in pairs}) == len(pairs)

# What NFC may change, or join to what is before it.
seconds = {b for _, b, _ in pairs} | set(range(0x1161, 0x1176)) | \
    set(range(0x11a8, 0x11c3))
active = sorted(seconds | {c for c, _, _, whole in rows if not whole} |
                {c for f, t, _ in ranges for c in range(f, t + 1)})
spans = []
for c in active:
    if spans and spans[-1][1] == c - 1:
        spans[-1][1] = c
    else:
        spans.append([c, c])


def table(kind, name, items):
    print("\nstatic const %s %s[] = {" % (kind, name), end="")
    column = 80
    for item in items:
        if column + len(item) + 1 > 78:
            print("\n\t" + item, end="")
            column = 8 + len(item)
        else:
            print(" " + item, end="")
            column += 1 + len(item)
    print("\n};")


print("/* SPDX-License-Identifier: Apache-2.0 */")
print("/* Made by tests/parity/nfc_tables.py with tokenizers %s. */"
      % tokenizers.__version__)
table("struct marks", "marks", ("{ 0x%x, 0x%x, %d }," % tuple(r) for r in ranges))
table("struct span", "active", ("{ 0x%x, 0x%x }," % tuple(s) for s in spans))
table("struct peft_form_parts", "parts", ("{ 0x%x, 0x%x, 0x%x }," % r[:3] for r in rows))
table("unsigned short", "by_parts", ("%d," % i for _, _, i in pairs))
