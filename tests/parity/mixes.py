# SPDX-License-Identifier: Apache-2.0
"""The types that llama.cpp gives to the weights of a GGUF file, mix by mix: mixes.py NAME=FILE.gguf[:MIX,MIX] ...

Makes tests/golden/mix/types, of the models of tests/mix.t.  MIX+ is with an importance matrix (of ones).
"""
import ctypes, re, sys
import llama_cpp, numpy
from gguf import GGUFReader, GGUFWriter

FTYPES = dict(q4_0=2, q4_1=3, q8_0=7, q5_0=8, q5_1=9, q2_k=10, q3_k_s=11, q3_k_m=12, q3_k_l=13, q4_k_s=14, q4_k_m=15, q5_k_s=16,
              q5_k_m=17, q6_k=18, iq4_nl=25, iq4_xs=30, tq1_0=36, tq2_0=37, iq1_s=24, iq1_m=31, iq2_xxs=19, iq2_xs=20, iq2_s=28, iq2_m=29,
              iq3_xxs=23, iq3_xs=22, iq3_s=26, iq3_m=27, q2_k_s=21, mxfp4_moe=38)
OWN = dict(iq2_s="iq2_xs", iq2_m="iq2_s", iq3_xs="iq3_s", iq3_m="iq3_s", mxfp4_moe="mxfp4")
HF = dict(token_embd="model.embed_tokens", output="lm_head", attn_q="self_attn.q_proj", attn_k="self_attn.k_proj", attn_v="self_attn.v_proj",
          attn_output="self_attn.o_proj", ffn_gate="mlp.gate_proj", ffn_up="mlp.up_proj", ffn_down="mlp.down_proj",
          ffn_gate_exps="block_sparse_moe.experts.w1", ffn_down_exps="block_sparse_moe.experts.w2",
          ffn_up_exps="block_sparse_moe.experts.w3", ffn_gate_inp="block_sparse_moe.gate")
FALCON = dict(token_embd="transformer.word_embeddings", output="lm_head", attn_qkv="self_attention.query_key_value",
              attn_output="self_attention.dense", ffn_up="mlp.dense_h_to_4h", ffn_down="mlp.dense_4h_to_h")


def thin(path, out):
    """The same file with two rows of ones for each matrix: types do not depend on more."""
    reader = GGUFReader(path)
    w = GGUFWriter(out, str(reader.fields["general.architecture"].contents()))
    for f in reader.fields.values():
        v = f.contents()
        if not f.name.startswith(("GGUF.", "general.architecture", "tokenizer.")):
            (w.add_bool if isinstance(v, bool) else w.add_uint32 if isinstance(v, int) else w.add_float32 if isinstance(v, float)
             else w.add_string)(f.name, v)
    for t in reader.tensors:
        shape = [int(n) for n in t.shape][::-1]
        w.add_tensor(t.name, numpy.ones([2] * (len(shape) == 2) + [shape[0], 2] * (len(shape) == 3) + shape[-1:], numpy.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def ones(path):
    """An importance matrix; and what it points to."""
    keep = [(t.name.encode(), numpy.ones(int(t.shape[0]) * (int(t.shape[2]) if len(t.shape) == 3 else 1), numpy.float32))
            for t in GGUFReader(path).tensors if len(t.shape) > 1 and t.name.startswith("blk.")]
    data = (llama_cpp.llama_model_imatrix_data * (len(keep) + 1))()
    for d, (n, m) in zip(data, keep):
        d.name, d.data, d.size = n, m.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), m.size
    return data, keep



for arg in sys.argv[1:]:
    model, path = arg.split("=")
    path, _, mixes = path.partition(":")
    thin(path, "thin.gguf")
    path = "thin.gguf"
    for mix in mixes.split(",") if mixes else FTYPES:
        p = llama_cpp.llama_model_quantize_default_params()
        p.ftype = FTYPES[mix.rstrip("+")]
        if mix.endswith("+"):
            p.imatrix, keep = ones(path)
        assert llama_cpp.llama_model_quantize(path.encode(), b"theirs.gguf", ctypes.byref(p)) == 0
        own, at = OWN.get(mix.rstrip("+"), re.sub("_[sml]$", "", mix.rstrip("+")) if mix[0] == "q" else mix.rstrip("+")), {}
        for t in GGUFReader("theirs.gguf").tensors:
            m, kind = re.fullmatch(r"(?:blk\.(\d+)\.)?(\w+)\.weight", t.name), t.tensor_type.name.lower()
            if "norm" not in t.name and kind != own:
                at.setdefault(((FALCON if model == "falcon" else HF)[m[2]] + ".weight", kind), []).append(m[1])
        if not at:
            print(model, mix, "own")
        for (name, kind), layers in at.items():
            print(model, mix, name, kind, *([] if layers == [None] else [",".join(sorted(layers, key=int))]))
