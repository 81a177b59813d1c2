#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""llama.cpp with a LoRA file that peft-merge --as-lora wrote.

usage: llamacpp_lora.py BASE.gguf LORA.gguf IDS OURS

BASE.gguf in f32; IDS: a JSON list of token ids; OURS: what logits-tool BASE
ADAPTER computes of them, f32 [ids, vocab].  Says how far the logits differ,
and fails if that is more than 1e-4 of the largest.
"""
import json
import sys

import numpy
import llama_cpp

base, lora, ids, ours = sys.argv[1:]
with open(ids) as f:
    ids = json.load(f)


def logits(path):
    m = llama_cpp.Llama(base, n_ctx=len(ids) + 8, logits_all=True,
                        type_k=0, type_v=0, verbose=False, lora_path=path)
    m.eval(ids)
    return m.scores[:len(ids)].copy()


with_lora, without = logits(lora), logits(None)
want = numpy.fromfile(ours, dtype=numpy.float32).reshape(with_lora.shape)
most = abs(with_lora - want).max() / abs(want).max()
print(f"off by {most:.1e} of the largest logit; the adapter moves them by "
      f"{abs(with_lora - without).max():.2g}")
sys.exit(not most <= 1e-4)
