# SPDX-License-Identifier: Apache-2.0
"""The importance matrix that run.sh made of some.tok over f32 (imatrix.gguf, imatrix.dat), and what is made with it.

Its sums against those of hooks on transformers' linear layers (f32 arithmetic, squares summed in f64): each may differ
by LIMIT of the largest of its layer.  The older form must say the same, as llama.cpp reads it.
Files quantised with it must hold the bytes of llama.cpp's own quantiser, given the same matrix and making no mix.
"""
import ctypes, json, os, struct, subprocess
import numpy, torch, transformers
import llama_cpp
from gguf import GGUFReader
from transformers import AutoModelForCausalLM
from llamacpp_files import FTYPES, tensors

transformers.utils.logging.disable_progress_bar()
LIMIT = 1e-4
NAMES = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output", "gate_proj": "ffn_gate", "up_proj": "ffn_up",
         "down_proj": "ffn_down"}
records = [json.loads(line)["input_ids"] for line in open("some.tok")]


def say(good, text):
    print("ok" if good else "bad", text, flush=True)


def listen():
    sums = {}
    model = AutoModelForCausalLM.from_pretrained("f32", dtype=torch.float32).eval()
    for name, module in model.named_modules():
        part = name.split(".")
        if part[-1] in NAMES:
            def hook(module, args, name="blk.%s.%s.weight" % (part[2], NAMES[part[-1]])):
                x = args[0].double().reshape(-1, args[0].shape[-1])
                s = sums.setdefault(name, [torch.zeros(x.shape[1], dtype=torch.float64), 0])
                s[0] += (x * x).sum(0)
                s[1] += len(x)
            module.register_forward_pre_hook(hook)
    with torch.no_grad():
        for r in records:
            model(input_ids=torch.tensor([r]))
    return {k: (s.numpy(), n) for k, (s, n) in sums.items()}


def read_old(path):
    """As llama.cpp's quantize does: mean squares."""
    b, at, out = open(path, "rb").read(), 4, {}
    for _ in range(struct.unpack("<i", b[:4])[0]):
        n = struct.unpack_from("<i", b, at)[0]
        name = b[at + 4:at + 4 + n].decode()
        calls, values = struct.unpack_from("<ii", b, at + 4 + n)
        out[name] = numpy.frombuffer(b, numpy.float32, values, at + 12 + n) / numpy.float32(calls)
        at += 12 + n + 4 * values
    return out


want = listen()
reader = GGUFReader("imatrix.gguf")
got = {t.name: numpy.array(t.data).reshape(-1) for t in reader.tensors}
kinds = [str(reader.fields[k].contents()) for k in ("general.type", "imatrix.chunk_size")]
say(kinds == ["imatrix", "512"], "imatrix.gguf says that it is one")
say(sorted(got) == sorted(n + t for n in want for t in (".in_sum2", ".counts")), "imatrix.gguf has sums of %d matrices" % len(want))
say(all(got[n + ".counts"].tolist() == [c] for n, (s, c) in want.items()), "and the number of tokens, %d" % list(want.values())[0][1])
far = max(abs(got[n + ".in_sum2"] - s).max() / s.max() for n, (s, c) in want.items())
say(far <= LIMIT, "the sums of transformers' hooks differ by %.1e of the largest (limit %.0e)" % (far, LIMIT))
old = read_old("imatrix.dat")
mean = {n: got[n + ".in_sum2"] / got[n + ".counts"] for n in want}
say(sorted(old) == sorted(want) and all(abs(old[n] / mean[n] - 1).max() < 1e-6 for n in want), "imatrix.dat says the same")

keep = [(n.encode(), m.astype(numpy.float32)) for n, m in mean.items()]
data = (llama_cpp.llama_model_imatrix_data * (len(keep) + 1))()
for d, (n, m) in zip(data, keep):
    d.name, d.data, d.size = n, m.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), m.size
small = os.path.getsize("f32.gguf") < 1e7
for t in ("q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl") if small else ("q2_k", "q3_k", "q4_k", "q5_k", "q6_k", "iq4_xs", "iq3_xxs", "iq3_s", "iq2_s", "iq1_m"):
    p = llama_cpp.llama_model_quantize_default_params()
    p.ftype, p.pure, p.imatrix = FTYPES[t], True, data
    good = llama_cpp.llama_model_quantize(b"f32.gguf", b"theirs.gguf", ctypes.byref(p)) == 0
    subprocess.run(["peft-quantize", "-q", "-f", "--pure", "-t", t, "--imatrix", "imatrix.gguf", "-o", "ours.gguf", "f32"], check=True)
    subprocess.run(["peft-quantize", "-q", "-f", "--pure", "-t", t, "-o", "plain.gguf", "f32"], check=True)
    a, b, c = tensors("ours.gguf"), tensors("theirs.gguf") if good else {}, tensors("plain.gguf")
    weighed = sum(a[n][0] != "Q8_0" for n in want)      # which some rows get that do not divide into blocks of 256
    say(good and a == b and sum(a[n] != c[n] for n in a) == weighed, "%s: %d tensors, %d of them as llama.cpp quantises them with "
        "this matrix, %d not as without" % (t, len(a), sum(a[n] == b.get(n) for n in a), sum(a[n] != c[n] for n in a)))
