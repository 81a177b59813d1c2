#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Make tests/golden/readers: small models as other software stores quantised ones, and what they stand for.

usage: readers_golden.py AWQ OUT SEEDS       (AWQ: packing_utils.py of AutoAWQ; SEEDS: tests/fuzz/corpus)

OUT/CASE.json               config.json with its quantization_config
OUT/CASE.safetensors.zst    the weights
OUT/CASE.txt                the first line is a type of this toolkit; then each weight's name, type, shape and begin of the sha256 of its bytes, as the
                            software itself expands it into that type:
    gptq*, awq              f16: scales * (codes - zeros), as AutoGPTQ's qlinear_cuda and GPTQModel's _dequantize_from_codes; AutoAWQ's dequantize_gemm
    ct-*                    bf16 or f32, what compressed-tensors' decompress() gives
    fp8-*                   f32, transformers' Fp8Dequantize
    mxfp4                   f32, transformers' convert_moe_packed_tensors
    bnb-*                   f32, bitsandbytes' int8_vectorwise_dequant and dequantize_4bit

SEEDS/fuzz-safetensors/CASE one weight of each in a bundle, SEEDS/fuzz-quantcfg/CASE the config

Codes are found by rounding to the nearest: how is not what is tested.  (bnb-nf4: blocks that divide rows, as bitsandbytes' CPU kernel needs.)
"""
import hashlib, importlib.util, json, os, subprocess, sys
sys.path.pop(0)
import numpy as np, torch
import bitsandbytes.functional as F
from compressed_tensors.compressors.naive_quantized.base import NaiveQuantizationCompressor as Naive
from compressed_tensors.compressors.pack_quantized.base import PackedQuantizationCompressor as Packed
from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme
from safetensors.torch import save
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

spec = importlib.util.spec_from_file_location("awq", sys.argv[1])
awq = importlib.util.module_from_spec(spec); spec.loader.exec_module(awq)
out, seeds = sys.argv[2:]
H, I, V = 64, 96, 32
LINEAR = {"self_attn.q_proj": (H, H), "self_attn.k_proj": (32, H), "self_attn.v_proj": (32, H), "self_attn.o_proj": (H, H),
          "mlp.gate_proj": (I, H), "mlp.up_proj": (I, H), "mlp.down_proj": (H, I)}
CONFIG = {"model_type": "llama", "vocab_size": V, "hidden_size": H, "intermediate_size": I, "num_hidden_layers": 1, "num_attention_heads": 2,
          "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu", "max_position_embeddings": 64,
          "attention_bias": True, "bos_token_id": 1, "eos_token_id": 2}
NAMES = {torch.float16: ("f16", "F16"), torch.bfloat16: ("bf16", "BF16"), torch.float32: ("f32", "F32")}

def rest(dtype, tied, g):
    t = {"model.embed_tokens.weight": torch.randn(V, H, generator=g) / 8, "model.norm.weight": 1 + 0.1 * torch.randn(H, generator=g)}
    for n in ("input_layernorm", "post_attention_layernorm"): t["model.layers.0.%s.weight" % n] = 1 + 0.1 * torch.randn(H, generator=g)
    for n, k in (("q", H), ("k", 32), ("v", 32), ("o", H)): t["model.layers.0.self_attn.%s_proj.bias" % n] = 0.1 * torch.randn(k, generator=g)
    if not tied: t["lm_head.weight"] = torch.randn(V, H, generator=g) / 8
    return {k: v.to(dtype) for k, v in t.items()}

def bundle(tensors, order):
    """A safetensors file in an order of one's own: config.json first, so that a pipe can be streamed."""
    head, data, at = {}, b"", 0
    for k in order:
        t = tensors[k]
        one = json.loads((lambda b: b[8:8 + int.from_bytes(b[:8], "little")])(save({k: t})))[k]
        b = save({k: t}); b = b[8 + int.from_bytes(b[:8], "little"):]
        head[k] = {"dtype": one["dtype"], "shape": one["shape"], "data_offsets": [at, at + len(b)]}
        at += len(b); data += b
    h = json.dumps(head, separators=(",", ":")).encode()
    return len(h).to_bytes(8, "little") + h + data

def seed(case, config, make, shape, g):
    os.makedirs(os.path.join(seeds, "fuzz-quantcfg"), exist_ok=True)
    text = json.dumps(config).encode()
    with open(os.path.join(seeds, "fuzz-quantcfg", case), "wb") as f: f.write(text)
    parts, _ = make("m", torch.randn(*shape, generator=g), g)
    t = {"m" + k: v.contiguous().clone() for k, v in parts.items()}
    t["peft.file/config.json"] = torch.tensor(list(text), dtype=torch.uint8)
    first = [k for k in t if k.startswith("peft.file/") or ".quant_state." in k or k.endswith("weight_shape")]
    with open(os.path.join(seeds, "fuzz-safetensors", case), "wb") as f: f.write(bundle(t, first + sorted(set(t) - set(first))))

def put(case, dtype, quant, make, tied=True, config=None, names=None, prefix="model.layers.0.", tail=""):
    """make(name, W, g) -> (tensors by suffix of the module's name, expanded weight)"""
    g = torch.Generator().manual_seed(sum(map(ord, case)))
    t = {} if names else rest(dtype, tied, g)
    want = dict(t)
    for m, (o, i) in (names or LINEAR).items():
        m = prefix + m
        parts, w = make(m, torch.randn(o, i, generator=g) / i ** 0.5 * torch.exp(0.3 * torch.randn(o, 1, generator=g)), g)
        t.update({m + k: v.contiguous().clone() for k, v in parts.items()})
        want[m + tail if names else m + ".weight"] = w
    c = dict(config or CONFIG, tie_word_embeddings=tied, torch_dtype=str(dtype)[6:], quantization_config=quant)
    with open(os.path.join(out, case + ".json"), "w") as f: json.dump(c, f, indent=1); f.write("\n")
    seed(case, {"quantization_config": quant}, make, (32, 32) if case != "ct-fp8-block" else (64, 32), torch.Generator().manual_seed(1))
    p = os.path.join(out, case + ".safetensors.zst")
    subprocess.run(["zstd", "-19", "-q", "-f", "-o", p], input=save(t, metadata={"format": "pt"}), check=True)
    with open(os.path.join(out, case + ".txt"), "w") as f:
        print(NAMES[dtype][0], file=f)
        for k in sorted(want):
            v = want[k].to(dtype).contiguous()
            b = v.view(torch.int16 if v.element_size() == 2 else torch.int32).numpy().tobytes()
            print(k, NAMES[dtype][1], "x".join(map(str, v.shape)), "sha256:" + hashlib.sha256(b).hexdigest()[:16], file=f)

# ---- GPTQ -------------------------------------------------------------------------------------------------------------------------------------------
def pack_words(codes, bits):
    """AutoGPTQ's pack(): codes [n, m] along n into words [n * bits / 32, m]; 3 bits: two of 32 codes cross words"""
    n, m = codes.shape
    c = codes.astype(np.uint32)
    q = np.zeros((n * bits // 32, m), np.uint32)
    if bits != 3:
        f = 32 // bits
        for j in range(n): q[j // f] |= c[j] << np.uint32(bits * (j % f))
        return q.astype(np.int32)
    i = row = 0
    while row < q.shape[0]:
        for j in range(i, i + 10): q[row] |= c[j] << np.uint32(3 * (j - i))
        i += 10; q[row] |= c[i] << np.uint32(30); row += 1; q[row] |= (c[i] >> np.uint32(2)) & np.uint32(1); i += 1
        for j in range(i, i + 10): q[row] |= c[j] << np.uint32(3 * (j - i) + 1)
        i += 10; q[row] |= c[i] << np.uint32(31); row += 1; q[row] |= (c[i] >> np.uint32(1)) & np.uint32(3); i += 1
        for j in range(i, i + 10): q[row] |= c[j] << np.uint32(3 * (j - i) + 2)
        i += 10; row += 1
    return q.astype(np.int32)

def gptq(bits, group, act, sym, v2, override={}):
    def make(name, w, g):
        b, gs = override.get(name, (bits, group))
        o, i = w.shape
        gs = i if gs == -1 else gs
        idx = torch.arange(i) // gs
        if act: idx = idx[torch.randperm(i, generator=g)]
        n = int(idx.max()) + 1
        top = 2 ** b - 1
        scales = (w.abs().max() * 2 / top * (0.8 + 0.4 * torch.rand(n, o, generator=g))).half()
        zeros = torch.full((n, o), 2 ** (b - 1)) if sym else torch.randint(0, top + 1, (n, o), generator=g)
        codes = (torch.round(w.t() / scales.float()[idx]).long() + zeros[idx]).clamp(0, top)
        value = scales[idx] * (codes - zeros[idx]).to(torch.int16)          # f16, as both programs compute it
        stored = zeros if v2 else (zeros - 1) & top                         # GPTQModel adds the one modulo 2^bits
        return {".qweight": torch.from_numpy(pack_words(codes.numpy(), b)), ".scales": scales, ".g_idx": idx.int(),
                ".qzeros": torch.from_numpy(pack_words(stored.t().numpy(), b).T.copy())}, value.t()
    return make

def gptq_config(bits, group, act, sym, **more):
    return dict({"quant_method": "gptq", "bits": bits, "group_size": group, "desc_act": act, "sym": sym, "damp_percent": 0.01, "static_groups": False,
                 "true_sequential": True, "lm_head": False, "model_name_or_path": None, "meta": {"quantizer": ["gptqmodel:1.0"]}}, **more)

h = torch.float16
put("gptq4", h, gptq_config(4, 32, True, False, checkpoint_format="gptq"), gptq(4, 32, True, False, False))
put("gptq3", h, gptq_config(3, 32, False, False, checkpoint_format="gptq"), gptq(3, 32, False, False, False), tied=False)
put("gptq8-v2", h, gptq_config(8, -1, False, True, checkpoint_format="gptq_v2", pack_dtype="int32"), gptq(8, -1, False, True, True))
other = "model.layers.0.mlp.down_proj"
put("gptq2-dynamic", h, gptq_config(2, 32, False, False, checkpoint_format="gptq_v2", dynamic={"+:.*down_proj": {"bits": 4, "group_size": 16}}),
    gptq(2, 32, False, False, True, {other: (4, 16)}))

# a linear that GPT-2 has the other way round
def turned(name, w, g):
    parts, value = gptq(4, 32, False, False, False)(name, w, g)
    return parts, value.t()

put("gptq-gpt2", h, gptq_config(4, 32, False, False), turned, config={"model_type": "gpt2", "vocab_size": V}, prefix="transformer.h.0.", tail=".weight",
    names={"attn.c_attn": (192, 64), "attn.c_proj": (64, 64)})

# ---- AWQ --------------------------------------------------------------------------------------------------------------------------------------------
def pack_awq(codes):
    q = np.zeros((codes.shape[0], codes.shape[1] // 8), np.uint32)
    for i, o in enumerate(awq.AWQ_ORDER): q |= codes[:, o::8].astype(np.uint32) << np.uint32(4 * i)
    return torch.from_numpy(q.astype(np.int32))

def make_awq(name, w, g):
    o, i = w.shape
    idx = torch.arange(i) // 32
    scales = (w.abs().max() * 2 / 15 * (0.8 + 0.4 * torch.rand(i // 32, o, generator=g))).half()
    zeros = torch.randint(0, 16, (i // 32, o), generator=g)
    codes = (torch.round(w.t() / scales.float()[idx]).long() + zeros[idx]).clamp(0, 15)
    parts = {".qweight": pack_awq(codes.numpy()), ".qzeros": pack_awq(zeros.numpy()), ".scales": scales}
    return parts, awq.dequantize_gemm(parts[".qweight"], parts[".qzeros"], scales, 4, 32).t()

put("awq", h, {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True, "version": "gemm", "modules_to_not_convert": None}, make_awq)

# ---- compressed-tensors -----------------------------------------------------------------------------------------------------------------------------
def ct(compressor, args, dtype, more={}):
    scheme = QuantizationScheme(targets=["Linear"], weights=args)
    top = 2 ** (args.num_bits - 1) - 1 if args.type == "int" else 448
    def make(name, w, g):
        o, i = w.shape
        n = {"group": (o, i // (args.group_size or 1)), "channel": (o, 1), "tensor": (1,), "block": (o // 32, i // 32)}[args.strategy]
        scale = (w.abs().max() / top * (0.8 + 0.4 * torch.rand(n, generator=g))).to(dtype)
        state = {"weight": w.to(dtype), "weight_scale": scale}
        if not args.symmetric: state["weight_zero_point"] = torch.randint(-top - 1, top + 1, n, generator=g).to(torch.int8)
        packed = compressor.compress(state, scheme)
        value = compressor.decompress(dict(packed), scheme)["weight"]
        return dict({"." + k: v for k, v in packed.items()}, **more), value
    return make

def ct_config(args, form, **more):
    a = json.loads(args.model_dump_json())
    return {"quant_method": "compressed-tensors", "format": form, "quantization_status": "compressed", "global_compression_ratio": None,
            "kv_cache_scheme": None, "ignore": ["lm_head"], "config_groups": {"group_0": dict({"targets": ["Linear"], "weights": a,
            "input_activations": None, "output_activations": None}, **more)}}

b = torch.bfloat16
dynamic = {"num_bits": 8, "type": "int", "symmetric": True, "strategy": "token", "dynamic": True}
for case, form, compressor, dtype, args, more, acts in (
    ("ct-int4", "pack-quantized", Packed, b, QuantizationArgs(num_bits=4, symmetric=False, strategy="group", group_size=32), {}, None),
    ("ct-int8", "pack-quantized", Packed, torch.float32, QuantizationArgs(num_bits=8, strategy="channel"), {}, None),
    ("ct-w8a8", "int-quantized", Naive, b, QuantizationArgs(num_bits=8, symmetric=False, strategy="channel"), {}, dynamic),
    ("ct-fp8", "float-quantized", Naive, b, QuantizationArgs(num_bits=8, type="float", strategy="tensor"), {".input_scale": torch.tensor([0.5])},
     dict(dynamic, type="float", strategy="tensor", dynamic=False)),
    ("ct-fp8-block", "float-quantized", Naive, torch.float32, QuantizationArgs(num_bits=8, type="float", strategy="block", block_structure=[32, 32]),
     {}, dict(dynamic, type="float"))):
    put(case, dtype, ct_config(args, form, input_activations=acts), ct(compressor, args, dtype, more), tied=case != "ct-int4")

# ---- FP8 --------------------------------------------------------------------------------------------------------------------------------------------
f32 = torch.float32
def fp8(shape, key, dtype=f32, kind=torch.float8_e4m3fn, more={}):
    def make(name, w, g):
        o, i = w.shape
        n = shape(o, i)
        scale = (w.abs().max() / 448 * (0.8 + 0.4 * torch.rand(n, generator=g)))
        if dtype == torch.float8_e8m0fnu: scale = torch.exp2(torch.ceil(torch.log2(scale)))
        scale = scale.to(dtype)
        s = scale.float().reshape(n if len(n) == 2 else (n + (1,) if n else (1, 1)))
        full = s.repeat_interleave(o // s.shape[0], 0).repeat_interleave(i // s.shape[1], 1)
        q = (w / full).clamp(-448, 448).to(kind)
        value = Fp8Dequantize(None)._dequantize_one(q, scale.reshape(s.shape), output_dtype=f32)
        return dict({".weight": q, key: scale}, **more), value
    return make

block = {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic", "weight_block_size": [32, 32]}
put("fp8-block", f32, block, fp8(lambda o, i: (o // 32, i // 32), ".weight_scale_inv"))
put("fp8-ue8m0", f32, dict(block, scale_fmt="ue8m0"), fp8(lambda o, i: (o // 32, i // 32), ".weight_scale_inv", torch.float8_e8m0fnu))
put("fp8-tensor", f32, {"quant_method": "fp8", "activation_scheme": "static", "ignored_layers": ["lm_head"]},
    fp8(lambda o, i: (), ".weight_scale", b, more={".input_scale": torch.tensor(0.25)}), tied=False)
put("fp8-row", f32, {"quant_method": "fbgemm_fp8", "activation_scale_ub": 1200.0, "modules_to_not_convert": ["lm_head"]},
    fp8(lambda o, i: (o, 1), ".weight_scale"))

# ---- MXFP4 ------------------------------------------------------------------------------------------------------------------------------------------
def mx(name, w, g):  # -0 becomes 0: it is ggml's blocks that are computed with
    e, rows, cols = 2, w.shape[0], w.shape[1]
    blocks = torch.randint(0, 256, (e, rows, cols // 32, 16), generator=g).to(torch.uint8)
    scales = torch.randint(110, 130, (e, rows, cols // 32), generator=g).to(torch.uint8)
    scales[0, 0, 0], scales[1, 1, 0] = 0, 1
    return {"_blocks": blocks, "_scales": scales}, convert_moe_packed_tensors(blocks, scales, dtype=f32) + 0.0

put("mxfp4", f32, {"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}, mx, config={"model_type": "gpt_oss", "vocab_size": V},
    names={"mlp.experts.gate_up_proj": (48, 64), "mlp.experts.down_proj": (40, 32)})

# ---- bitsandbytes -----------------------------------------------------------------------------------------------------------------------------------
def int8(name, w, g):
    q, scale, _ = F.int8_vectorwise_quant(w.half())
    return {".weight": q, ".SCB": scale, ".weight_format": torch.tensor(0, dtype=torch.uint8)}, F.int8_vectorwise_dequant(q, scale)

def four(kind, size, nested, storage):
    def make(name, w, g):
        q, s = F.quantize_4bit(w, blocksize=size, quant_type=kind, compress_statistics=nested, quant_storage=storage)
        parts = {".weight." + k: v for k, v in s.as_dict(packed=True).items()}
        return dict({".weight": q}, **parts), F.dequantize_4bit(q, s)
    return make

put("bnb-int8", f32, {"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False, "llm_int8_threshold": 6.0}, int8)
put("bnb-nf4", f32, {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True, "bnb_4bit_quant_storage": "bfloat16"},
    four("nf4", 32, True, b))
