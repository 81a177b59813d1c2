#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Singular values by numpy, for tests/lowrank-unit.c.

lowrank_golden.py OUT.safetensors

w.NAME         [m, n]  a matrix, and
w.NAME.values  [min]   its singular values
b.NAME a.NAME  [m, r] [r, n]  two factors, and
ba.NAME.values [r]     the singular values of their product (0 beyond its rank)
ba.NAME.ranks  [2]     effective rank by entropy, stable rank
"""
import sys

import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(7)
out = {}
for name, m, n in (("tall", 40, 24), ("wide", 24, 40), ("square", 32, 32)):
    w = rng.standard_normal((m, n)) * np.geomspace(1, 0.01, n)
    w = w.astype(np.float32)
    out["w." + name] = w
    out[f"w.{name}.values"] = np.linalg.svd(w.astype(np.float64),
                                            compute_uv=False)
for name, m, n, r in (("thin", 30, 20, 5), ("fat", 4, 30, 6),
                      ("narrow", 30, 3, 6), ("one", 9, 7, 1)):
    b = rng.standard_normal((m, r)).astype(np.float32)
    a = rng.standard_normal((r, n)).astype(np.float32)
    a *= np.linspace(1, 0.1, r, dtype=np.float32)[:, None]
    s = np.linalg.svd(b.astype(np.float64) @ a.astype(np.float64),
                      compute_uv=False)[:r]
    p = s[s > 1e-12 * s[0]] / s.sum()
    out["b." + name], out["a." + name] = b, a
    out[f"ba.{name}.values"] = np.pad(s, (0, r - len(s)))
    out[f"ba.{name}.ranks"] = np.array(
        [np.exp(-(p * np.log(p)).sum()), (s ** 2).sum() / s[0] ** 2])
save_file(out, sys.argv[1])
