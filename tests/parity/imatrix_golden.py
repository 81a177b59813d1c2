#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/golden/quant/imatrix.safetensors: what ggml's quantisers (the library in llama-cpp-python) make of a few rows with an importance
matrix, byte for byte.

usage: imatrix_golden.py OUT

long.input f32 [6, 1024], long.importance f32 [1024]; TYPE.long u8, of every type that takes notice of importances; TYPE.long_plain u8: without,
of those grid types that can do without.
short.input f32 [3, 800], short.importance f32 [800]; TYPE.short u8, of the types of blocks of 32: rows are no multiple of 256.
"""
import ctypes, os, sys
sys.path.pop(0)                             # gguf.py beside this file is not the package
import numpy as np
import llama_cpp
from gguf import GGMLQuantizationType as G, quants
from safetensors.numpy import save_file

SMALL = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL")
LARGE = ("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_XS", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S")
rng = np.random.default_rng(23)
ggml = ctypes.CDLL(os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libggml-base.so"))
ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int] + [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 3 + [ctypes.c_void_p]


def blocks(n):
    """Rows of n: like weights, twice; of heavy tails; of few values, with zeros of both signs; groups of any size; a mixture of blocks of
    nothing, of one sign, and of denormals."""
    r = lambda: rng.standard_normal(n)
    yield r() * 0.04
    yield r() * 0.02 + 0.001
    yield r() * np.exp(2 * r())
    yield np.where(rng.random(n) < 0.3, -0.0, (r() * 4).round() / 64)
    yield r() * np.repeat(10.0 ** rng.integers(-9, 3, n // 16), 16)
    yield abs(r()) * np.repeat(rng.choice([0, 1, -1, 1e-39], n // 32), 32)


def importances(n):
    """Of all sizes; the same; mostly none; none at all; a few large ones: a stretch each."""
    w = np.exp(3 * rng.standard_normal(n))
    k = n // 5
    w[k:2 * k] = 1
    w[2 * k:3 * k] *= rng.random(k) < 0.2
    w[3 * k:3 * k + 48] = 0
    w[4 * k:] = rng.random(n - 4 * k) + 1e5 * (rng.random(n - 4 * k) < 0.03)
    return w.astype(np.float32)


h = {}
for kind, cols, rows, types in (("long", 1024, 6, SMALL + LARGE), ("short", 800, 3, SMALL)):
    x = np.stack(list(blocks(cols))[:rows]).astype(np.float32)
    w = importances(cols)
    h[kind + ".input"], h[kind + ".importance"] = x, w
    for name in types:
        per, size = quants.GGML_QUANT_SIZES[G[name]]
        q = np.zeros(x.size // per * size, np.uint8)
        assert ggml.ggml_quantize_chunk(int(G[name]), x.ctypes.data, q.ctypes.data, 0, rows, cols, w.ctypes.data) == q.size
        h[name.lower() + "." + kind] = q
        if name in ("IQ1_M", "IQ2_S", "IQ3_XXS", "IQ3_S"):
            q = q.copy()
            ggml.ggml_quantize_chunk(int(G[name]), x.ctypes.data, q.ctypes.data, 0, rows, cols, None)
            h["%s.%s_plain" % (name.lower(), kind)] = q
save_file(h, sys.argv[1])
