# SPDX-License-Identifier: Apache-2.0
"""A mixture of experts quantised by llama.cpp and by us, with an importance matrix and without: experts.py FILE.gguf IMATRIX.gguf MODEL

FILE.gguf holds MODEL in f32.  All tensors' bytes, and the metadata of the quantisation, must be the same; a mix where the name is one.
"""
import ctypes, subprocess, sys
import numpy
import llama_cpp
from gguf import GGUFReader
from llamacpp_files import FTYPES, tensors

path, imatrix, model = sys.argv[1:]
reader = {t.name: numpy.array(t.data) for t in GGUFReader(imatrix).tensors}
keep = []
for n in sorted(reader):
    if n.endswith(".in_sum2"):
        name = n[:-len(".in_sum2")]
        counts = reader[name + ".counts"].reshape(-1, 1)
        sums = reader[n].reshape(len(counts), -1)
        keep.append((name.encode(), numpy.where(counts > 0, sums / numpy.maximum(counts, 1), 1).astype(numpy.float32)))
data = (llama_cpp.llama_model_imatrix_data * (len(keep) + 1))()
for d, (n, m) in zip(data, keep):
    d.name, d.data, d.size = n, m.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), m.size
for t in "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "iq4_nl", "q2_k", "q4_k", "iq2_xs", "iq3_s":
    for weighed in (True,) if t.startswith("iq2") else (False, True):
        p = llama_cpp.llama_model_quantize_default_params()
        p.ftype, p.imatrix = FTYPES[t], data if weighed else None
        good = llama_cpp.llama_model_quantize(path.encode(), b"theirs.gguf", ctypes.byref(p)) == 0
        options = ["--imatrix", imatrix] if weighed else []
        mix = {"q4_k": "q4_k_s"}.get(t, t)
        subprocess.run(["peft-quantize", "-q", "-f", "-t", mix, "-o", "ours.gguf"] + options + [model])
        a, b = tensors("ours.gguf"), tensors("theirs.gguf") if good else {}
        wrong = [n for n in b if a.get(n) != b[n]]
        print("%s %s%s: %d of %d tensors as llama.cpp makes them %s" % ("ok" if good and not wrong and len(a) == len(b) else "bad", t,
              " with the matrix" if weighed else "", len(b) - len(wrong), len(a), ["%s %s %s" % (n, a[n][0], b[n][0]) for n in wrong[:3]]), flush=True)
