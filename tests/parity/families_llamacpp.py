# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's logits of GGUF files of the models of golden/families: families_llamacpp.py NAME ...

NAME.gguf (f32) against NAME/golden.safetensors, what transformers computed.  llama.cpp computes f32 weights in f32, but has tables of
f16 for some activations: LIMIT of the largest logit.  So are ours (logits-tool's) of the same file: OURS.
"""
import subprocess
import sys
import numpy
import llama_cpp
from safetensors.numpy import load_file

LIMIT, OURS = 2e-3, 1e-4
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
    lines = "".join('{"input_ids":%s,"labels":%s}\n' % (ids, ids) for ids in sequences)
    ours = numpy.frombuffer(subprocess.run(["logits-tool", name + ".gguf"], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout,
                            dtype=numpy.float32).reshape(want.shape)
    far, own = (abs(x - want).max() / abs(want).max() for x in (numpy.stack(got), ours))
    print("%s %s: from transformers' logits those of llama.cpp differ by %.1e of the largest (limit %.0e), ours by %.1e (limit %.0e)"
          % ("ok" if far <= LIMIT and own <= OURS else "bad", name, far, LIMIT, own, OURS), flush=True)
