#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A GGUF whose kv_b_proj is in two parts, as llama.cpp's converter has it for
attention over what is narrow (MLA), from one that has it whole.

usage: kv_b_parts.py IN.gguf OUT.gguf [TYPE]

TYPE (Q8_0) is that of the parts.  parts.gguf in golden/families/deepseek_v2
is made of the model with mscale 0.9 by peft-quantize -t f32 and this.
"""
import sys
import gguf
import numpy as np

ARCH = "deepseek2."
source, out = sys.argv[1:3]
q = getattr(gguf.GGMLQuantizationType, sys.argv[3]) if sys.argv[3:] else None
r = gguf.GGUFReader(source)
pairs = {k: (v.types[0], v.contents()) for k, v in r.fields.items()
         if not k.startswith("GGUF.") and k != "general.architecture"}
heads, keys, values, rank, turned = (pairs[ARCH + k][1] for k in (
    "attention.head_count", "attention.key_length", "attention.value_length",
    "attention.kv_lora_rank", "rope.dimension_count"))
mla = {"attention.key_length": (rank + turned, keys),
       "attention.value_length": (rank, values)}
o = gguf.GGUFWriter(out, "deepseek2")
for k, (kind, v) in pairs.items():
    short = k.removeprefix(ARCH)
    if short in mla:
        v, whole = mla[short]
        o.add_uint32(k + "_mla", whole)
    if short == "attention.head_count_kv":
        v = 1
    o.add_key_value(k, v, kind)


def add(name, x):
    x = np.ascontiguousarray(x)
    if q is None:
        o.add_tensor(name, x)
    else:
        o.add_tensor(name, gguf.quantize(x, q), raw_dtype=q)


for t in r.tensors:
    if "attn_kv_b" not in t.name:
        o.add_tensor(t.name, np.array(t.data), raw_dtype=t.tensor_type)
        continue
    x = np.asarray(t.data, dtype=np.float32).reshape(
        heads, keys - turned + values, rank)
    add(t.name.replace("kv_b", "k_b"), x[:, :keys - turned].swapaxes(1, 2))
    add(t.name.replace("kv_b", "v_b"), x[:, keys - turned:])
o.write_header_to_file()
o.write_kv_data_to_file()
o.write_tensors_to_file()
o.close()
