#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print lib/quant/iq-tables.inc: the grids of ggml's IQ1, IQ2 and IQ3 types, from gguf-py.

usage: iq_tables.py >lib/quant/iq-tables.inc

A point of a grid is one number: the codes of its 8 (IQ1, IQ2: two bits) or 4 (IQ3: three bits) coordinates, the first one lowest.
"""
import sys
sys.path.pop(0)                             # gguf.py beside this file is not the package
import numpy as np
from gguf import quants

print("/* SPDX-License-Identifier: Apache-2.0 */\n/* Made by tests/parity/iq_tables.py. */")
for name in ("IQ1_S", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S"):
    t = getattr(quants, name)
    t.init_grid()
    codes = np.searchsorted(np.array(t.grid_map), t.grid.reshape(t.grid_shape))
    assert (np.array(t.grid_map)[codes] == t.grid.reshape(t.grid_shape)).all()
    bits = 16 // t.grid_shape[1] if t.grid_shape[1] == 8 else 3
    words = (codes << bits * np.arange(t.grid_shape[1])).sum(axis=1)
    print("." + name.lower() + " = {")
    for i in range(0, len(words), 9):
        print("\t" + " ".join("0x%04x," % w for w in words[i:i + 9]))
    print("},")
