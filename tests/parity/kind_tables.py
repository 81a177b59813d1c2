#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print lib/text/kind-tables.inc: the characters for which Python's str.isdigit, isnumeric, islower and isupper are more than
their general category says (Python 3.11, whose Unicode is 14.0, made the committed file)."""
import sys
import unicodedata


def table(name, holds):
    ranges = []
    for c in range(0x110000):
        if holds(chr(c), unicodedata.category(chr(c))):
            if ranges and ranges[-1][1] == c - 1:
                ranges[-1][1] = c
            else:
                ranges.append([c, c])
    print("\nstatic const struct range %s[] = {" % name)
    line = ""
    for a, b in ranges:
        item = "{ 0x%x, 0x%x }, " % (a, b)
        if len(line + item) > 71:
            print("\t" + line.rstrip())
            line = ""
        line += item
    print("\t" + line.rstrip() + "\n};")


print("/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by tests/parity/kind_tables.py with Python %d.%d. */" % sys.version_info[:2])
table("more_digits", lambda c, cat: c.isdigit() and not c.isdecimal())
table("more_numbers", lambda c, cat: c.isnumeric() and cat[0] != "N")
table("more_lower", lambda c, cat: c.islower() and cat != "Ll")
table("more_upper", lambda c, cat: c.isupper() and cat != "Lu")
