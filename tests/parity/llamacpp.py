# SPDX-License-Identifier: Apache-2.0
"""llama.cpp reads the GGUF files that run.sh made.

Logits as in load.py.  With f32 weights llama.cpp computes in f32; with f16 and q8_0 it rounds the inputs of each
product to the type of the weights as well, which moves logits by up to LIMIT.  So its greedy answers are told to us
token by token: each must be our likeliest token, or no further from it than that.

What we compute over q4_k is what llama.cpp computes in f32 over the values that it stands for (values.gguf).

Of every type the file must hold the bytes of llama.cpp's own quantiser when that makes no mix, and of every mix as well, and be called
the same (of a large model: q4_k, q4_k_m).
"""
import ctypes, json, os, subprocess, sys
import numpy
import llama_cpp
from gguf import GGUFReader
from llamacpp_files import FTYPES, tensors

LIMIT = {"f32": 1e-4, "f16": 5e-3, "q8_0": 5e-2}
records = [json.loads(line) for line in open("some.tok")]
prompts = [r["input_ids"][:r["labels"].count(-100)] for r in records]


def say(good, text):
    print("ok" if good else "bad", text, flush=True)


def ours(name, sequences):
    """[tokens, vocab], of all sequences end to end."""
    text = "".join('{"input_ids":%s,"labels":%s}\n' % (s, s) for s in sequences)
    out = subprocess.run(["logits-tool", name], input=text.encode(), stdout=subprocess.PIPE, check=True).stdout
    return numpy.frombuffer(out, dtype=numpy.float32).reshape(sum(map(len, sequences)), -1)


def theirs(m, sequences):
    out = []
    for s in sequences:
        m.reset()
        m.eval(s)
        out.append(m.scores[:len(s)].copy())
    return numpy.concatenate(out)


def answer(m, prompt):
    ids = []
    for t in m.generate(prompt, temp=0):
        if t == m.token_eos() or len(ids) == 16:
            return ids
        ids.append(t)


for t, limit in LIMIT.items():
    name = t + ".gguf"
    m = llama_cpp.Llama(name, verbose=False, n_ctx=512, logits_all=True, type_k=0, type_v=0)
    sequences = [r["input_ids"] for r in records]
    b = theirs(m, sequences)
    a, largest = ours(name, sequences), abs(b).max()
    far = abs(a - b).max() / largest
    say(far <= limit, "%s: %d logits in llama.cpp differ by %.1e of the largest (limit %.0e)" % (name, a.size, far, limit))
    answers = [answer(m, p) for p in prompts]
    a, at, n, likeliest, worst = ours(name, [p + i for p, i in zip(prompts, answers)]), 0, 0, 0, 0
    for p, ids in zip(prompts, answers):
        for k, token in enumerate(ids):
            row = a[at + len(p) + k - 1]
            n, likeliest, worst = n + 1, likeliest + (row.argmax() == token), max(worst, (row.max() - row[token]) / largest)
        at += len(p) + len(ids)
    say(n > 0 and worst <= limit, "%s: of %d tokens of llama.cpp's greedy answers %d are our likeliest, the rest within %.1e of the largest logit"
        % (name, n, likeliest, worst))
    if t == "f32":
        texts = [m.detokenize(i).decode(errors="replace") for i in answers]
        mine = [json.loads(line) for line in open(name + ".answers")]
        say(mine == texts, "%s: the texts of peft-generate and llama.cpp" % name)

m = llama_cpp.Llama("values.gguf", verbose=False, n_ctx=512, logits_all=True, type_k=0, type_v=0)
b = theirs(m, sequences)
far = abs(ours("q4_k.gguf", sequences) - b).max() / abs(b).max()
say(far <= LIMIT["f32"], "q4_k.gguf: logits differ from those of llama.cpp over its values by %.1e of the largest (limit %.0e)"
    % (far, LIMIT["f32"]))

# names of mixes alone, or of a mix whose own type is another
TYPES = [t for t in FTYPES if t not in ("iq2_s", "iq2_m", "iq3_xs", "iq3_m", "q2_k_s")]
for t in TYPES if os.path.getsize("f32.gguf") < 1e7 else ["q4_k"]:
    p = llama_cpp.llama_model_quantize_default_params()
    p.ftype, p.pure = FTYPES[t], True
    good = llama_cpp.llama_model_quantize(b"f32.gguf", b"theirs.gguf", ctypes.byref(p)) == 0
    subprocess.run(["peft-quantize", "-q", "-f", "--pure", "-t", t, "-o", "ours.gguf", "f32"], check=True)
    a, b = tensors("ours.gguf"), tensors("theirs.gguf") if good else {}
    say(good and a == b, "%s: %d tensors, %d of them as llama.cpp quantises them" % (t, len(a), sum(a[n] == b.get(n) for n in a)))

MIXES = dict(q3_k_s=11, q3_k_m=12, q3_k_l=13, q4_k_s=14, q4_k_m=15, q5_k_s=16, q5_k_m=17, **{t: n for t, n in FTYPES.items() if (t[-2:] != "_k" or t in ("q2_k", "q6_k")) and t[:3] not in ("iq1", "iq2", "iq3")})
for t in MIXES if os.path.getsize("f32.gguf") < 1e7 else ["q4_k_m"]:
    p = llama_cpp.llama_model_quantize_default_params()
    p.ftype = MIXES[t]
    good = llama_cpp.llama_model_quantize(b"f32.gguf", b"theirs.gguf", ctypes.byref(p)) == 0
    subprocess.run(["peft-quantize", "-q", "-f", "-t", t, "-o", "ours.gguf", "f32"], check=True)
    a, b = tensors("ours.gguf"), tensors("theirs.gguf") if good else {}
    names = [int(GGUFReader(f).fields["general.file_type"].parts[-1][0]) for f in ("ours.gguf", "theirs.gguf")]
    say(good and a == b and names[0] == names[1], "%s, a mix: %d tensors, %d of them as llama.cpp quantises them"
        % (t, len(a), sum(a[n] == b.get(n) for n in a)))
