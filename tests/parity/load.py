# SPDX-License-Identifier: Apache-2.0
"""transformers, bitsandbytes and PEFT read the folders and files that run.sh made.

Of each: the largest difference of a logit, of all tokens of all records, in parts of the largest logit, theirs against
ours (NAME.logits); and the greedy answers (NAME.answers).  All is computed in f32 on both sides, from the same stored
values, so the limit is the same for all kinds: what differently ordered sums make.
"""
import json, sys
import numpy, torch, transformers
from transformers import AutoModelForCausalLM, AutoTokenizer
from peft import PeftModel

transformers.utils.logging.disable_progress_bar()
LIMIT = 1e-4
records = [json.loads(line)["input_ids"] for line in open("some.tok")]
chats = [json.loads(line)["messages"] for line in open("some.jsonl")]
tokenizer = AutoTokenizer.from_pretrained("f32")
torch.manual_seed(0)


def say(good, text):
    print("ok" if good else "bad", text, flush=True)


def answer(model, chat):
    ids = tokenizer.apply_chat_template(chat[:-1], add_generation_prompt=True, return_tensors="pt", return_dict=True)
    out = model.generate(**ids, max_new_tokens=16, do_sample=False, pad_token_id=2)
    return tokenizer.decode(out[0][ids["input_ids"].shape[1]:], skip_special_tokens=True)


def compare(name, model, what, answered=4):
    """The first `answered' greedy answers: bitsandbytes is slow at them."""
    model = model.eval()
    with torch.no_grad():
        theirs = torch.cat([model(input_ids=torch.tensor([r])).logits[0] for r in records]).float().numpy()
        answers = [answer(model, c) for c in chats[:answered]]
    ours = numpy.fromfile(name + ".logits", dtype=numpy.float32)
    if ours.size != theirs.size:
        say(False, "%s: %d logits, theirs %d" % (name, ours.size, theirs.size))
        return
    ours = ours.reshape(theirs.shape)
    far = abs(ours - theirs).max() / abs(theirs).max()
    say(far <= LIMIT, "%s: %d logits in %s differ by %.1e of the largest (limit %.0e)" % (name, ours.size, what, far, LIMIT))
    say((ours.argmax(1) == theirs.argmax(1)).all(), "%s: the likeliest token behind each of %d" % (name, len(ours)))
    mine = [json.loads(line) for line in open(name + ".answers")][:answered]
    same = sum(a == b for a, b in zip(mine, answers))
    say(len(mine) == len(answers) == same, "%s: greedy answers in %s, %d of %d the same" % (name, what, same, len(answers)))
    for a, b in zip(mine, answers):
        if a != b:
            print(repr(a), "theirs", repr(b), file=sys.stderr)


def load(name, **more):
    return AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32, **more)


for name in ("f32", "bf16", "merged"):
    compare(name, load(name), "transformers")
compare("lora-f32", PeftModel.from_pretrained(load("f32"), "lora-f32"), "PEFT")
for t in ("f16", "q8_0"):
    compare(t + ".gguf", load(".", gguf_file=t + ".gguf"), "transformers, by gguf")
try:
    import bitsandbytes
except ImportError:
    print("bad bitsandbytes is not there: its folders were not read")
    sys.exit()


def load4(name):
    """Its arithmetic in f32 too: as it is stored says bf16, and where the processor has AVX512-BF16 it would round all
    inputs to that."""
    model = load(name, device_map="cpu")
    linears = [m for m in model.modules() if isinstance(m, bitsandbytes.nn.Linear4bit)]
    for m in linears:
        m.compute_dtype, m.compute_type_is_set = torch.float32, True
        m.support_avx512bf16_for_cpu = False
    say(len(linears) == 7 * model.config.num_hidden_layers, "%s: %d linears are bitsandbytes'" % (name, len(linears)))
    return model


for name in ("nf4", "nf4dq"):
    compare(name, load4(name), "bitsandbytes", 1)
compare("lora-nf4", PeftModel.from_pretrained(load4("nf4"), "lora-nf4"), "PEFT over bitsandbytes", 1)


def load8(name):
    """Its weights as bitsandbytes expands them; its own product would round the inputs to 8 bits as well."""
    model = load(name, device_map="cpu")
    linears = [(n, m) for n, m in model.named_modules() if isinstance(m, bitsandbytes.nn.Linear8bitLt)]
    for n, m in linears:
        w = m.weight
        values = bitsandbytes.functional.int8_vectorwise_dequant(w.data, w.SCB if w.SCB is not None else m.state.SCB)
        plain = torch.nn.Linear(m.in_features, m.out_features, bias=m.bias is not None)
        plain.weight = torch.nn.Parameter(values.float())
        if m.bias is not None:
            plain.bias = torch.nn.Parameter(m.bias.float())
        model.set_submodule(n, plain)
    say(len(linears) == 7 * model.config.num_hidden_layers, "%s: %d linears are bitsandbytes'" % (name, len(linears)))
    return model


compare("int8", load8("int8"), "bitsandbytes' int8, expanded", 1)
# without a GPU transformers expands fp8 to bf16
compare("fp8-bf16", AutoModelForCausalLM.from_pretrained("fp8").float(), "transformers' fp8, expanded", 1)
