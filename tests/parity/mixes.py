# SPDX-License-Identifier: Apache-2.0
"""The types that llama.cpp gives to the weights of a GGUF file, mix by mix: mixes.py NAME=FILE.gguf[:MIX,MIX] ...

Makes tests/golden/mix/types, of the models of tests/mix.t.
"""
import ctypes, re, sys
import llama_cpp
from gguf import GGUFReader

FTYPES = dict(q4_0=2, q4_1=3, q8_0=7, q5_0=8, q5_1=9, q2_k=10, q3_k_s=11, q3_k_m=12, q3_k_l=13, q4_k_s=14, q4_k_m=15, q5_k_s=16,
              q5_k_m=17, q6_k=18, iq4_nl=25, iq4_xs=30, tq1_0=36, tq2_0=37)
HF = dict(token_embd="model.embed_tokens", output="lm_head", attn_q="self_attn.q_proj", attn_k="self_attn.k_proj", attn_v="self_attn.v_proj",
          attn_output="self_attn.o_proj", ffn_gate="mlp.gate_proj", ffn_up="mlp.up_proj", ffn_down="mlp.down_proj")
for arg in sys.argv[1:]:
    model, path = arg.split("=")
    path, _, mixes = path.partition(":")
    for mix in mixes.split(",") if mixes else FTYPES:
        p = llama_cpp.llama_model_quantize_default_params()
        p.ftype = FTYPES[mix]
        assert llama_cpp.llama_model_quantize(path.encode(), b"theirs.gguf", ctypes.byref(p)) == 0
        own, at = re.sub("_[sml]$", "", mix), {}
        for t in GGUFReader("theirs.gguf").tensors:
            m, kind = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.weight", t.name), t.tensor_type.name.lower()
            if "norm" not in t.name and kind != own:
                at.setdefault((HF[m[2]] + ".weight", kind), []).append(m[1])
        if not at:
            print(model, mix, "own")
        for (name, kind), layers in at.items():
            print(model, mix, name, kind, *([] if layers == [None] else [",".join(sorted(layers, key=int))]))
