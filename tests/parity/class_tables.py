#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print lib/text/class-tables.inc: classes of characters as Hugging Face
tokenizers' normalisers and pre-tokenizers see them.

As in unicode_tables.py the software to be matched is asked (tokenizers 0.23.3):
its parts are of several Unicodes, some of them ten years old.
"""
import tokenizers
from tokenizers.normalizers import BertNormalizer, StripAccents
from tokenizers.pre_tokenizers import Punctuation, UnicodeScripts

POINTS = [c for c in range(0x110000) if not 0xd800 <= c <= 0xdfff]
OFF = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
clean = BertNormalizer(**{**OFF, "clean_text": True}).normalize_str
marks = BertNormalizer(**{**OFF, "strip_accents": True}).normalize_str
accents, punctuation = StripAccents().normalize_str, Punctuation("removed").pre_tokenize_str
scripts = UnicodeScripts().pre_tokenize_str


def removed(f):
    return [c for c in POINTS if f("a" + chr(c) + "b") == "ab"]


def ranges(points):
    out = []
    for c in points:
        if out and out[-1][1] == c - 1:
            out[-1][1] = c
        else:
            out.append([c, c])
    return out


def show(name, rows):
    print("static const struct %s[] = {" % name)
    line = ""
    for r in rows:
        item = "{ " + ", ".join("%#x" % x if i < 2 else "%d" % x for i, x in enumerate(r)) + " },"
        if len(line) + len(item) > 70:
            print("\t" + line.rstrip())
            line = ""
        line += item + " "
    print("\t" + line.rstrip() + "\n};")


def script_rows():
    """Runs of one script each; those of none (Any) are left out."""
    some = [c for c in POINTS if len(scripts("a" + chr(c) + "я")) != 2 or
            len(scripts("я" + chr(c) + "a")) != 2]
    # of the same script as "a" and as "я", which look alike but are not "Any"
    some = sorted(set(some) | {c for c in POINTS if len(scripts(chr(c) + "a")) == 1
                               and len(scripts(chr(c) + "я")) == 2
                               or len(scripts(chr(c) + "я")) == 1
                               and len(scripts(chr(c) + "a")) == 2})
    rows, firsts = [], []
    for c in some:
        if rows and rows[-1][1] == c - 1 and len(scripts(chr(c - 1) + chr(c))) == 1:
            rows[-1][1] = c
            continue
        for k, first in enumerate(firsts):
            if len(scripts(first + chr(c))) == 1:
                break
        else:
            k = len(firsts)
            firsts.append(chr(c))
        rows.append([c, c, k])
    return rows


print("/* SPDX-License-Identifier: Apache-2.0 */")
print("/* Made by tests/parity/class_tables.py with tokenizers %s. */\n" % tokenizers.__version__)
show("span punctuation", ranges(c for c in POINTS if len(punctuation("a" + chr(c) + "b")) == 2))
show("span nonspacing", ranges(removed(marks)))
show("span combining", ranges(removed(accents)))
show("span other", ranges(removed(clean)))
show("script scripts", script_rows())
