#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/golden/quant: what bitsandbytes and gguf-py make of a few numbers, byte for byte.

usage: quant_golden.py TINY_MODEL OUT        (TINY_MODEL: tests/golden/tiny/model)

OUT/bnb.safetensors    w.ID f32, ID ends in .b and the block size; for nf4 and fp4 ID.TYPE.packed u8, .absmax f32, and doubly quantised
                       .dq.packed, .dq.absmax u8, .dq.nested_absmax, .dq.nested_map, .dq.offset f32; for small ones .dequant and .dq.dequant.
                       ID.int8.q i8 and .int8.scale f32: LLM.int8, row by row.
                       mean.N: torch's mean, in one thread, of x[i] = (i * 2654435761 mod 2^32 >> 8) / 2^24, i < N.
OUT/ggml.safetensors   TYPE.bytes u8, blocks of random bits with sane scales, and TYPE.values f32, what they stand for; TYPE.input f32 and
                       TYPE.encoded u8 for the types that gguf-py writes; all.input f32 and TYPE.quantised u8: what ggml itself (the library in
                       llama-cpp-python) makes of it without an importance matrix.
OUT/tiny-*.txt         every tensor that transformers saves of TINY_MODEL quantised: name, type, shape, begin of sha256 of its bytes (a quant_state as text).

The numbers in bnb.safetensors do not depend on the machine but for nested_map and what follows from it (torch.linspace differs in the last bit
between builds): this wants a machine on which torch uses AVX2 (ATEN_CPU_CAPABILITY=avx2).
"""
import ctypes, hashlib, os, sys, tempfile
sys.path.pop(0)                             # gguf.py beside this file is not the package
import numpy as np, torch
import bitsandbytes.functional as F
import llama_cpp
from gguf import GGMLQuantizationType as G, quants
from safetensors import safe_open
from safetensors.torch import save_file
from safetensors.numpy import save_file as save_numpy
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

model, out = sys.argv[1:3]
assert torch.backends.cpu.get_cpu_capability() == "AVX2", "ATEN_CPU_CAPABILITY=avx2"
torch.set_num_threads(1)
g = {}

def four(w, ident, bs, values):
    k = "%s.b%d" % (ident, bs); g["w." + k] = w
    for t in ("nf4", "fp4"):
        p = k + "." + t
        q, s = F.quantize_4bit(w, blocksize=bs, quant_type=t)
        g[p + ".packed"], g[p + ".absmax"] = q, s.absmax
        if values: g[p + ".dequant"] = F.dequantize_4bit(q, s)
        q, s = F.quantize_4bit(w, blocksize=bs, quant_type=t, compress_statistics=True)
        g[p + ".dq.packed"], g[p + ".dq.absmax"], g[p + ".dq.nested_absmax"] = q, s.absmax, s.state2.absmax
        g[p + ".dq.nested_map"], g[p + ".dq.offset"] = s.state2.code, s.offset.reshape(1)
        if values: g[p + ".dq.dequant"] = F.dequantize_4bit(q, s)

def edges():
    """Blocks of 64: zeros; one denormal; midpoints of NF4's codes and their neighbours, scale 1; the same of FP4's; one sign; large; a short one."""
    b = [torch.zeros(64), torch.zeros(64)]
    b[1][5] = 1e-39
    for t in ("nf4", "fp4"):
        m = torch.sort(F.get_4bit_type(t, device="cpu"))[0]
        m = (m[1:] + m[:-1]) / 2
        inf = torch.full_like(m, float("inf"))
        x = torch.cat([m, torch.nextafter(m, inf), torch.nextafter(m, -inf), -m, torch.tensor([1.0, -1.0, 0.0, -0.0])])
        b.append(x[:64])
    b += [torch.rand(64) * 0.01 + 1, torch.randn(64) * 1e37, torch.full((64,), -0.5), torch.cat([torch.randn(21), torch.zeros(10)])]
    return torch.cat(b).reshape(1, -1)

torch.manual_seed(20)
heavy = torch.randn(5, 33) * torch.exp(1.5 * torch.randn(5, 33))
heavy[0:2] = 0
four(heavy, "5x33.heavy", 64, True)
g["5x33.heavy.int8.q"], g["5x33.heavy.int8.scale"], _ = F.int8_vectorwise_quant(heavy)
four(torch.randn(2, 64) * 0.04, "2x64.normal", 32, True)
four(torch.zeros(1, 64), "1x64.zero", 64, True)
four(torch.zeros(1, 70), "1x70.zero", 64, True)
four(edges(), "edges", 64, False)
# two blocks of scales; few bits, so that the file packs well
four((torch.randn(270, 64) * 8 * torch.exp(torch.randn(270, 1))).round() / 64, "270x64.coarse", 64, False)
for n in (7, 9, 100, 8200, 140001, 17000001):
    x = (np.arange(n, dtype=np.uint64) * 2654435761 % 2 ** 32 >> 8).astype(np.float32) / np.float32(2 ** 24)
    g["mean.%d" % n] = torch.from_numpy(x).mean().reshape(1)
save_file({k: v.detach().clone().contiguous() for k, v in g.items()}, os.path.join(out, "bnb.safetensors"))

# where the 16-bit scales are in a block; the rest is any bits
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2],
          "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": []}
rng, h = np.random.default_rng(21), {}
for name, at in SCALES.items():
    t = G[name]
    size = quants.GGML_QUANT_SIZES[t]
    n = 512 // size[0]
    b = rng.integers(0, 256, (n, size[1]), dtype=np.uint8)
    for a in at: b[:, a:a + 2] = (rng.standard_normal(n) * 0.01).astype(np.float16).view(np.uint8).reshape(n, 2)
    if name == "MXFP4": b[:, 0] = [0, 1, 2, 3] + list(rng.integers(100, 150, n - 5)) + [252]
    h[name.lower() + ".bytes"], h[name.lower() + ".values"] = b, quants.dequantize(b, t).astype(np.float32).reshape(-1)
for name in ("F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0"):
    x = (rng.standard_normal((1, 512)) * np.exp(rng.standard_normal((1, 512)))).astype(np.float32)
    x[0, 0:32] = 0; x[0, 32:64] = -1.5; x[0, 64:96] = np.arange(32) - 16; x[0, 96:128] *= 1e-7
    x[0, 128:160] = np.arange(32) - 15.5; x[0, 140] = 127         # halves, with a scale of 1
    h[name.lower() + ".input"], h[name.lower() + ".encoded"] = x.reshape(-1), np.frombuffer(quants.quantize(x, G[name]).tobytes(), np.uint8).copy()

# what gguf-py has no writer for, by ggml's own; from another seed, so that what is above stays as it is
rng = np.random.default_rng(22)
def decoded(name, at, n):
    t = G[name]
    b = rng.integers(0, 256, (n, quants.GGML_QUANT_SIZES[t][1]), dtype=np.uint8)
    d = (rng.standard_normal(n) * 0.01).astype(np.float16)
    if name == "IQ1_M":                     # a quarter of d at the top of each of four words
        for k in range(4): b[:, 49 + 2 * k] = (b[:, 49 + 2 * k] & 15) | (d.view(np.uint16) >> 4 * k & 15).astype(np.uint8) << 4
    else: b[:, at:at + 2] = d.view(np.uint8).reshape(n, 2)
    h[name.lower() + ".bytes"], h[name.lower() + ".values"] = b, quants.dequantize(b, t).astype(np.float32).reshape(-1)
for name, at in (("TQ1_0", 52), ("TQ2_0", 64)): decoded(name, at, 2)
ggml = ctypes.CDLL(os.path.join(os.path.dirname(llama_cpp.__file__), "lib", "libggml-base.so"))
ggml.ggml_quantize_chunk.restype = ctypes.c_size_t
ggml.ggml_quantize_chunk.argtypes = [ctypes.c_int] + [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 3 + [ctypes.c_void_p]

def blocks():
    """Blocks of 256: like weights; of heavy tails; of few values; nothing; one each of 32; around where a group counts as zero; groups of any size;
    one sign, above and below zero; three values; large; zeros of both signs; denormals (not for mxfp4)."""
    n = lambda: rng.standard_normal(256)
    yield n() * 0.04
    yield n() * np.exp(2 * n())
    yield (n() * 4).round() / 64
    yield n() * 0
    yield np.repeat(n()[:8], 32)
    yield n() * 1e-15
    yield n() * np.repeat(10.0 ** rng.integers(-9, 3, 16), 16)
    yield abs(n()) + 0.5
    yield -abs(n()) * 0.1
    yield rng.choice([-0.5, 0, 0.5], 256)
    yield (n() * 30000).clip(-65000, 65000)
    yield np.where(rng.random(256) < 0.8, -0.0, n())
    yield n() * 1e-40

x = np.concatenate(list(blocks())).astype(np.float32)
h["all.input"] = x
for name in ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS", "MXFP4", "TQ1_0", "TQ2_0"):
    n = x.size - (256 if name == "MXFP4" else 0)
    per, size = quants.GGML_QUANT_SIZES[G[name]]
    q = np.zeros(n // per * size, np.uint8)
    assert ggml.ggml_quantize_chunk(int(G[name]), x.ctypes.data, q.ctypes.data, 0, 1, n, None) == q.size
    h[name.lower() + ".quantised"] = q
# points of grids: as many blocks as meet most of them
for name, n in (("IQ1_S", 16), ("IQ1_M", 2), ("IQ2_XXS", 8), ("IQ2_XS", 12), ("IQ2_S", 16), ("IQ3_XXS", 6), ("IQ3_S", 8)): decoded(name, 0, n)
save_numpy(h, os.path.join(out, "ggml.safetensors"))

def listing(d, name):
    lines = []
    with safe_open(os.path.join(d, "model.safetensors"), "pt") as f:
        for k in f.keys():
            t = f.get_tensor(k)
            raw = t.contiguous().view(torch.uint8).numpy().tobytes() if t.dim() else bytes(t.reshape(1).view(torch.uint8).numpy())
            dtype = f.get_slice(k).get_dtype()
            what = "sha256:" + hashlib.sha256(raw).hexdigest()[:16]
            if "quant_state" in k: lines.append("%s %s" % (k, raw.decode()))
            else: lines.append("%s %s %s %s" % (k, dtype, "x".join(map(str, t.shape)), what))
    with open(os.path.join(out, name), "w") as f: f.write("\n".join(sorted(lines)) + "\n")

for name, dtype, kind, double in (("nf4", torch.float32, "nf4", False), ("nf4-dq", torch.bfloat16, "nf4", True), ("fp4", torch.float16, "fp4", False)):
    c = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type=kind, bnb_4bit_use_double_quant=double, bnb_4bit_compute_dtype=torch.float32)
    m = AutoModelForCausalLM.from_pretrained(model, quantization_config=c, dtype=dtype, device_map="cpu")
    with tempfile.TemporaryDirectory() as d:
        m.save_pretrained(d)
        listing(d, "tiny-%s.txt" % name)
