# SPDX-License-Identifier: Apache-2.0
"""llama.cpp's logits of GGUF files of the models of golden/families: families_llamacpp.py NAME ...

With --half, NAME.gguf is in f16: llama.cpp rounds what goes into products to it as well, so its logits are HALF of the largest from ours.
NAME.gguf (f32) against NAME/golden.safetensors, what transformers computed.  llama.cpp computes f32 weights in f32, but has tables of
f16 for some activations: LIMIT of the largest logit.  So are ours (logits-tool's) of the same file: OURS.
"""
import subprocess
import sys
import numpy
import llama_cpp
from safetensors.numpy import load_file

LIMIT, OURS, HALF = 2e-3, 1e-4, 2e-2
half = sys.argv[1] == "--half"
for name in sys.argv[1 + half:]:
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
    if half:
        far = abs(numpy.stack(got) - ours).max() / abs(ours).max()
        print("%s %s in 16 bits: llama.cpp's logits differ from ours by %.1e of the largest (limit %.0e)"
              % ("ok" if far <= HALF else "bad", name, far, HALF), flush=True)
        continue
    far, own = (abs(x - want).max() / abs(want).max() for x in (numpy.stack(got), ours))
    print("%s %s: from transformers' logits those of llama.cpp differ by %.1e of the largest (limit %.0e), ours by %.1e (limit %.0e)"
          % ("ok" if far <= LIMIT and own <= OURS else "bad", name, far, LIMIT, own, OURS), flush=True)
