# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's logits of GGUF files of the models of golden/families: families_llamacpp.py NAME ...

NAME.gguf (f32) against NAME/golden.safetensors, what transformers computed.  llama.cpp computes f32 weights in f32, but has tables of
f16 for some activations: LIMIT of the largest logit.
"""
import sys
import numpy
import llama_cpp
from safetensors.numpy import load_file

LIMIT = 2e-3
for name in sys.argv[1:]:
    golden = load_file(name + "/golden.safetensors")
    sequences, want = golden["input_ids"].tolist(), golden["logits"]
    try:
        m = llama_cpp.Llama(name + ".gguf", verbose=False, n_ctx=64, n_threads=1, logits_all=True, type_k=0, type_v=0)
    except Exception as e:
        print("bad %s: llama.cpp does not load it: %s" % (name, e), flush=True)
        continue
    got = []
    for ids in sequences:
        m.reset()
        m.eval(ids)
        got.append(m.scores[:len(ids)].copy())
    got = numpy.stack(got)
    far = abs(got - want).max() / abs(want).max()
    print("%s %s: logits of llama.cpp differ by %.1e of the largest from those of transformers (limit %.0e)"
          % ("ok" if far <= LIMIT else "bad", name, far, LIMIT), flush=True)
